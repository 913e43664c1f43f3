package tokens

import (
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// renewEvery is how often a resource's token is replaced because an API did not accept
// it. An API that accepts none must not become the issuer's trouble.
const renewEvery = 10 * time.Second

// Issuer is asked for tokens.
type Issuer interface {
	// Token asks for a token for the resource over a connection with the certificate,
	// unless that is nil. The error is a *Refused or an *Unavailable.
	Token(ctx context.Context, resource string, certificate *tls.Certificate) (Grant, error)
}

// Config is what a Source needs.
type Config struct {
	Issuer Issuer
	// Resources are the identifiers that tokens are held for.
	Resources []string
	// Certificate reads the certificate as it is now, and returns the same pointer while
	// it is the same. Its errors pass. Nil: there is none.
	Certificate func() (*tls.Certificate, error)
	Now         func() time.Time
	// Random returns a number in [0, 1), and is called by several goroutines.
	Random func() float64
	Log    *slog.Logger
}

// Source holds a fresh token for each of its resources while Run runs.
type Source struct {
	cfg  Config
	held atomic.Pointer[View] // read without a lock

	mu          sync.Mutex // guards what follows, and changes of held
	resources   map[string]*resource
	changed     chan struct{} // closed at the next change of held
	certificate CertificateState
	said        map[string]saying
}

// resource is one that tokens are held for.
type resource struct {
	identifier string
	turn       sync.Mutex    // held while the issuer is asked: one request in flight
	wake       chan struct{} // says that due has changed

	// Guarded by the Source's mu.
	due       time.Time     // when the issuer is asked next
	tried     chan struct{} // closed when the next request has been answered, or failed
	failure   error         // of the last request; nil if it was served
	failures  int           // in a row
	forced    time.Time     // when a token was last replaced before its time
	requests  uint64
	failed    map[string]uint64 // by code
	successor bool              // a token has been given before
}

// New returns a Source that holds nothing yet.
func New(cfg Config) *Source {
	s := &Source{cfg: cfg, resources: map[string]*resource{}, changed: make(chan struct{}), said: map[string]saying{}}
	s.held.Store(&View{Tokens: map[string]*Token{}})
	for _, id := range cfg.Resources {
		s.resources[id] = &resource{
			identifier: id, wake: make(chan struct{}, 1), tried: make(chan struct{}), failed: map[string]uint64{},
		}
	}
	return s
}

// Run keeps the tokens fresh until ctx ends. It is called once.
func (s *Source) Run(ctx context.Context) {
	var wg sync.WaitGroup
	defer wg.Wait()
	if s.cfg.Certificate != nil {
		if !s.firstCertificate(ctx) {
			return
		}
		wg.Go(func() { s.watchCertificate(ctx) })
	}
	for _, r := range s.resources {
		wg.Go(func() { s.keep(ctx, r) })
	}
}

// Token returns the current token of a resource. While there is none it waits for the
// first one as long as ctx allows, unless the issuer has refused it.
//
// The error is a *NotListed, a *Refused, or an *Unavailable.
func (s *Source) Token(ctx context.Context, identifier string) (*Token, error) {
	if t := s.held.Load().Tokens[identifier]; t.validAt(s.cfg.Now()) {
		return t, nil
	}
	r, ok := s.resources[identifier]
	if !ok {
		return nil, &NotListed{Resource: identifier, Listed: slices.Sorted(maps.Keys(s.resources))}
	}
	return s.await(ctx, r, nil)
}

// Renew returns another token than instead, which an API did not accept. It is asked for
// if need be, but not more often than every ten seconds: then, and while the issuer is
// away, the error is an *Unavailable, and the token in hand stays in use.
func (s *Source) Renew(ctx context.Context, identifier string, instead *Token) (*Token, error) {
	r, ok := s.resources[identifier]
	if !ok {
		return nil, &NotListed{Resource: identifier, Listed: slices.Sorted(maps.Keys(s.resources))}
	}
	s.mu.Lock()
	now := s.cfg.Now()
	held := s.held.Load().Tokens[identifier]
	switch {
	case held.validAt(now) && held != instead:
		s.mu.Unlock()
		return held, nil
	case r.failure != nil: // it is being asked for already, at a bounded rate
		err := r.failure
		s.mu.Unlock()
		return nil, err
	case now.Before(r.due) && now.Sub(r.forced) < renewEvery:
		s.mu.Unlock()
		return nil, &Unavailable{Resource: identifier, Cause: errors.New("it was replaced a moment ago, and is not asked for again so soon")}
	case now.Before(r.due):
		r.forced, r.due = now, now
		r.rouse()
	}
	s.mu.Unlock()
	return s.await(ctx, r, instead)
}

// View returns everything that is held now, and a channel that is closed when that changes.
func (s *Source) View() (*View, <-chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.held.Load(), s.changed
}

// await waits for a valid token other than instead, as long as ctx allows.
func (s *Source) await(ctx context.Context, r *resource, instead *Token) (*Token, error) {
	for first := true; ; first = false {
		s.mu.Lock()
		held, failure, tried := s.held.Load().Tokens[r.identifier], r.failure, r.tried
		if first {
			r.rouse() // after a machine has slept a token may be due sooner than the timer thinks
		}
		s.mu.Unlock()
		if held.validAt(s.cfg.Now()) && held != instead {
			return held, nil
		}
		if _, refused := AsRefused(failure); refused || instead != nil && failure != nil && !first {
			return nil, failure
		}
		select {
		case <-tried:
		case <-ctx.Done():
			if failure == nil {
				failure = &Unavailable{Resource: r.identifier, Cause: ctx.Err()}
			}
			return nil, failure
		}
	}
}

// publish makes a change of what is held visible. s.mu is held.
func (s *Source) publish(v *View) {
	s.held.Store(v)
	close(s.changed)
	s.changed = make(chan struct{})
}

// rouse has the resource's goroutine look at due again. The Source's mu is held.
func (r *resource) rouse() {
	select {
	case r.wake <- struct{}{}:
	default: // it has been told already
	}
}
