package replay_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/lanyard-dev/lanyard/issuer/replay"
)

var now = time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)

// of is a client that is a tenant of its own.
func of(client string) replay.Owner { return replay.Owner{Tenant: client, Client: client} }

func after(d time.Duration) time.Time { return now.Add(d) }

// A tenant makes as many clients as it likes.
func TestRefusesOneTenantTheWholeMemory(t *testing.T) {
	m := replay.New(40, 3)
	use := func(tenant string, i int, at time.Duration) replay.Outcome {
		return m.Use(replay.Owner{Tenant: tenant, Client: fmt.Sprint(tenant, "/", i)}, "1", after(at+time.Minute), after(at))
	}
	for i := range 10 {
		if got := use("evil", i, 0); got != replay.Fresh {
			t.Fatalf("client %d: got %d, want fresh", i, got)
		}
	}
	if got := use("evil", 10, 0); got != replay.Full {
		t.Errorf("beyond a quarter of the memory: got %d, want full", got)
	}
	if got := use("shop", 1, 0); got != replay.Fresh {
		t.Errorf("another tenant: got %d, want fresh", got)
	}
	if got := use("evil", 10, time.Minute); got != replay.Fresh {
		t.Errorf("once the others have ended: got %d, want fresh", got)
	}
}

func TestUse(t *testing.T) {
	type use struct {
		client, id string
		ends, at   time.Duration
		want       replay.Outcome
	}
	for name, uses := range map[string][]use{
		"an id works once": {
			{"a", "1", time.Minute, 0, replay.Fresh},
			{"a", "1", time.Minute, 0, replay.Replayed},
			{"a", "1", 2 * time.Minute, 59 * time.Second, replay.Replayed},
		},
		"until it has ended": {
			{"a", "1", time.Minute, 0, replay.Fresh},
			{"a", "1", 2 * time.Minute, time.Minute - 1, replay.Replayed},
			{"a", "1", 2 * time.Minute, time.Minute, replay.Fresh},
		},
		"two clients may choose the same id": {
			{"a", "1", time.Minute, 0, replay.Fresh},
			{"b", "1", time.Minute, 0, replay.Fresh},
		},
		"where one name ends and the other begins counts": {
			{"a", "bc", time.Minute, 0, replay.Fresh},
			{"ab", "c", time.Minute, 0, replay.Fresh},
			{"", "abc", time.Minute, 0, replay.Fresh},
		},
		"an id that has ended is not fresh": {
			{"a", "1", 0, 0, replay.Replayed},
			{"a", "2", -time.Minute, 0, replay.Replayed},
		},
		"an id that another clock has forgotten is not fresh": {
			{"a", "1", time.Minute, 0, replay.Fresh},
			{"b", "2", 2 * time.Minute, time.Minute, replay.Fresh}, // forgets a's
			{"a", "1", time.Minute, time.Minute - 1, replay.Replayed},
		},
		"a client's quota": {
			{"a", "1", time.Minute, 0, replay.Fresh},
			{"a", "2", 2 * time.Minute, 0, replay.Fresh},
			{"a", "3", time.Minute, 0, replay.Fresh},
			{"a", "4", time.Minute, 0, replay.Full},
			{"a", "1", time.Minute, 0, replay.Replayed}, // still remembered
			{"b", "4", time.Minute, 0, replay.Fresh},    // not b's trouble
			{"a", "4", 2 * time.Minute, time.Minute, replay.Fresh},
			{"a", "5", 2 * time.Minute, time.Minute, replay.Fresh},
			{"a", "6", 2 * time.Minute, time.Minute, replay.Full},
		},
		"the whole memory": {
			{"a", "1", time.Minute, 0, replay.Fresh},
			{"b", "1", time.Minute, 0, replay.Fresh},
			{"c", "1", time.Minute, 0, replay.Fresh},
			{"d", "1", 2 * time.Minute, 0, replay.Fresh},
			{"e", "1", time.Minute, 0, replay.Full},
			{"d", "1", time.Minute, 0, replay.Replayed},
			{"e", "1", 2 * time.Minute, time.Minute, replay.Fresh},
		},
	} {
		t.Run(name, func(t *testing.T) {
			m := replay.New(4, 3)
			for i, u := range uses {
				if got := m.Use(of(u.client), u.id, after(u.ends), after(u.at)); got != u.want {
					t.Errorf("use %d: got %d, want %d", i, got, u.want)
				}
			}
		})
	}
}

func TestNoMemoryRefuses(t *testing.T) {
	var none *replay.Memory
	for name, m := range map[string]*replay.Memory{"nil": none, "zero": {}, "no room": replay.New(0, 1), "no quota": replay.New(1, 0)} {
		if got := m.Use(of("a"), "1", after(time.Minute), now); got != replay.Full {
			t.Errorf("%s: got %d", name, got)
		}
	}
}

