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

// honestClients is how many honest clients there are, each from an address of its own.
const honestClients = 9

// result of one attack on one server.
type result struct {
	attack attack
	server string
	tokens tokens
	harm   harm
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
	for _, a := range attacks() {
		if o.only != "" && a.name != o.only {
			continue
		}
		fmt.Fprintf(out, "%s: %s\n", a.name, a.what)
		for _, server := range servers {
			r, err := play(ctx, o, f, a, server)
			if err != nil {
				return fmt.Errorf("%s: the %s: %w", a.name, server, err)
			}
			results = append(results, r)
		}
	}
	table(out, results)
	return missed(results)
}

// play is one attack on one server.
func play(ctx context.Context, o options, f stand.Fixture, a attack, server string) (r result, err error) {
	serverCore, loadCore, err := stand.Cores()
	if err != nil {
		return result{}, err
	}
	dir, err := os.MkdirTemp("", "lanyard-load-")
	if err != nil {
		return result{}, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	s, err := stand.Start(ctx, server, serverCore, f, dir, o.profiles)
	if err != nil {
		return result{}, err
	}
	defer func() {
		if e := s.Stop(); e != nil && server == taskIssuer {
			err = errors.Join(err, e)
		}
	}()
	at := target{Address: s.Address, Path: "/oauth2/token", Root: f.Server.DER}
	if server == taskBare {
		at.Path = stand.PathSign
	}
	var t times
	t.Begin = time.Now().Add(500 * time.Millisecond) // processes start
	t.Attack = t.Begin.Add(o.before)
	t.Settled = t.Attack.Add(o.settle)
	t.End = t.Settled.Add(o.during)
	r = result{attack: a, server: server}
	honest := make(chan error, 1)
	go func() {
		honest <- stand.Ask(ctx, taskHonest, loadCore, honestJob{at, t, f.Some(honestClients, stand.MTLS), s.PID()}, &r.tokens)
	}()
	select {
	case err := <-honest:
		return result{}, errors.Join(err, s.LastWords())
	case <-time.After(time.Until(t.Attack)):
	}
	attackErr := stand.AskPolitely(ctx, taskAttack, loadCore, attackJob{a.name, at, t.End}, &r.harm)
	if err := errors.Join(<-honest, attackErr); err != nil {
		return result{}, errors.Join(err, s.LastWords())
	}
	r.peak, err = stand.PeakMemory(s.PID()) // fails if the server has ended
	return r, err
}

// kept is the part of their throughput that honest clients kept.
func (r result) kept() (keptConnections, newConnections float64) {
	return r.tokens.KeptDuring / r.tokens.KeptBefore, r.tokens.NewDuring / r.tokens.NewBefore
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
	if r.peak >= maxMemory {
		errs = append(errs, fmt.Errorf("%s: the issuer had %d MiB resident; the goal is less than %d", r.attack.name, r.peak>>20, maxMemory>>20))
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
	fmt.Fprintln(w, "attack\tserver\tkept/s\tduring\tratio\tnew/s\tduring\tratio\tfailed\tof its core\tattackers' connections\tMiB\t\t")
	for _, r := range results {
		verdict := ""
		if r.server == taskIssuer {
			verdict = "ok"
		}
		if r.missed() != nil {
			verdict = "missed"
		}
		kept, fresh := r.kept()
		t := r.tokens
		fmt.Fprintf(w, "%s\t%s\t%.0f\t%.0f\t%.2f\t%.0f\t%.0f\t%.2f\t%d\t%.2f\t%d\t%d\t%s\t\n", r.attack.name, r.server,
			t.KeptBefore, t.KeptDuring, kept, t.NewBefore, t.NewDuring, fresh, t.Failed, t.ShareDuring/t.ShareBefore, r.harm.Connections, r.peak>>20, verdict)
	}
	_ = w.Flush() // to a terminal
}
