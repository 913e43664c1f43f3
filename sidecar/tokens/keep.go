package tokens

import (
	"context"
	"crypto/tls"
	"errors"
	"maps"
	"time"
)

// lookAgain is how often the clock is looked at. A timer alone does not notice that the
// machine slept, or that its clock was set.
const lookAgain = 30 * time.Second

// keep asks for a resource's tokens when they are due, until ctx ends.
func (s *Source) keep(ctx context.Context, r *resource) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		case <-r.wake:
		}
		if s.wait(r) <= 0 {
			s.refresh(ctx, r)
		}
		timer.Reset(min(s.wait(r), lookAgain))
	}
}

func (s *Source) wait(r *resource) time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	return r.due.Sub(s.cfg.Now())
}

// refresh asks for one token, with the certificate in use.
func (s *Source) refresh(ctx context.Context, r *resource) {
	r.turn.Lock()
	defer r.turn.Unlock()
	if s.wait(r) > 0 {
		return // a new certificate has brought a token while this waited for its turn
	}
	certificate := s.held.Load().Certificate
	token, err := s.ask(ctx, r, certificate)
	if ctx.Err() != nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.held.Load().Certificate != certificate {
		return // it belongs to a certificate that is no longer in use
	}
	s.conclude(r, token, err)
	if token != nil {
		held := s.held.Load()
		tokens := maps.Clone(held.Tokens)
		tokens[r.identifier] = token
		s.publish(&View{Certificate: held.Certificate, Tokens: tokens})
	}
	close(r.tried)
	r.tried = make(chan struct{})
}

// ask asks the issuer once. r.turn is held.
func (s *Source) ask(ctx context.Context, r *resource, certificate *tls.Certificate) (*Token, error) {
	asked := s.cfg.Now().Round(0) // the end of a token is a time of day, not of this process
	grant, err := s.cfg.Issuer.Token(ctx, r.identifier, certificate)
	s.count(ctx, r, err)
	if err != nil {
		return nil, err
	}
	t := &Token{
		Value: grant.AccessToken, Type: grant.TokenType, Resource: r.identifier, Scope: grant.Scope,
		IssuedAt: asked, ExpiresAt: asked.Add(grant.ExpiresIn), Thumbprint: grant.Thumbprint, Certificate: certificate,
	}
	if t.Thumbprint != "" && (certificate == nil || t.Thumbprint != Thumbprint(certificate)) {
		return nil, &Unavailable{Resource: r.identifier, Cause: errors.New("the issuer bound the token to another certificate than that of the connection; does something between them end TLS?")}
	}
	return t, nil
}

// conclude decides when to ask again. s.mu is held.
func (s *Source) conclude(r *resource, token *Token, err error) {
	now := s.cfg.Now()
	r.failure = err
	if err == nil {
		if r.failures > 0 || !r.successor {
			s.forget(r.identifier)
			s.cfg.Log.Info("a token is in hand", "resource", r.identifier, "expires_at", token.ExpiresAt.UTC().Format(time.RFC3339), "after_failures", r.failures)
		}
		r.failures, r.successor = 0, true
		r.due = refreshAt(token, s.cfg.Random())
		return
	}
	r.failures++
	var retryAfter time.Duration
	if u, ok := errors.AsType[*Unavailable](err); ok {
		retryAfter = u.RetryAfter
	}
	r.due = now.Add(backoff(r.failures, retryAfter, s.cfg.Random()))
	if !s.sayable(r.identifier, err) {
		return
	}
	if held := s.held.Load().Tokens[r.identifier]; held.validAt(now) {
		s.cfg.Log.Warn("no new token yet; the one in hand stays in use", "resource", r.identifier, "expires_at", held.ExpiresAt.UTC().Format(time.RFC3339), "cause", err)
		return
	}
	s.cfg.Log.Warn("waiting for a token", "resource", r.identifier, "cause", err)
}
