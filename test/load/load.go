package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"text/tabwriter"
	"time"

	"github.com/lanyard-dev/lanyard/test/bench/stand"
)

// What must be reached.
const (
	leastKept = 0.8
	maxMemory = 256 << 20
)

// A play that the machine disturbed is played again: so often at most, and all so often.
const (
	maxAgain    = 2
	maxAllAgain = 12
	undisturbed = 0.9 // of what honest clients ask for, from the server that nobody attacks
)

// honestClients is how many honest clients both servers together have, each from an
// address of its own.
const honestClients = 18

// result of one attack on one server.
type result struct {
	attack attack
	server string
	// attacked and quiet are two servers of a kind, at the same time on the same core.
	attacked, quiet served
	harm            harm
	// lasted is how long the attack was.
	lasted time.Duration
	peak   int64 // bytes resident at most
}

// load plays the attacks, tells, and says what was missed.
func load(ctx context.Context, o options, out io.Writer) error {
	if most, ok := openFiles(); !ok {
		fmt.Fprintf(out, "note: this system allows a process %d open files, so that fewer connections attack than it says\n", most)
	}
	f, err := stand.NewFixture(time.Now())
	if err != nil {
		return fmt.Errorf("making keys and clients: %w", err)
	}
	servers := []string{taskIssuer}
	if o.bare {
		servers = append(servers, taskBare)
	}
	var results []result
	all := plays{o, f, maxAllAgain, out}
	for _, a := range attacks() {
		if o.only != "" && a.name != o.only {
			continue
		}
		fmt.Fprintf(out, "%s: %s\n", a.name, a.what)
		for _, server := range servers {
			r, err := all.play(ctx, a, server)
			if err != nil {
				return fmt.Errorf("%s: the %s: %w", a.name, server, err)
			}
			results = append(results, r)
		}
	}
	table(out, results)
	return missed(results)
}

// plays are all that a run plays.
type plays struct {
	options
	fixture  stand.Fixture
	allAgain int // how often one may still be played again
	out      io.Writer
}

// play is play, again while something else kept the machine busy: then even the server
// that nobody attacks does not give what it is asked for. What became of the other
// does not matter.
func (p *plays) play(ctx context.Context, a attack, kind string) (result, error) {
	for again := 0; ; again++ {
		r, err := play(ctx, p.options, p.fixture, a, kind)
		if err != nil || !r.disturbed() || again == maxAgain || p.allAgain == 0 {
			return r, err
		}
		p.allAgain--
		fmt.Fprintf(p.out, "  again: the machine is busy; without an attack it gave %.0f tokens a second of %.0f\n", r.quiet.Kept+r.quiet.New, demand())
	}
}

// demand is how many tokens a second the honest clients of one server ask for.
func demand() float64 {
	clients := honestClients / 2
	anew := clients / newEvery
	return float64(clients-anew)/keptEvery.Seconds() + float64(anew)/anewEvery.Seconds()
}

// disturbed says that something beside the attack kept the machine busy.
func (r result) disturbed() bool { return r.quiet.Kept+r.quiet.New < undisturbed*demand() }

