package keyring_test

import (
	"crypto/ed25519"
	"crypto/x509"
	"fmt"
	"testing"
	"time"

	"github.com/lanyard-dev/lanyard/issuer/keyring"
)

var start = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

func schedule() keyring.Schedule {
	s := keyring.DefaultSchedule()
	s.Algorithm = keyring.EdDSA // the fastest to make
	return s
}

// makeKey makes the n-th key. It is always the same.
func makeKey(t testing.TB, n int, step keyring.MakeKey, now time.Time) keyring.Key {
	t.Helper()
	seed := make([]byte, ed25519.SeedSize)
	seed[0], seed[1] = byte(n), byte(n>>8)
	der, err := x509.MarshalPKCS8PrivateKey(ed25519.NewKeyFromSeed(seed))
	if err != nil {
		t.Fatal(err)
	}
	return keyring.Key{
		ID: fmt.Sprintf("key-%d", n), Algorithm: step.Algorithm, PrivateKeyPKCS8: der,
		CreatedAt: now.UTC().Truncate(time.Second), SignsFrom: step.SignsFrom,
	}
}

// house is a ring with the controller that looks after it.
type house struct {
	ring keyring.Ring
	made int
}

// tend does what the plan says, and checks that nothing is left to do after it and
// that the ring survives being written and read.
func (h *house) tend(t testing.TB, s keyring.Schedule, now time.Time) []keyring.Step {
	t.Helper()
	steps := keyring.Plan(h.ring, s, keyring.Commands{}, now)
	if next := keyring.Next(h.ring, s, now); len(steps) > 0 != next.Equal(now) {
		t.Fatalf("%s: %d steps now, and the next plan at %s", now, len(steps), next)
	}
	h.do(t, s, steps, now)
	return steps
}

// command has the house do what people ask for, at once.
func (h *house) command(t testing.TB, s keyring.Schedule, c keyring.Commands, now time.Time) []keyring.Step {
	t.Helper()
	steps := keyring.Plan(h.ring, s, c, now)
	h.do(t, s, steps, now)
	return steps
}

func (h *house) do(t testing.TB, s keyring.Schedule, steps []keyring.Step, now time.Time) {
	t.Helper()
	for _, step := range steps {
		switch step := step.(type) {
		case keyring.MakeKey:
			h.made++
			h.ring = h.ring.With(makeKey(t, h.made, step, now), s.KeepAfter)
		case keyring.AdvanceKey:
			h.ring = h.ring.Advance(step.ID, step.SignsFrom, s.KeepAfter)
		case keyring.RemoveKey:
			h.ring = h.ring.Without(step.ID, s.KeepAfter)
		case keyring.DropKey:
			h.ring = h.ring.Without(step.ID, s.KeepAfter)
		default:
			t.Fatalf("unknown step %T", step)
		}
	}
	if again := keyring.Plan(h.ring, s, keyring.Commands{}, now); len(again) > 0 {
		t.Fatalf("%s: after %v there is still %v to do", now, steps, again)
	}
	data, err := h.ring.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	if h.ring, err = keyring.Parse(data); err != nil {
		t.Fatalf("%s: after %v: %v", now, steps, err)
	}
}

func ids(keys []keyring.Key) []string {
	var out []string
	for _, k := range keys {
		out = append(out, k.ID)
	}
	return out
}
