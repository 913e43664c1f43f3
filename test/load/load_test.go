package main

import (
	"errors"
	"io"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// reached is a result that misses nothing.
func reached() result {
	return result{
		attack:   attack{name: "idle"},
		server:   taskIssuer,
		attacked: served{Kept: 270, New: 54, CPU: 0.19},
		quiet:    served{Kept: 300, New: 60, CPU: 0.10},
		peak:     100 << 20,
		lasted:   5 * time.Second,
	}
}

func TestWhatIsMissedIsSaid(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		change func(*result)
		want   string // empty: nothing is missed
	}{
		"nothing":                                      {change: func(*result) {}},
		"tokens over kept connections":                 {func(r *result) { r.attacked.Kept = 239 }, "kept 0.80 of their tokens over kept connections"},
		"tokens over new connections":                  {func(r *result) { r.attacked.New = 30 }, "and 0.50 over new ones"},
		"a core that the attack takes":                 {func(r *result) { r.attacked.CPU = 0.3 }, "the attack left 0.79 of the issuer's core"},
		"memory":                                       {func(r *result) { r.peak = 256 << 20 }, "the issuer had 256 MiB resident"},
		"a measurement of nothing proves nothing":      {func(r *result) { r.attacked, r.quiet = served{}, served{} }, "kept NaN of their tokens"},
		"a bare server may miss whatever it will miss": {func(r *result) { r.server, r.attacked = taskBare, served{} }, ""},
		"on a machine that was busy":                   {func(r *result) { r.attacked.Kept, r.quiet.Kept = 20, 30 }, "the machine was busy, so that this says little"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := reached()
			c.change(&r)
			err := missed([]result{reached(), r})
			switch {
			case c.want == "" && err != nil:
				t.Errorf("missed: %v; want nothing", err)
			case c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)):
				t.Errorf("missed: %v; want %q", err, c.want)
			}
		})
	}
}

func TestCoreLeftIsWhatTokensDidNotCost(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		attacked, quiet served
		want            float64
	}{
		"an attack that costs nothing":         {served{Kept: 300, New: 60, CPU: 0.1}, served{Kept: 300, New: 60, CPU: 0.1}, 1},
		"an attack that costs a quarter":       {served{Kept: 300, New: 60, CPU: 0.35}, served{Kept: 300, New: 60, CPU: 0.1}, 0.75},
		"tokens that were not given cost none": {served{Kept: 150, New: 30, CPU: 0.1}, served{Kept: 300, New: 60, CPU: 0.1}, 0.95},
		"an attack that takes all":             {served{CPU: 1}, served{Kept: 300, New: 60, CPU: 0.1}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := result{attacked: c.attacked, quiet: c.quiet}.coreLeft()
			if d := got - c.want; d < -1e-9 || d > 1e-9 {
				t.Errorf("%.3f of the core is left; want %.3f", got, c.want)
			}
		})
	}
}

func TestTheTableTellsEachAttackAndWhatIsAsserted(t *testing.T) {
	t.Parallel()
	bad, bare := reached(), reached()
	bad.attacked.Kept = 3
	bad.attack.name = "mute"
	bare.server = taskBare
	var out strings.Builder
	table(&out, []result{reached(), bad, bare})
	for _, want := range []string{"idle  issuer     270  300   0.90     54  60   0.90", "0.01", "missed", "ok", "bare", "at least 0.8, less than 256 MiB"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("the table does not say %q:\n%s", want, &out)
		}
	}
}

func TestWhatTheMachineDisturbedIsPlayedAgain(t *testing.T) {
	t.Parallel()
	if got := demand(); got != 360 {
		t.Errorf("honest clients ask for %v tokens a second; docs/operations/load.md says 360", got)
	}
	for name, c := range map[string]struct {
		change func(*result)
		want   bool
	}{
		"both servers gave what they were asked for": {func(*result) {}, false},
		"only the attacked one did not":              {func(r *result) { r.attacked = served{} }, false},
		"the one that nobody attacks did not":        {func(r *result) { r.quiet.Kept = 200 }, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := reached()
			c.change(&r)
			if got := r.disturbed(); got != c.want {
				t.Errorf("disturbed: %v; want %v", got, c.want)
			}
		})
	}
}

func TestHonestClientsKeepTheirSchedule(t *testing.T) {
	t.Parallel()
	due := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	every := 20 * time.Millisecond
	for name, c := range map[string]struct{ now, want time.Time }{
		"who was answered at once waits":      {due.Add(time.Millisecond), due.Add(every)},
		"who is a little late catches up":     {due.Add(100 * time.Millisecond), due.Add(every)},
		"who is far too late begins from now": {due.Add(time.Second), due.Add(time.Second)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := next(due, c.now, every); !got.Equal(c.want) {
				t.Errorf("asks at %v; want %v", got, c.want)
			}
		})
	}
}

func TestOptionsAreBounded(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		args []string
		want string // empty: accepted
	}{
		"the defaults":                      {nil, ""},
		"one attack":                        {[]string{"-only", "slow bodies", "-bare=false"}, ""},
		"an attack that there is not":       {[]string{"-only", "fire"}, "names no attack; there are"},
		"a measurement of no length":        {[]string{"-during", "1ms"}, "at least 100ms"},
		"a measurement of too great length": {[]string{"-settle", "31s"}, "30s together at most"},
		"no address":                        {[]string{"-addresses", "0"}, "from 1 to 250"},
		"too many addresses":                {[]string{"-addresses", "251"}, "from 1 to 250"},
		"what is no flag":                   {[]string{"idle"}, `unknown argument "idle"`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := parseOptions(c.args)
			if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
				t.Errorf("parseOptions: %v; want %q", err, c.want)
			}
		})
	}
}

func TestAttacksHaveNamesOfTheirOwn(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for _, a := range attacks() {
		if a.name == "" || a.what == "" || a.attackers < 1 || a.do == nil || seen[a.name] {
			t.Errorf("attack %q is not whole, or there twice", a.name)
		}
		seen[a.name] = true
	}
	if diff := cmp.Diff(len(attacks()), len(seen)); diff != "" {
		t.Error(diff)
	}
}

func TestTheRecordedHelloIsOne(t *testing.T) {
	t.Parallel()
	hello, err := clientHello()
	if err != nil {
		t.Fatal(err)
	}
	// RFC 8446 sections 5.1 and 4: a record of type handshake, its length, a ClientHello.
	if hello[0] != 22 || len(hello) != 5+int(hello[3])<<8+int(hello[4]) || hello[5] != 1 {
		t.Errorf("this is no whole ClientHello: % x", hello[:6])
	}
}

func TestWhatAttackersSendIsCounted(t *testing.T) {
	t.Parallel()
	ours, theirs := net.Pipe()
	go func() { _, _ = io.CopyN(io.Discard, theirs, 3); _ = theirs.Close() }()
	var sent atomic.Int64
	_, err := io.WriteString(counted{ours, &sent}, "abcdef")
	if !errors.Is(err, io.ErrClosedPipe) || sent.Load() != 3 {
		t.Errorf("%d bytes were counted, and then %v; want 3 and a closed pipe", sent.Load(), err)
	}
}
