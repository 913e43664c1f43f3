package keyring_test

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lanyard-dev/lanyard/issuer/keyring"
)

func TestPlanOfCommands(t *testing.T) {
	s := schedule()
	ring := func(algorithm keyring.Algorithm, from ...time.Time) keyring.Ring {
		var r keyring.Ring
		for i, at := range from {
			r = r.With(makeKey(t, i+1, keyring.MakeKey{Algorithm: algorithm, SignsFrom: at}, at), s.KeepAfter)
		}
		return r
	}
	due := start.Add(30 * day)
	now := start.Add(10*day + time.Millisecond)
	second := start.Add(10 * day)
	published := start.Add(10*day + 15*time.Minute + time.Second) // s.PublishBefore after now, rounded up
	makes := func(at time.Time) keyring.Step {
		return keyring.MakeKey{Algorithm: keyring.EdDSA, SignsFrom: at}
	}
	tests := map[string]struct {
		ring     keyring.Ring
		commands keyring.Commands
		now      time.Time
		want     []keyring.Step
	}{
		"rotate: the next key is made, and published before it signs": {
			ring(keyring.EdDSA, start), keyring.Commands{Rotate: true}, now, []keyring.Step{makes(published)},
		},
		"rotate again: while a next key waits nothing changes": {
			ring(keyring.EdDSA, start, published), keyring.Commands{Rotate: true}, now, nil,
		},
		"rotate, where a clock far ahead made the next key: it does not count": {
			ring(keyring.EdDSA, start, start.Add(3650*day)), keyring.Commands{Rotate: true}, now, []keyring.Step{makes(published)},
		},
		"rotate an empty ring: one key that signs at once is enough": {
			keyring.Ring{}, keyring.Commands{Rotate: true}, start, []keyring.Step{makes(start)},
		},
		"rotate on the day that keys go: both is done": {
			ring(keyring.EdDSA, start.Add(-30*day), start),
			keyring.Commands{Rotate: true},
			now,
			[]keyring.Step{keyring.RemoveKey{ID: "key-1"}, makes(published)},
		},
		"drop the only key: a new one signs at once": {
			ring(keyring.EdDSA, start), keyring.Commands{Drop: "key-1"}, now, []keyring.Step{keyring.DropKey{ID: "key-1"}, makes(second)},
		},
		"drop the key that signs while the next one waits: it takes over at once": {
			ring(keyring.EdDSA, start, now.Add(5*time.Minute)),
			keyring.Commands{Drop: "key-1"},
			now,
			[]keyring.Step{keyring.DropKey{ID: "key-1"}, keyring.AdvanceKey{ID: "key-2", SignsFrom: second}},
		},
		"drop the key that signs, where an older one is published still: the older one does not sign again": {
			ring(keyring.EdDSA, second.Add(-30*day), second),
			keyring.Commands{Drop: "key-2"},
			now.Add(time.Hour),
			[]keyring.Step{keyring.DropKey{ID: "key-2"}, makes(second.Add(time.Hour))},
		},
		"drop the key that signs since this very second: the new one comes after the old one all the same": {
			ring(keyring.EdDSA, now.Add(-time.Nanosecond), now),
			keyring.Commands{Drop: "key-2"},
			now,
			[]keyring.Step{keyring.DropKey{ID: "key-2"}, makes(now)},
		},
		"drop a key that has signed: the one that signs goes on": {
			ring(keyring.EdDSA, second.Add(-30*day), second), keyring.Commands{Drop: "key-1"}, now.Add(time.Hour), []keyring.Step{keyring.DropKey{ID: "key-1"}},
		},
		"drop the next key: the one that signs goes on": {
			ring(keyring.EdDSA, start, now.Add(5*time.Minute)), keyring.Commands{Drop: "key-2"}, now, []keyring.Step{keyring.DropKey{ID: "key-2"}},
		},
		"drop the next key when one is due: another is made, and published first": {
			ring(keyring.EdDSA, start, due),
			keyring.Commands{Drop: "key-2"},
			due.Add(-time.Minute),
			[]keyring.Step{keyring.DropKey{ID: "key-2"}, makes(due.Add(14 * time.Minute))},
		},
		"drop a key beside one whose last tokens have ended: that one does not come back": {
			ring(keyring.EdDSA, start.Add(-30*day), start),
			keyring.Commands{Drop: "key-2"},
			now,
			[]keyring.Step{keyring.RemoveKey{ID: "key-1"}, keyring.DropKey{ID: "key-2"}, makes(second)},
		},
		"drop a key that is not there: nothing": {
			ring(keyring.EdDSA, start), keyring.Commands{Drop: "key-9"}, now, nil,
		},
		"drop the only key while the clock is set back before it: the new one signs": {
			ring(keyring.EdDSA, due), keyring.Commands{Drop: "key-1"}, now, []keyring.Step{keyring.DropKey{ID: "key-1"}, makes(second)},
		},
		"drop and rotate: the new key signs at once, and the one after it follows": {
			ring(keyring.EdDSA, start),
			keyring.Commands{Drop: "key-1", Rotate: true},
			now,
			[]keyring.Step{keyring.DropKey{ID: "key-1"}, makes(second), makes(published)},
		},
		"drop while the algorithm changes: the next key takes over, whatever it is, and one of the new algorithm follows": {
			ring(keyring.ES256, start, now.Add(time.Minute)),
			keyring.Commands{Drop: "key-1"},
			now,
			[]keyring.Step{keyring.DropKey{ID: "key-1"}, keyring.AdvanceKey{ID: "key-2", SignsFrom: second}, makes(published)},
		},
	}
	for sentence, test := range tests {
		t.Run(sentence, func(t *testing.T) {
			if diff := cmp.Diff(test.want, keyring.Plan(test.ring, s, test.commands, test.now)); diff != "" {
				t.Errorf("plan (-want +got):\n%s", diff)
			}
		})
	}
}

