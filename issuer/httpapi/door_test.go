package httpapi

import (
	"errors"
	"net"
	"net/netip"
	"os"
	"sync/atomic"
	"testing"
	"time"
)

// needed is a in the midst of an attack: all together have too little left for one
// network to have more than its own, and earn nothing.
func needed(a *allowances) *allowances {
	a.all = allowance{left: float64(together(a.rate).Burst)/2 - 1, at: time.Unix(1<<40, 0)}
	return a
}

// While nobody else needs it one network may spend more than its own, until half of
// what all have together is gone.
func TestOneNetworkMaySpendWhatNobodyNeeds(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	a := newAllowances(Rate{PerSecond: 1, Burst: 4})
	got := 0
	for a.take(stranger(1), 1, now) {
		got++
	}
	if want := 4*networksAtOnce/2 + 1; got != want {
		t.Errorf("it spent %d, want %d", got, want)
	}
	if n := crowdAt(a, 10, now); n != 9 {
		t.Errorf("of 9 others and itself %d may come in", n)
	}
	a.giveBack(stranger(2), 1, now) // known from here on, which is no way to what all need
	got = 0
	for a.take(stranger(2), 1, now) {
		got++
	}
	if got != 4 {
		t.Errorf("a known network spent %d, want 4", got)
	}
}

func TestAllowances(t *testing.T) {
	begin := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	here, there := netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("10.0.0.2")
	spent := func() *allowances {
		a := newAllowances(Rate{PerSecond: 2, Burst: 3})
		for range 3 {
			if !a.take(here, 1, begin) {
				t.Fatal("the burst is refused")
			}
		}
		return a
	}
	for name, c := range map[string]struct {
		network netip.Addr
		cost    float64
		at      time.Duration
		given   float64
		want    bool
	}{
		"nothing is left at once":                   {here, 1, 0, 0, false},
		"too little has been earned":                {here, 1, 400 * time.Millisecond, 0, false},
		"enough has been earned":                    {here, 1, 500 * time.Millisecond, 0, true},
		"never more than the burst":                 {here, 3.1, time.Hour, 0, false},
		"the burst again after a while":             {here, 3, time.Hour, 0, true},
		"what a client gives back can be taken":     {here, 1, 0, 1, true},
		"what is given back is never more than all": {here, 3.1, 0, 100, false},
		"another network has its own":               {there, 3, 0, 0, true},
		"a clock that goes back takes nothing away": {here, 1, -time.Hour, 1, true},
	} {
		t.Run(name, func(t *testing.T) {
			a := spent()
			if c.given > 0 {
				a.giveBack(c.network, c.given, begin)
			}
			if got := needed(a).take(c.network, c.cost, begin.Add(c.at)); got != c.want {
				t.Errorf("got %v", got)
			}
		})
	}
}

func TestAllowancesRememberABoundedNumberOfNetworks(t *testing.T) {
	a := newAllowances(Rate{PerSecond: 1, Burst: 1})
	for i := range 2*maxLimited + 1 {
		a.take(netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)}), 1, time.Unix(0, 0))
	}
	if len(a.of) > maxLimited {
		t.Errorf("%d are remembered", len(a.of))
	}
}

// atDoor is a door on a socket, with a clock that a test moves.
func atDoor(t *testing.T, r Rate) (d *door, clock *atomic.Int64) {
	t.Helper()
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	clock = &atomic.Int64{}
	d = newDoor(l, needed(newAllowances(r)), func() time.Time { return time.Unix(0, clock.Load()) })
	t.Cleanup(func() { _ = d.Close() })
	return d, clock
}

func knock(t *testing.T, d *door) net.Conn {
	t.Helper()
	conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", d.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

// waits is done once n connections wait at the door.
func waits(t *testing.T, d *door, n int) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); ; time.Sleep(time.Millisecond) {
		d.mu.Lock()
		size := d.waiting.size()
		d.mu.Unlock()
		if size == n {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("%d wait at the door instead of %d", size, n)
		}
	}
}

func TestWhoSpentItsAllowanceWaitsAtTheDoor(t *testing.T) {
	for name, lets := range map[string]func(d *door, clock *atomic.Int64){
		"until it has earned another connection": func(_ *door, clock *atomic.Int64) { clock.Add(int64(time.Second)) },
		"until one of its connections is a client's": func(d *door, clock *atomic.Int64) {
			d.allowances.giveBack(netip.MustParseAddr("127.0.0.1"), 1, time.Unix(0, clock.Load()))
		},
	} {
		t.Run(name, func(t *testing.T) {
			d, clock := atDoor(t, Rate{PerSecond: 1, Burst: 2})
			for range 4 {
				knock(t, d)
			}
			for range 2 {
				if _, err := d.Accept(); err != nil {
					t.Fatal(err)
				}
			}
			waits(t, d, 2)
			lets(d, clock)
			if _, err := d.Accept(); err != nil {
				t.Fatal(err)
			}
			waits(t, d, 1)
		})
	}
}

func TestWhoWaitsTooLongIsSentAway(t *testing.T) {
	d, clock := atDoor(t, Rate{PerSecond: 1e-9, Burst: 1})
	knock(t, d)
	if _, err := d.Accept(); err != nil {
		t.Fatal(err)
	}
	second := knock(t, d)
	waits(t, d, 1)
	clock.Add(int64(maxWait))
	_ = second.SetReadDeadline(time.Now().Add(10 * time.Second))
	if _, err := second.Read(make([]byte, 1)); err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("got %v", err)
	}
	waits(t, d, 0)
}

func TestADoorThatIsClosedKeepsNobody(t *testing.T) {
	d, _ := atDoor(t, Rate{PerSecond: 1e-9, Burst: 1})
	knock(t, d)
	if _, err := d.Accept(); err != nil {
		t.Fatal(err)
	}
	knock(t, d)
	waits(t, d, 1)
	if err := d.Close(); err != nil {
		t.Error(err)
	}
	if _, err := d.Accept(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("got %v", err)
	}
	waits(t, d, 0)
}
