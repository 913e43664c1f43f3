package tokens_test

import (
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lanyard-dev/lanyard/issuer/oauth"
	"github.com/lanyard-dev/lanyard/sidecar/tokens"
)

const orders, billing = "api://orders", "api://billing"

var errAway = errors.New("connection refused")

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

func TestManyWhoWaitAreOneRequest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		issuer := &issuer{t: t, takes: time.Second}
		s := start(t, issuer, nil, orders)
		var wg sync.WaitGroup
		for range 100 {
			wg.Go(func() { issuer.want(s.Token(t.Context(), orders)) })
		}
		wg.Wait()
		if n := issuer.asked(orders); n != 1 {
			t.Errorf("the issuer was asked %d times", n)
		}
	})
}

func TestRefusesAResourceThatIsNotListed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		issuer := &issuer{t: t}
		s := start(t, issuer, nil, orders)
		for what, err := range map[string]error{
			"Token": second(s.Token(t.Context(), billing)),
			"Renew": second(s.Renew(t.Context(), billing, nil)),
		} {
			if !is[*tokens.NotListed](err) || !strings.Contains(err.Error(), "listed are api://orders") {
				t.Errorf("%s: got %v", what, err)
			}
		}
		if n := issuer.asked(billing); n != 0 {
			t.Error("the issuer was asked for it")
		}
	})
}

func TestATokenIsReplacedAfterFourFifthsOfItsLife(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		issuer := &issuer{t: t}
		s := start(t, issuer, nil, orders)
		issuer.want(s.Token(t.Context(), orders))
		time.Sleep(8*time.Minute - time.Second)
		synctest.Wait()
		if got := issuer.want(s.Token(t.Context(), orders)).Value; got != "api://orders 1" {
			t.Errorf("got %q a second before", got)
		}
		time.Sleep(time.Second)
		synctest.Wait()
		if got := issuer.want(s.Token(t.Context(), orders)).Value; got != "api://orders 2" {
			t.Errorf("got %q", got)
		}
	})
}

// An outage of an hour: the token in hand is served to its end, the issuer is not
// stormed, and after it everything is fresh within half a minute.
func TestAnOutage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		issuer := &issuer{t: t}
		s := start(t, issuer, nil, orders)
		issuer.want(s.Token(t.Context(), orders))
		issuer.set(func() { issuer.away = &tokens.Unavailable{Resource: orders, Cause: errAway} })
		time.Sleep(10*time.Minute - time.Second)
		if got := issuer.want(s.Token(t.Context(), orders)).Value; got != "api://orders 1" {
			t.Errorf("got %q", got)
		}
		time.Sleep(time.Second)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		if _, err := s.Token(ctx, orders); !errors.Is(err, errAway) || strings.Contains(err.Error(), "deadline") {
			t.Errorf("after the token's end: %v", err)
		}
		cancel()
		time.Sleep(50 * time.Minute)
		if n := issuer.asked(orders); n > 250 {
			t.Errorf("the issuer was asked %d times in an hour", n)
		}
		issuer.set(func() { issuer.away = nil })
		back := time.Now()
		issuer.want(s.Token(t.Context(), orders))
		if took := time.Since(back); took > 20*time.Second {
			t.Errorf("fresh only after %s", took)
		}
	})
}

// Three hundred sidecars that were all turned away come back within the promised time, and
// not all at once.
func TestRefusesToStampedeAfterAnOutage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const sidecars = 300
		issuer := &crowded{away: true}
		var all []*tokens.Source
		for range sidecars {
			cfg := config(nil, nil, slog.New(slog.DiscardHandler), orders)
			cfg.Issuer, cfg.Random = issuer, rand.Float64
			s := tokens.New(cfg)
			run(t, s)
			all = append(all, s)
		}
		time.Sleep(5 * time.Minute)
		issuer.back()
		began, busiest := time.Now(), 0
		for time.Since(began) < 21*time.Second {
			before := issuer.asked()
			time.Sleep(time.Second)
			busiest = max(busiest, issuer.asked()-before)
		}
		for _, s := range all {
			if err := s.Missing(); err != nil {
				t.Fatal(err)
			}
		}
		if n := issuer.asked(); n != sidecars || busiest > sidecars/5 {
			t.Errorf("%d requests, %d of them within one second", n, busiest)
		}
	})
}

