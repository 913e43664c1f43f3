package keyring

import (
	"errors"
	"fmt"
	"slices"
	"time"
)

// What the lives of others ask of a Schedule.
const (
	// MinPublishBefore is the shortest PublishBefore: verifiers may keep a JWKS for
	// its max-age of 5 minutes, and the Secret takes a while to reach the issuers.
	MinPublishBefore = 6 * time.Minute
	// MinKeepAfter is the shortest KeepAfter: a token lives for an hour at most, and
	// an issuer that has lost the API server signs with an old key for 15 minutes.
	MinKeepAfter = time.Hour + 20*time.Minute
)

// Schedule says how keys rotate.
type Schedule struct {
	// Algorithm of new keys. If it changes, a key of the new one is made at once.
	Algorithm Algorithm
	// RotateEvery is how long a key signs.
	RotateEvery time.Duration
	// PublishBefore is how long a key is published before it signs.
	PublishBefore time.Duration
	// KeepAfter is how long a key stays published after it has signed for the last time.
	KeepAfter time.Duration
}

// DefaultSchedule rotates an ES256 key every 30 days.
func DefaultSchedule() Schedule {
	return Schedule{Algorithm: ES256, RotateEvery: 30 * 24 * time.Hour, PublishBefore: 15 * time.Minute, KeepAfter: 2 * time.Hour}
}

// Validate says which field of s is wrong, what it is and what it may be.
func (s Schedule) Validate() error {
	var errs []error
	if !slices.Contains(Algorithms(), s.Algorithm) {
		errs = append(errs, fmt.Errorf("the algorithm is %q; there are %v", s.Algorithm, Algorithms()))
	}
	if s.PublishBefore < MinPublishBefore {
		errs = append(errs, fmt.Errorf("a key is published %s before it signs; it must be at least %s, or verifiers meet unknown keys", s.PublishBefore, MinPublishBefore))
	}
	if s.KeepAfter < MinKeepAfter {
		errs = append(errs, fmt.Errorf("a key is kept for %s after it has signed; it must be at least %s, or tokens outlive their key", s.KeepAfter, MinKeepAfter))
	}
	if s.RotateEvery < 2*(s.PublishBefore+s.KeepAfter) {
		errs = append(errs, fmt.Errorf("keys rotate every %s; it must be at least %s, twice as long as a key is published beside another", s.RotateEvery, 2*(s.PublishBefore+s.KeepAfter)))
	}
	return errors.Join(errs...)
}

// Commands are what people ask for beside the schedule. The zero value: nothing.
type Commands struct {
	// Rotate has the next key made now. It is published for PublishBefore before it
	// signs, as every next key is. While a next key waits already it changes nothing.
	Rotate bool
	// Drop is the ID of a compromised key that is forgotten at once, published or
	// signing. A key that is not in the ring is none.
	Drop string
}

// Step is one thing to do: a MakeKey, an AdvanceKey, a RemoveKey or a DropKey.
type Step interface{ step() }

// MakeKey asks for a new key.
type MakeKey struct {
	Algorithm Algorithm
	// SignsFrom is when it will sign.
	SignsFrom time.Time
}

// AdvanceKey asks to have a key that waits sign from SignsFrom already.
type AdvanceKey struct {
	ID        string
	SignsFrom time.Time
}

// RemoveKey asks to forget the key named ID, whose last tokens have ended.
type RemoveKey struct{ ID string }

// DropKey asks to forget the key named ID although its tokens have not ended: from
// then on they are worth nothing.
type DropKey struct{ ID string }

func (MakeKey) step()    {}
func (AdvanceKey) step() {}
func (RemoveKey) step()  {}
func (DropKey) step()    {}

