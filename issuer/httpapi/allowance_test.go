package httpapi

import (
	"net/netip"
	"testing"
	"time"
)

// stranger is the address of the i-th of many.
func stranger(i int) netip.Addr {
	return netip.AddrFrom4([4]byte{10, byte(i >> 16 & 0xff), byte(i >> 8 & 0xff), byte(i & 0xff)})
}

// crowdAt takes one for each of n strangers, and returns how many got it.
func crowdAt(a *allowances, n int, now time.Time) (got int) {
	for i := range n {
		if a.take(stranger(i), 1, now) {
			got++
		}
	}
	return got
}

func TestRefusesStrangersOfManyNetworksTogether(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	a := newAllowances(Rate{PerSecond: 1, Burst: 2})
	for _, c := range []struct {
		after time.Duration
		want  int
	}{
		{0, 2 * networksAtOnce},
		{0, 0},
		{time.Second / 2, networksTogether / 2},
		{time.Hour, 2 * networksAtOnce},
	} {
		now = now.Add(c.after)
		if got := crowdAt(a, 100, now); got != c.want {
			t.Errorf("%d of 100 networks were let in %v later; want %d", got, c.after, c.want)
		}
	}
}

func TestManyStrangersKeepNoKnownNetworkOut(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	known := netip.MustParseAddr("192.0.2.1")
	for name, c := range map[string]struct {
		before func(a *allowances)
		at     time.Time
		want   bool
	}{
		"it got a token":          {func(a *allowances) { a.giveBack(known, 1, now) }, now, true},
		"it got a token long ago": {func(a *allowances) { a.giveBack(known, 1, now.Add(-knownFor)) }, now, false},
		"it never got one":        {func(*allowances) {}, now, false},
		"so many came that some were forgotten": {func(a *allowances) {
			a.giveBack(known, 1, now)
			crowdAt(a, maxLimited+1, now)
		}, now, true},
		"it has itself spent what one may": {func(a *allowances) {
			a.giveBack(known, 1, now)
			for a.take(known, 1, now) {
			}
		}, now, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := newAllowances(Rate{PerSecond: 1, Burst: 2})
			c.before(a)
			crowdAt(a, 100, c.at)
			if got := a.take(known, 1, c.at); got != c.want {
				t.Errorf("it may come in: %v; want %v", got, c.want)
			}
		})
	}
}

func TestWhoIsInMayGoOnThoughNobodyElseMayComeIn(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	a := newAllowances(Rate{PerSecond: 1, Burst: 2})
	crowdAt(a, 100, now)
	for i := range networksTogether {
		if !a.takeMore(stranger(i), 1, now) {
			t.Fatalf("the connection of stranger %d was cut off", i)
		}
	}
	if a.takeMore(stranger(networksTogether), 1, now) {
		t.Error("strangers may go on without end")
	}
	if got := crowdAt(a, 100, now.Add(time.Second)); got != 0 {
		t.Errorf("%d came in while all together owed something", got)
	}
	a.giveBack(stranger(0), 1, now.Add(time.Second))
	if got := crowdAt(a, 100, now.Add(3*time.Second)); got < 2*networksAtOnce {
		t.Errorf("%d came in once all was earned again", got)
	}
}

func TestAllowancesForgetWhomTheyMust(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	a := newAllowances(Rate{PerSecond: 1, Burst: 2})
	for i := range 2*maxLimited + 1 {
		a.giveBack(stranger(i), 1, now) // all are known
		if len(a.of) > maxLimited {
			t.Fatalf("%d networks are remembered; want %d at most", len(a.of), maxLimited)
		}
	}
}