func TestADroppedKeyIsNeitherUsedNorPublished(t *testing.T) {
	s, now := schedule(), start.Add(30*day-time.Minute)
	for _, dropped := range []string{"key-1", "key-2"} {
		h := &house{ring: twoKeys(t), made: 2}
		h.command(t, s, keyring.Commands{Drop: dropped}, now)
		for _, after := range []time.Duration{0, time.Minute, time.Hour, 40 * day} {
			if saw := look(t, h.ring, now.Add(after)); saw.signing == dropped || slices.Contains(saw.published, dropped) {
				t.Errorf("%s after its drop: %+v", after, saw)
			}
		}
		if err := checkSuccessor(h.ring, now); err != "" {
			t.Errorf("after the drop of %s: %s", dropped, err)
		}
	}
}

func checkSuccessor(r keyring.Ring, now time.Time) string {
	if k, ok := r.Signing(now); !ok || k.SignsFrom.After(now) {
		return "no key signs at once"
	}
	return ""
}

// Whatever people ask for, and whenever: a key signs that is published, a dropped one
// never comes back, and a key that was not needed at once is published for long enough
// before it signs.
func TestAnyCommandsLeaveAKeyThatSigns(t *testing.T) {
	for seed := range uint64(20) {
		random := rand.New(rand.NewPCG(seed, 3))
		h, s, now := &house{}, schedule(), start
		h.tend(t, s, now)
		dropped := map[string]bool{}
		firstPublished := map[string]time.Time{"key-1": now}
		for range 200 {
			c := keyring.Commands{Rotate: random.IntN(3) == 0}
			if all := ids(h.ring.Keys); random.IntN(4) == 0 {
				c.Drop = all[random.IntN(len(all))]
				dropped[c.Drop] = true
			}
			h.command(t, s, c, now)
			for _, k := range h.ring.Keys {
				if _, known := firstPublished[k.ID]; !known {
					firstPublished[k.ID] = now
				}
				if k.SignsFrom.Sub(firstPublished[k.ID]) < s.PublishBefore && k.SignsFrom.After(now) {
					t.Fatalf("%s: %s is published for %s before it signs", now, k.ID, k.SignsFrom.Sub(firstPublished[k.ID]))
				}
			}
			for _, id := range look(t, h.ring, now).published {
				if dropped[id] {
					t.Fatalf("%s: %s was dropped, and is published", now, id)
				}
			}
			if len(h.ring.Keys) > 20 {
				t.Fatalf("%d keys have piled up", len(h.ring.Keys))
			}
			now = now.Add(time.Duration(random.Int64N(int64(40 * time.Minute))))
			if random.IntN(10) == 0 {
				now = now.Add(time.Duration(random.Int64N(int64(40 * day))))
			}
			h.tend(t, s, now)
			for _, k := range h.ring.Keys {
				if _, known := firstPublished[k.ID]; !known {
					firstPublished[k.ID] = now
				}
			}
		}
	}
}