// crowded is an issuer that many ask.
type crowded struct {
	mu   sync.Mutex
	away bool
	n    int
}

// Token implements tokens.Issuer.
func (c *crowded) Token(_ context.Context, resource string, _ *tls.Certificate) (tokens.Grant, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.away {
		return tokens.Grant{}, &tokens.Unavailable{Resource: resource, Cause: errAway}
	}
	c.n++
	return tokens.Grant{AccessToken: "a", ExpiresIn: 10 * time.Minute}, nil
}

func (c *crowded) back() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.away = false
}

func (c *crowded) asked() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.n
}

func TestWhatTheIssuerAsksForIsHonoured(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		issuer := &issuer{t: t, away: &tokens.Unavailable{Resource: orders, RetryAfter: 7 * time.Second, Cause: errors.New("429")}}
		start(t, issuer, nil, orders)
		time.Sleep(7*time.Second - time.Millisecond)
		synctest.Wait()
		if n := issuer.asked(orders); n != 1 {
			t.Errorf("asked %d times", n)
		}
		time.Sleep(time.Second)
		if n := issuer.asked(orders); n != 2 {
			t.Errorf("asked %d times", n)
		}
	})
}

func TestARefusalIsToldAtOnceAndOvercome(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		issuer := &issuer{t: t, refuses: map[string]error{orders: &tokens.Refused{Resource: orders, Code: oauth.InvalidClient, Number: oauth.ErrIdentity}}}
		s := start(t, issuer, nil, orders)
		began := time.Now()
		if _, err := s.Token(t.Context(), orders); !is[*tokens.Refused](err) || time.Since(began) > 0 {
			t.Errorf("got %v after %s", err, time.Since(began))
		}
		time.Sleep(time.Hour)
		issuer.set(func() { issuer.refuses = nil })
		time.Sleep(20 * time.Second)
		synctest.Wait()
		issuer.want(s.Token(t.Context(), orders))
		if err := s.Missing(); err != nil {
			t.Error(err)
		}
	})
}

// What an issuer in trouble answers is no refusal: it is waited out, as one that does not answer.
func TestAnIssuerInTroubleIsWaitedOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		answer := &tokens.Refused{Resource: orders, Code: oauth.TemporarilyUnavailable, Description: "what it knows is too old", TraceID: "another-each-time"}
		issuer := &issuer{t: t, away: &tokens.Unavailable{Resource: orders, Cause: answer}}
		s := start(t, issuer, nil, orders)
		time.Sleep(time.Second)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		began := time.Now()
		if _, err := s.Token(ctx, orders); !is[*tokens.Unavailable](err) || time.Since(began) < time.Second {
			t.Errorf("got %v after %s", err, time.Since(began))
		}
		if err := s.Missing(); !is[*tokens.Unavailable](err) || !strings.Contains(err.Error(), "too old") || strings.Contains(err.Error(), "another") {
			t.Errorf("what is waited for: %v", err)
		}
		issuer.set(func() { issuer.away = nil })
		issuer.want(s.Token(t.Context(), orders))
	})
}

func TestRenewBringsAnother(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		issuer := &issuer{t: t, takes: 100 * time.Millisecond}
		s := start(t, issuer, nil, orders)
		first := issuer.want(s.Token(t.Context(), orders))
		var wg sync.WaitGroup
		for range 50 { // calls that the API refused at the same time
			wg.Go(func() {
				if got := issuer.want(s.Renew(t.Context(), orders, first)); got.Value != "api://orders 2" {
					t.Errorf("got %q", got.Value)
				}
			})
		}
		wg.Wait()
		if got := issuer.want(s.Renew(t.Context(), orders, first)); got.Value != "api://orders 2" || issuer.asked(orders) != 2 {
			t.Errorf("got %q after %d requests", got.Value, issuer.asked(orders))
		}
	})
}

