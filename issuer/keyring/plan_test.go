package keyring_test

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lanyard-dev/lanyard/issuer/keyring"
)

const day = 24 * time.Hour

func TestPlan(t *testing.T) {
	s := schedule()
	made := func(n int, signsFrom time.Time) keyring.Key {
		return makeKey(t, n, keyring.MakeKey{Algorithm: keyring.EdDSA, SignsFrom: signsFrom}, signsFrom)
	}
	ring := func(keys ...keyring.Key) keyring.Ring {
		var r keyring.Ring
		for _, k := range keys {
			r = r.With(k, s.KeepAfter)
		}
		return r
	}
	due := start.Add(30 * day)
	tests := map[string]struct {
		ring   keyring.Ring
		change func(*keyring.Schedule)
		now    time.Time
		want   []keyring.Step
		next   time.Time
	}{
		"an empty ring gets a key that signs at once": {
			now: start, want: []keyring.Step{keyring.MakeKey{Algorithm: keyring.EdDSA, SignsFrom: start}}, next: start,
		},
		"a young key signs on": {ring: ring(made(1, start)), now: start, next: due.Add(-15 * time.Minute)},
		"the next key is made in time": {
			ring: ring(made(1, start)), now: due.Add(-15 * time.Minute),
			want: []keyring.Step{keyring.MakeKey{Algorithm: keyring.EdDSA, SignsFrom: due}}, next: due.Add(-15 * time.Minute),
		},
		"a next key that is there already is not made again": {
			ring: ring(made(1, start), made(2, due)), now: due.Add(-time.Minute), next: due,
		},
		"a missed rotation is made up for, and the new key is published first": {
			ring: ring(made(1, start)), now: start.Add(40*day + time.Millisecond),
			want: []keyring.Step{keyring.MakeKey{Algorithm: keyring.EdDSA, SignsFrom: start.Add(40*day + 15*time.Minute + time.Second)}},
			next: start.Add(40*day + time.Millisecond),
		},
		"a key stays for a while after it has signed": {
			ring: ring(made(1, start), made(2, due)), now: due.Add(2*time.Hour - 1), next: due.Add(2 * time.Hour),
		},
		"then it is removed": {
			ring: ring(made(1, start), made(2, due)), now: due.Add(2 * time.Hour),
			want: []keyring.Step{keyring.RemoveKey{ID: "key-1"}}, next: due.Add(2 * time.Hour),
		},
		"a change of the algorithm makes a key at once": {
			ring: ring(made(1, start)), now: start.Add(day), change: func(s *keyring.Schedule) { s.Algorithm = keyring.ES256 },
			want: []keyring.Step{keyring.MakeKey{Algorithm: keyring.ES256, SignsFrom: start.Add(day + 15*time.Minute)}}, next: start.Add(day),
		},
		"a key that a clock far ahead made does not stop the rotation": {
			ring: ring(made(1, start), made(2, start.Add(3650*day))), now: due,
			want: []keyring.Step{keyring.MakeKey{Algorithm: keyring.EdDSA, SignsFrom: due.Add(15 * time.Minute)}}, next: due,
		},
		"a clock that was set back before every key changes nothing": {
			ring: ring(made(1, start), made(2, due)), now: start.Add(-100 * day), next: due,
		},
	}
	for sentence, test := range tests {
		t.Run(sentence, func(t *testing.T) {
			s := s
			if test.change != nil {
				test.change(&s)
			}
			if diff := cmp.Diff(test.want, keyring.Plan(test.ring, s, keyring.Commands{}, test.now)); diff != "" {
				t.Errorf("plan (-want +got):\n%s", diff)
			}
			if got := keyring.Next(test.ring, s, test.now); !got.Equal(test.next) {
				t.Errorf("plans again at %s, want %s", got, test.next)
			}
		})
	}
}

// seen is what a verifier or an issuer saw at one moment.
type seen struct {
	at        time.Time
	signing   string
	published []string
}

