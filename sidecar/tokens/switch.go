package tokens

import (
	"context"
	"crypto/tls"
	"sync"
	"time"
)

// certificateEvery is how often the files of the certificate are looked at.
const certificateEvery = time.Second

// aboutCertificate is the key under which s.say remembers what it said.
const aboutCertificate = "certificate"

// firstCertificate waits until there is a certificate. False: ctx has ended.
func (s *Source) firstCertificate(ctx context.Context) bool {
	tick := time.NewTicker(certificateEvery)
	defer tick.Stop()
	for {
		c, err := s.cfg.Certificate()
		if err == nil {
			s.mu.Lock()
			s.forget(aboutCertificate)
			for _, r := range s.resources {
				r.failure = nil
			}
			s.publish(&View{Certificate: c, Tokens: s.held.Load().Tokens})
			s.mu.Unlock()
			s.cfg.Log.Info("the certificate is in use", "thumbprint", Thumbprint(c), "not_after", c.Leaf.NotAfter.UTC().Format(time.RFC3339))
			return true
		}
		s.mu.Lock()
		for _, r := range s.resources {
			r.failure = &Unavailable{Resource: r.identifier, Cause: err}
		}
		if s.sayable(aboutCertificate, err) {
			s.cfg.Log.Warn("waiting for the certificate", "cause", err)
		}
		s.mu.Unlock()
		select {
		case <-ctx.Done():
			return false
		case <-tick.C:
		}
	}
}

// watchCertificate looks for another certificate, and switches to it, until ctx ends.
func (s *Source) watchCertificate(ctx context.Context) {
	tick := time.NewTicker(certificateEvery)
	defer tick.Stop()
	var candidate *tls.Certificate
	var failures int
	var due time.Time
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		c, err := s.cfg.Certificate()
		switch {
		case err != nil:
			s.mu.Lock()
			if s.sayable(aboutCertificate, err) {
				s.cfg.Log.Warn("the certificate cannot be read again; the one in use stays", "cause", err)
			}
			s.mu.Unlock()
			continue
		case c == s.held.Load().Certificate:
			candidate = nil
			s.noteCandidate(nil)
			continue
		case c != candidate:
			candidate, failures, due = c, 0, s.cfg.Now()
			s.noteCandidate(c)
		}
		if s.cfg.Now().Before(due) {
			continue
		}
		if err := s.switchTo(ctx, c); err != nil {
			failures++
			due = s.cfg.Now().Add(backoff(failures, 0, s.cfg.Random()))
		}
	}
}

// switchTo gets tokens for the new certificate, and then switches both together. The
// error says why the old ones stay in use.
func (s *Source) switchTo(ctx context.Context, c *tls.Certificate) error {
	got := make(map[string]*Token, len(s.resources))
	failed := make(map[string]error, len(s.resources))
	var mu sync.Mutex
	var wg sync.WaitGroup
	for _, r := range s.resources {
		// Until the switch nobody asks with the old certificate for what the new one brings.
		r.turn.Lock()
		defer r.turn.Unlock()
		wg.Go(func() {
			t, err := s.ask(ctx, r, c)
			mu.Lock()
			defer mu.Unlock()
			if got[r.identifier] = t; err != nil {
				delete(got, r.identifier)
				failed[r.identifier] = err
			}
		})
	}
	wg.Wait()
	s.mu.Lock()
	defer s.mu.Unlock()
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err := hinders(s.held.Load(), got, failed, s.cfg.Now()); err != nil {
		if s.sayable(aboutCertificate, err) {
			s.cfg.Log.Warn("there is a new certificate, but no token for it yet; the old ones stay in use", "cause", err)
		}
		return err
	}
	for _, r := range s.resources {
		s.conclude(r, got[r.identifier], failed[r.identifier])
		r.rouse()
		close(r.tried)
		r.tried = make(chan struct{})
	}
	s.publish(&View{Certificate: c, Tokens: got})
	s.forget(aboutCertificate)
	s.certificate.Candidate = nil
	s.certificate.Switches++
	s.cfg.Log.Info("the certificate and its tokens were switched", "thumbprint", Thumbprint(c), "not_after", c.Leaf.NotAfter.UTC().Format(time.RFC3339))
	return nil
}

// hinders decides whether what is held must stay although there is a new certificate:
// a resource would lose a valid token and get none, or nothing could be had with the new
// one. A resource that the issuer refuses for what it is does not count: that has nothing
// to do with the certificate.
func hinders(held *View, got map[string]*Token, failed map[string]error, now time.Time) error {
	var last error
	for identifier, err := range failed {
		if r, ok := AsRefused(err); ok && r.ofResource() {
			continue
		}
		if held.Tokens[identifier].validAt(now) {
			return err
		}
		last = err
	}
	if len(got) > 0 {
		return nil
	}
	return last
}

func (s *Source) noteCandidate(c *tls.Certificate) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.certificate.Candidate = c
}