// play is one attack on one of two servers of a kind.
func play(ctx context.Context, o options, f stand.Fixture, a attack, kind string) (r result, err error) {
	serverCore, loadCore, err := stand.Cores()
	if err != nil {
		return result{}, err
	}
	dir, err := os.MkdirTemp("", "lanyard-load-")
	if err != nil {
		return result{}, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	path := "/oauth2/token"
	if kind == taskBare {
		path = stand.PathSign
	}
	job := honestJob{Clients: f.Some(honestClients, stand.MTLS)}
	var servers [2]*stand.Process
	for i, profiles := range []string{o.profiles, ""} {
		s, err := stand.Start(ctx, kind, serverCore, f, dir, profiles)
		if err != nil {
			return result{}, err
		}
		defer func() {
			if e := s.Stop(); e != nil && kind == taskIssuer {
				err = errors.Join(err, e)
			}
		}()
		servers[i] = s
		job.Servers[i] = server{target{Address: s.Address, Path: path, Root: f.Server.DER}, s.PID()}
	}
	job.Times.Attack = time.Now().Add(500 * time.Millisecond) // processes start
	job.Times.Settled = job.Times.Attack.Add(o.settle)
	job.Times.End = job.Times.Settled.Add(o.during)
	r = result{attack: a, server: kind, lasted: o.settle + o.during}
	var got [2]served
	honest := make(chan error, 1)
	go func() { honest <- stand.Ask(ctx, taskHonest, loadCore, job, &got) }()
	select {
	case err := <-honest:
		return result{}, errors.Join(err, servers[0].LastWords())
	case <-time.After(time.Until(job.Times.Attack)):
	}
	attackErr := stand.AskPolitely(ctx, taskAttack, loadCore, attackJob{a.name, job.Servers[0].Target, job.Times.End, o.addresses}, &r.harm)
	if err := errors.Join(<-honest, attackErr); err != nil {
		return result{}, errors.Join(err, servers[0].LastWords())
	}
	r.attacked, r.quiet = got[0], got[1]
	r.peak, err = stand.PeakMemory(servers[0].PID()) // fails if the server has ended
	return r, err
}

// kept is the part of their throughput that honest clients kept.
func (r result) kept() (keptConnections, newConnections float64) {
	return r.attacked.Kept / r.quiet.Kept, r.attacked.New / r.quiet.New
}

// coreLeft is the part of the server's core that the attack leaves to honest clients:
// all but what the server used beyond what their tokens cost its twin. If they asked
// for all that a core gives, they would keep this part of it.
func (r result) coreLeft() float64 {
	tokens := (r.attacked.Kept + r.attacked.New) / (r.quiet.Kept + r.quiet.New)
	return 1 - (r.attacked.CPU - tokens*r.quiet.CPU)
}

func (r result) missed() error {
	if r.server != taskIssuer {
		return nil
	}
	var errs []error
	kept, fresh := r.kept()
	if !(kept >= leastKept) || !(fresh >= leastKept) {
		errs = append(errs, fmt.Errorf("%s: honest clients kept %.2f of their tokens over kept connections and %.2f over new ones; the goal is %.2f", r.attack.name, kept, fresh, leastKept))
	}
	if left := r.coreLeft(); !(left >= leastKept) {
		errs = append(errs, fmt.Errorf("%s: the attack left %.2f of the issuer's core to honest clients; the goal is %.2f", r.attack.name, left, leastKept))
	}
	if r.peak >= maxMemory {
		errs = append(errs, fmt.Errorf("%s: the issuer had %d MiB resident; the goal is less than %d", r.attack.name, r.peak>>20, maxMemory>>20))
	}
	if len(errs) > 0 && r.disturbed() {
		errs = append(errs, fmt.Errorf("%s: the machine was busy, so that this says little: without an attack, too, honest clients got %.0f tokens a second of %.0f", r.attack.name, r.quiet.Kept+r.quiet.New, demand()))
	}
	return errors.Join(errs...)
}

func missed(results []result) error {
	var errs []error
	for _, r := range results {
		errs = append(errs, r.missed())
	}
	return errors.Join(errs...)
}

func table(out io.Writer, results []result) {
	fmt.Fprintln(out)
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "attack\tserver\tkept/s\tof\tratio\tnew/s\tof\tratio\tfailed\tcore left\tMiB\tattackers: connections/s\tMB/s\t\t")
	for _, r := range results {
		verdict := ""
		if r.server == taskIssuer {
			verdict = "ok"
		}
		if r.missed() != nil {
			verdict = "missed"
		}
		kept, fresh := r.kept()
		seconds := r.lasted.Seconds()
		fmt.Fprintf(w, "%s\t%s\t%.0f\t%.0f\t%.2f\t%.0f\t%.0f\t%.2f\t%d\t%.2f\t%d\t%.0f\t%.1f\t%s\t\n", r.attack.name, r.server,
			r.attacked.Kept, r.quiet.Kept, kept, r.attacked.New, r.quiet.New, fresh, r.attacked.Failed, r.coreLeft(), r.peak>>20,
			float64(r.harm.Connections)/seconds, float64(r.harm.Bytes)/seconds/1e6, verdict)
	}
	_ = w.Flush() // to a terminal
	fmt.Fprintf(out, `
kept/s and new/s are tokens over kept and over new connections; "of" is what honest clients of
a second server that nobody attacks got of the same demand, at the same time on the same cores.
"core left" is what the attack leaves of the server's core. Asserted for the issuer: both ratios
and core left at least %.1f, less than %d MiB resident, no end before its time.
`, leastKept, maxMemory>>20)
}