// Through ten rotations, looked at now and then, there is always one key that signs;
// it was published for long enough before, and stays for long enough after.
func TestTenRotations(t *testing.T) {
	s := schedule()
	for seed := range uint64(5) {
		random := rand.New(rand.NewPCG(seed, 1))
		h := &house{}
		var history []seen
		for now := start; now.Before(start.Add(11 * s.RotateEvery)); {
			h.tend(t, s, now)
			// The issuers look at any time, not only when the controller has worked.
			next := keyring.Next(h.ring, s, now)
			wait := next.Sub(now) + time.Duration(random.Int64N(int64(20*time.Minute)))
			for range 40 {
				history = append(history, look(t, h.ring, now.Add(time.Duration(random.Int64N(int64(wait))))))
			}
			now = now.Add(wait)
		}
		if h.made < 11 {
			t.Fatalf("%d keys made", h.made)
		}
		slices.SortFunc(history, func(a, b seen) int { return a.at.Compare(b.at) })
		checkHistory(t, s, history)
	}
}

func look(t testing.TB, r keyring.Ring, at time.Time) seen {
	t.Helper()
	k, ok := r.Signing(at)
	if !ok {
		t.Fatalf("%s: no key signs", at)
	}
	out := seen{at, k.ID, ids(r.Published(at))}
	if !slices.Contains(out.published, k.ID) {
		t.Fatalf("%s: %s signs and is not published", at, k.ID)
	}
	return out
}

func checkHistory(t *testing.T, s keyring.Schedule, history []seen) {
	t.Helper()
	firstSigns, lastSigns := map[string]time.Time{}, map[string]time.Time{}
	for _, h := range history {
		if _, ok := firstSigns[h.signing]; !ok {
			firstSigns[h.signing] = h.at
		}
		lastSigns[h.signing] = h.at
	}
	for _, h := range history {
		for id, first := range firstSigns {
			early := id != "key-1" && !h.at.After(first) && !h.at.Before(first.Add(-s.PublishBefore))
			late := h.at.After(first) && h.at.Before(lastSigns[id].Add(s.KeepAfter))
			if (early || late) && !slices.Contains(h.published, id) {
				t.Fatalf("%s: %s is not published; it signs from %s to %s", h.at, id, first, lastSigns[id])
			}
		}
	}
}

// The clock jumps about, and the controller sleeps for weeks: a key always signs,
// and the one that signs is published.
func TestAnyClockFindsAKeyThatSigns(t *testing.T) {
	for seed := range uint64(20) {
		random := rand.New(rand.NewPCG(seed, 2))
		h, s, now := &house{}, schedule(), start
		for range 200 {
			h.tend(t, s, now)
			look(t, h.ring, now)
			now = now.Add(time.Duration(random.Int64N(int64(90*day))) - 40*day)
			look(t, h.ring, now) // before the controller wakes up
			if len(h.ring.Keys) > 20 {
				t.Fatalf("%d keys have piled up", len(h.ring.Keys))
			}
		}
	}
}

func TestSchedule(t *testing.T) {
	if err := keyring.DefaultSchedule().Validate(); err != nil {
		t.Errorf("the default: %v", err)
	}
	for says, change := range map[string]func(*keyring.Schedule){
		"there are [ES256 RS256 PS256 EdDSA]": func(s *keyring.Schedule) { s.Algorithm = "HS256" },
		"before it signs":                     func(s *keyring.Schedule) { s.PublishBefore = 5 * time.Minute },
		"after it has signed":                 func(s *keyring.Schedule) { s.KeepAfter = time.Hour },
		"keys rotate every 1h0m0s":            func(s *keyring.Schedule) { s.RotateEvery = time.Hour },
	} {
		s := keyring.DefaultSchedule()
		change(&s)
		if err := s.Validate(); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("got %v, want it to say %q", err, says)
		}
	}
}