// An API that accepts no token at all must not become the issuer's trouble.
func TestRefusesToRenewAllTheTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		issuer := &issuer{t: t, takes: time.Millisecond}
		s := start(t, issuer, nil, orders)
		token := issuer.want(s.Token(t.Context(), orders))
		for range 1000 {
			if another, err := s.Renew(t.Context(), orders, token); err == nil {
				token = another
			} else if !is[*tokens.Unavailable](err) {
				t.Fatal(err)
			}
			time.Sleep(60 * time.Millisecond)
		}
		if n := issuer.asked(orders); n > 8 {
			t.Errorf("the issuer was asked %d times in a minute", n)
		}
	})
}

func TestRenewSaysWhenTheIssuerIsAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		issuer := &issuer{t: t}
		s := start(t, issuer, nil, orders)
		token := issuer.want(s.Token(t.Context(), orders))
		issuer.set(func() { issuer.away = &tokens.Unavailable{Resource: orders, Cause: errAway} })
		for range 2 {
			if _, err := s.Renew(t.Context(), orders, token); !errors.Is(err, errAway) {
				t.Errorf("got %v", err)
			}
		}
		if got := issuer.want(s.Token(t.Context(), orders)); got != token {
			t.Error("the token in hand was given up")
		}
	})
}

// A timer stands still while a machine sleeps; the ends of tokens do not.
func TestAfterAMachineHasSleptThereIsAFreshToken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var slept atomic.Int64
		issuer := &issuer{t: t, takes: time.Millisecond}
		cfg := config(issuer, nil, slog.New(slog.NewTextHandler(t.Output(), nil)), orders)
		cfg.Now = func() time.Time { return time.Now().Add(time.Duration(slept.Load())) }
		s := tokens.New(cfg)
		run(t, s)
		issuer.want(s.Token(t.Context(), orders))
		slept.Store(int64(time.Hour))
		began := time.Now()
		if got := issuer.want(s.Token(t.Context(), orders)); got.Value != "api://orders 2" || time.Since(began) > time.Second {
			t.Errorf("got %q after %s", got.Value, time.Since(began))
		}
	})
}

func TestTheSameTroubleIsToldOnceAMinute(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		refused := &tokens.Refused{Resource: orders, Code: oauth.InvalidClient, TraceID: "1"}
		issuer := &issuer{t: t, refuses: map[string]error{orders: refused}}
		var log strings.Builder
		s := tokens.New(config(issuer, nil, slog.New(slog.NewTextHandler(&log, nil)), orders))
		run(t, s)
		time.Sleep(59 * time.Second)
		issuer.set(func() {
			issuer.refuses = map[string]error{orders: &tokens.Refused{Resource: orders, Code: oauth.InvalidClient, TraceID: "2"}}
		})
		synctest.Wait()
		if n := strings.Count(log.String(), "waiting for a token"); n != 1 {
			t.Errorf("told %d times:\n%s", n, log.String())
		}
	})
}

func TestMissingSaysWhatIsWaitedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		issuer := &issuer{t: t, refuses: map[string]error{billing: &tokens.Refused{Resource: billing, Code: oauth.InvalidScope, Description: "not granted", TraceID: "another-each-time"}}}
		s := start(t, issuer, nil, orders, billing)
		if err := s.Missing(); !is[*tokens.Unavailable](err) {
			t.Errorf("at first: %v", err)
		}
		time.Sleep(time.Second)
		if err := s.Missing(); !is[*tokens.Refused](err) || !strings.Contains(err.Error(), "api://billing") || strings.Contains(err.Error(), "another") {
			t.Errorf("then: %v", err)
		}
	})
}

func config(issuer *issuer, certificate func() (*tls.Certificate, error), log *slog.Logger, resources ...string) tokens.Config {
	return tokens.Config{
		Issuer: issuer, Resources: resources, Certificate: certificate,
		Now: time.Now, Random: func() float64 { return 0.5 }, Log: log,
	}
}

// start runs a Source until the test ends.
func start(t *testing.T, issuer *issuer, certificate func() (*tls.Certificate, error), resources ...string) *tokens.Source {
	t.Helper()
	s := tokens.New(config(issuer, certificate, slog.New(slog.NewTextHandler(t.Output(), nil)), resources...))
	run(t, s)
	return s
}

func run(t *testing.T, s *tokens.Source) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); s.Run(ctx) }()
	t.Cleanup(func() { cancel(); <-done })
}

func is[E error](err error) bool {
	_, ok := errors.AsType[E](err)
	return ok
}

func second[T any](_ T, err error) error { return err }
