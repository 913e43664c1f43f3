package tokens

import (
	"context"
	"crypto/tls"
	"errors"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/lanyard-dev/lanyard/issuer/oauth"
)

// sayEvery is how often the same trouble is told.
const sayEvery = time.Minute

// State is how a resource stands, for probes and metrics.
type State struct {
	Resource string
	// Token is the one in hand; nil if there is none. It may have ended.
	Token *Token
	// Failure of the last request; nil if it was served, or there was none.
	Failure error
	// Requests that the issuer was sent, and those that failed, by code.
	Requests uint64
	Failed   map[string]uint64
}

// CertificateState is how the certificate stands.
type CertificateState struct {
	// Current is in use, and Candidate waits for its tokens; nil: there is none.
	Current, Candidate *tls.Certificate
	// Switches from one to the next.
	Switches uint64
}

// States returns the resources' states, in order of their identifiers.
func (s *Source) States() []State {
	s.mu.Lock()
	defer s.mu.Unlock()
	held := s.held.Load()
	var all []State
	for _, id := range slices.Sorted(maps.Keys(s.resources)) {
		r := s.resources[id]
		all = append(all, State{Resource: id, Token: held.Tokens[id], Failure: r.failure, Requests: r.requests, Failed: maps.Clone(r.failed)})
	}
	return all
}

// CertificateState returns how the certificate stands.
func (s *Source) CertificateState() CertificateState {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.certificate
	c.Current = s.held.Load().Certificate
	return c
}

// Missing says for which resource there is no valid token, and why; nil if each has one.
// It holds no trace id, which is another each time: the startup probe's events could not be
// counted together. The log has it.
func (s *Source) Missing() error {
	now := s.cfg.Now()
	for _, state := range s.States() {
		switch {
		case state.Token.validAt(now):
		case state.Failure != nil:
			return withoutTrace(state.Failure)
		default:
			return &Unavailable{Resource: state.Resource}
		}
	}
	return nil
}

// withoutTrace is the error without the trace id of what the issuer answered.
func withoutTrace(err error) error {
	answer, ok := errors.AsType[*Refused](err)
	if !ok {
		return err
	}
	same := *answer
	same.TraceID = ""
	if away, ok := errors.AsType[*Unavailable](err); ok {
		return &Unavailable{Resource: away.Resource, Cause: &same, RetryAfter: away.RetryAfter}
	}
	return &same
}

// count counts a request. One that was given up because the program ends is none.
func (s *Source) count(ctx context.Context, r *resource, err error) {
	if ctx.Err() != nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	r.requests++
	if err != nil {
		r.failed[codeOf(err)]++
	}
}

// codeOf is a failure's label, of which there are few. An issuer in trouble gives a code, too.
func codeOf(err error) string {
	r, ok := errors.AsType[*Refused](err)
	if !ok {
		return "unavailable"
	}
	switch r.Code {
	case oauth.InvalidRequest, oauth.InvalidClient, oauth.UnauthorizedClient, oauth.UnsupportedGrantType, oauth.InvalidScope,
		oauth.InvalidTarget, oauth.ServerError, oauth.TemporarilyUnavailable, oauth.SlowDown:
		return string(r.Code)
	default:
		return "other"
	}
}

// saying is what was said last about something.
type saying struct {
	cause string
	at    time.Time
}

// sayable decides whether a trouble is to be told, the same cause once a minute. s.mu is
// held.
func (s *Source) sayable(about string, err error) bool {
	now, cause := s.cfg.Now(), causeOf(err)
	if last := s.said[about]; last.cause == cause && now.Sub(last.at) < sayEvery {
		return false
	}
	s.said[about] = saying{cause, now}
	return true
}

// forget has the next trouble told at once. s.mu is held.
func (s *Source) forget(about string) { delete(s.said, about) }

// causeOf is what stays the same while a trouble lasts: not the trace id, nor a port.
func causeOf(err error) string {
	if r, ok := errors.AsType[*Refused](err); ok {
		return string(r.Code) + r.Description
	}
	return strings.Map(func(r rune) rune {
		if r >= '0' && r <= '9' {
			return -1
		}
		return r
	}, err.Error())
}