// SPIRE 1.14.6 looked first and remembered afterwards: two at once both passed.
func TestRefusesTheSameIDTwiceAtOnce(t *testing.T) {
	m := replay.New(1000, 1000)
	for round := range 200 {
		var fresh atomic.Int32
		var start, done sync.WaitGroup
		start.Add(1)
		for range 16 {
			done.Go(func() {
				start.Wait()
				if m.Use(of("a"), fmt.Sprint(round), after(time.Minute), now) == replay.Fresh {
					fresh.Add(1)
				}
			})
		}
		start.Done()
		done.Wait()
		if n := fresh.Load(); n != 1 {
			t.Fatalf("round %d: %d were fresh", round, n)
		}
	}
}

// Whoever fills the memory must not get an old id back.
func TestRefusesWhenFullAndForgetsNothing(t *testing.T) {
	const room = 1000
	m := replay.New(room, room)
	for i := range room {
		if got := m.Use(of("a"), fmt.Sprint(i), after(time.Minute+time.Duration(i)), now); got != replay.Fresh {
			t.Fatalf("id %d: %d", i, got)
		}
	}
	for i := range 10 * room {
		if got := m.Use(of("b"), fmt.Sprint(i), after(time.Minute), now); got != replay.Full {
			t.Fatalf("flood %d: %d", i, got)
		}
	}
	for i := range room {
		if got := m.Use(of("a"), fmt.Sprint(i), after(time.Minute), now); got != replay.Replayed {
			t.Fatalf("id %d again: %d", i, got)
		}
	}
	if m.Len() != room {
		t.Errorf("%d entries", m.Len())
	}
}

// After a quiet hour the memory empties as it is used.
func TestWhatHasEndedIsForgotten(t *testing.T) {
	m := replay.New(10_000, 10_000)
	for i := range 1000 {
		m.Use(of("a"), fmt.Sprint(i), after(time.Minute), now)
	}
	for i := range 1000 {
		m.Use(of("a"), fmt.Sprint("later", i), after(2*time.Hour), after(time.Hour))
	}
	if m.Len() != 1000 {
		t.Errorf("%d entries", m.Len())
	}
}

// model is the plainest memory: a list that is looked through.
type model struct {
	max, quota int
	entries    []modelEntry
}

type modelEntry struct {
	client, id string
	ends       time.Time
}

func (m *model) use(client, id string, ends, at time.Time) replay.Outcome {
	all, own := 0, 0
	for _, e := range m.entries {
		if !at.Before(e.ends) {
			continue
		}
		all++
		if e.client == client {
			own++
			if e.id == id {
				return replay.Replayed
			}
		}
	}
	switch {
	case !at.Before(ends):
		return replay.Replayed
	case all >= m.max || own >= m.quota:
		return replay.Full
	}
	m.entries = append(m.entries, modelEntry{client, id, ends})
	return replay.Fresh
}

// With a clock that never goes back, the memory says what the plainest one says.
func FuzzUse(f *testing.F) {
	f.Add(uint64(1), uint8(10), uint8(4))
	f.Add(uint64(2), uint8(3), uint8(3))
	f.Add(uint64(3), uint8(0), uint8(1))
	f.Fuzz(func(t *testing.T, seed uint64, room, quota uint8) {
		r := rand.New(rand.NewPCG(seed, 1))
		m, want := replay.New(int(room), int(quota)), &model{max: int(room), quota: int(quota)}
		at := now
		for step := range 300 {
			at = at.Add(time.Duration(r.IntN(3)) * time.Second)
			client, id := fmt.Sprint("c", r.IntN(4)), strings.Repeat("i", r.IntN(30))
			ends := at.Add(time.Duration(r.IntN(30)-2) * time.Second)
			if got, want := m.Use(of(client), id, ends, at), want.use(client, id, ends, at); got != want {
				t.Fatalf("step %d: got %d, want %d", step, got, want)
			}
			if m.Len() > int(room) {
				t.Fatalf("step %d: %d entries", step, m.Len())
			}
		}
	})
}

// At a steady rate, with a memory as full as that rate makes it.
func BenchmarkUse(b *testing.B) {
	m := replay.New(1_000_000, 1_000_000)
	ids := make([]string, 1<<16)
	for i := range ids {
		ids[i] = fmt.Sprintf("0d5f3a8e-%08x-4b1c", i)
	}
	at := now
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		at = at.Add(10 * time.Millisecond) // each id has ended when its turn comes again
		if m.Use(of("shop/checkout"), ids[i%len(ids)], at.Add(10*time.Minute), at) != replay.Fresh {
			b.Fatal("not fresh")
		}
	}
}
