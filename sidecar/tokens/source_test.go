package tokens_test

import (
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lanyard-dev/lanyard/sidecar/tokens"
)

const orders, billing = "api://orders", "api://billing"

func TestTheFirstTokenIsWaitedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		issuer := &issuer{t: t, takes: 300 * time.Millisecond}
		s := start(t, issuer, nil, orders)
		began := time.Now()
		token := issuer.want(s.Token(t.Context(), orders))
		if took := time.Since(began); took != 300*time.Millisecond || token.Value != "api://orders 1" {
			t.Errorf("got %q after %s", token.Value, took)
		}
	})
}

func TestTheWaitEndsWithItsOwnContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		issuer := &issuer{t: t, takes: time.Second}
		s := start(t, issuer, nil, orders)
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
		defer cancel()
		if _, err := s.Token(ctx, orders); !is[*tokens.Unavailable](err) || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v", err)
		}
		issuer.want(s.Token(t.Context(), orders))
		if n := issuer.asked(orders); n != 1 {
			t.Errorf("the issuer was asked %d times", n)
		}
	})
}

// start runs a Source until the test ends.
func start(t *testing.T, issuer *issuer, certificate func() (*tls.Certificate, error), resources ...string) *tokens.Source {
	t.Helper()
	s := tokens.New(tokens.Config{
		Issuer: issuer, Resources: resources, Certificate: certificate,
		Now: time.Now, Random: func() float64 { return 0.5 }, Log: slog.New(slog.NewTextHandler(t.Output(), nil)),
	})
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); s.Run(ctx) }()
	t.Cleanup(func() { cancel(); <-done })
	return s
}

func is[E error](err error) bool {
	_, ok := errors.AsType[E](err)
	return ok
}