// Plan says what is to be done with ring at now, in this order. Once it is done
// there is nothing more to do at now, and no command is left. A key that signs is
// never removed, only dropped.
func Plan(ring Ring, s Schedule, c Commands, now time.Time) []Step {
	var steps []Step
	signing := ring.signing(now)
	for i, k := range ring.Keys {
		if i != signing && over(k, now) {
			steps, ring = append(steps, RemoveKey{k.ID}), ring.Without(k.ID, s.KeepAfter)
		}
	}
	dropping, ring := planDrop(ring, s, c.Drop, now)
	steps = append(steps, dropping...)
	if key, ok := planKey(ring, s, c.Rotate, now); ok {
		steps = append(steps, key)
	}
	return steps
}

// planDrop drops a key, and sees to it that another one signs at once if that one
// did: the next one, which verifiers may know already, else a new one. The keys before
// it do not sign again; whoever has stolen one key may well have had time for those.
// It returns the ring as it will be then; a new key in it has no ID yet.
func planDrop(ring Ring, s Schedule, id string, now time.Time) ([]Step, Ring) {
	i := slices.IndexFunc(ring.Keys, func(k Key) bool { return k.ID == id })
	if i < 0 {
		return nil, ring
	}
	dropped, steps, after := ring.Keys[i], []Step{DropKey{id}}, ring.Without(id, s.KeepAfter)
	if i != ring.signing(now) {
		return steps, after
	}
	// The time is that of the controller; an issuer whose clock is behind signs for a
	// moment with the key before it, which link keeps published accordingly.
	from := now.UTC().Truncate(time.Second)
	if i > 0 {
		from = latest(from, dropped.SignsFrom) // after the key before it
	}
	if i < len(after.Keys) {
		next := after.Keys[i].ID
		return append(steps, AdvanceKey{next, from}), after.Advance(next, from, s.KeepAfter)
	}
	made := MakeKey{s.Algorithm, from}
	return append(steps, made), after.With(Key{Algorithm: made.Algorithm, SignsFrom: from}, s.KeepAfter)
}

func planKey(ring Ring, s Schedule, rotate bool, now time.Time) (MakeKey, bool) {
	i := ring.signing(now)
	if i < 0 {
		// No verifier can have an older set of keys in its memory, so it signs at once.
		return MakeKey{s.Algorithm, now.UTC().Truncate(time.Second)}, true
	}
	signing := ring.Keys[i]
	due := signing.SignsFrom.Add(s.RotateEvery)
	earliest := latest(now, signing.SignsFrom).Add(s.PublishBefore)
	switch {
	case hasNext(ring, i, s, now):
		return MakeKey{}, false
	case rotate || signing.Algorithm != s.Algorithm:
		return MakeKey{s.Algorithm, wholeSecond(earliest)}, true
	case !now.Before(due.Add(-s.PublishBefore)):
		return MakeKey{s.Algorithm, wholeSecond(latest(due, earliest))}, true
	default:
		return MakeKey{}, false
	}
}

// hasNext says whether the key after i will follow it in reasonable time. One that
// is more than a whole turn too late was made by a clock that ran far ahead.
func hasNext(ring Ring, i int, s Schedule, now time.Time) bool {
	if i+1 == len(ring.Keys) {
		return false
	}
	due := latest(ring.Keys[i].SignsFrom.Add(s.RotateEvery), now)
	return !ring.Keys[i+1].SignsFrom.After(due.Add(s.RotateEvery))
}

// Next is when to plan again: not before now.
func Next(ring Ring, s Schedule, now time.Time) time.Time {
	if len(Plan(ring, s, Commands{}, now)) > 0 {
		return now
	}
	i := ring.signing(now)
	next := ring.Keys[i].SignsFrom.Add(s.RotateEvery - s.PublishBefore)
	if i+1 < len(ring.Keys) {
		next = ring.Keys[i+1].SignsFrom
	}
	for _, k := range ring.Keys {
		if k.RemoveAt.After(now) && k.RemoveAt.Before(next) {
			next = k.RemoveAt
		}
	}
	return latest(next, now)
}

func latest(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// wholeSecond rounds up, so that no key signs too early.
func wholeSecond(t time.Time) time.Time {
	if whole := t.Truncate(time.Second); !whole.Equal(t) {
		return whole.Add(time.Second).UTC()
	}
	return t.UTC()
}
