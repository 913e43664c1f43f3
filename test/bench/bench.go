package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/lanyard-dev/lanyard/test/bench/figures"
	"github.com/lanyard-dev/lanyard/test/bench/scale"
	"github.com/lanyard-dev/lanyard/test/bench/stand"
)

// results of the rounds, by contender and by server.
type results struct {
	// full are the samples at the greatest rate, half those at half of it.
	full, half map[string][]sample
	// peak is the most memory that a server had resident, in bytes.
	peak map[string]int64
	// lasting is what many tokens did to the issuer's memory.
	lasting lasting
}

// run is what is measured with.
type run struct {
	options
	fixture  stand.Fixture
	servers  map[string]*stand.Process
	loadCore int
	out      io.Writer
}

// bench measures, tells and writes.
func bench(ctx context.Context, o options, out io.Writer) error {
	rows, warnings, err := measured(ctx, o, out)
	if err != nil {
		return err
	}
	if err := figures.WriteJSON(o.out, rows); err != nil {
		return err
	}
	figures.WriteTable(out, rows)
	fmt.Fprintf(out, "\nvalue and floor are medians of the rounds, ratio is the median of the rounds' ratios, and range their least and greatest. Written to %s.\n", o.out)
	for _, w := range warnings {
		fmt.Fprintln(out, "warning:", w)
	}
	return figures.Missed(rows)
}

// measured are the rows that are asked for, and what makes them doubtful.
func measured(ctx context.Context, o options, out io.Writer) (rows []figures.Row, warnings []string, err error) {
	if len(o.compared()) > 0 {
		fmt.Fprintf(out, "bench: %d rounds of %v for each of %d contenders, then %d of %v at half of the rate, then %d tokens\n",
			o.rounds, o.duration, len(o.measured()), o.halfRounds, o.halfDuration, o.tokens)
		r, err := measure(ctx, o, out)
		if err != nil {
			return nil, nil, err
		}
		rows, warnings = report(o.compared(), r), doubts(r.full)
	}
	if o.only == "" || o.only == scale.Name {
		fmt.Fprintf(out, "  %s: in this process\n", scale.Name)
		atScale, err := scale.Rows(ctx)
		if err != nil {
			return nil, nil, fmt.Errorf("%s: %w", scale.Name, err)
		}
		rows = append(rows, atScale...)
	}
	return rows, warnings, nil
}

// measure starts the servers, plays the rounds, and ends the servers.
func measure(ctx context.Context, o options, out io.Writer) (r results, err error) {
	serverCore, loadCore, err := stand.Cores()
	if err != nil {
		return results{}, err
	}
	f, err := stand.NewFixture(time.Now())
	if err != nil {
		return results{}, fmt.Errorf("making keys and clients: %w", err)
	}
	dir, err := os.MkdirTemp("", "lanyard-bench-")
	if err != nil {
		return results{}, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	run := run{options: o, fixture: f, servers: map[string]*stand.Process{}, loadCore: loadCore, out: out}
	for _, name := range []string{serverFloor, serverIssuer} {
		s, err := stand.Start(ctx, name, serverCore, f, dir, o.profiles)
		if err != nil {
			return results{}, err
		}
		defer func() { err = errors.Join(err, s.Stop()) }()
		run.servers[name] = s
	}
	r = results{full: map[string][]sample{}, half: map[string][]sample{}, peak: map[string]int64{}}
	if err := run.rounds(ctx, r); err != nil {
		return results{}, err
	}
	for name, s := range run.servers {
		if r.peak[name], err = stand.PeakMemory(s.PID()); err != nil {
			return results{}, err
		}
	}
	r.lasting, err = run.last(ctx)
	return r, err
}

// rounds measures the greatest rates, and then at half of them.
func (r run) rounds(ctx context.Context, into results) error {
	for round := range r.options.rounds {
		if err := r.round(ctx, round, r.measured(), 0, into.full); err != nil {
			return err
		}
		fmt.Fprintf(r.out, "  round %d:%s\n", round+1, line(into.full, r.measured(), round))
	}
	for round := range r.halfRounds {
		for _, c := range r.compared() {
			if c.goal == 0 {
				continue
			}
			for _, one := range []string{c.ours, c.floor} {
				rate := figures.Median(each(into.full[one], sample.TokensPerSecond)) / 2
				// A floor is measured once for each row, so that both ran side by side.
				got, err := r.measure(ctx, r.contender(one), rate)
				if err != nil {
					return err
				}
				into.half[c.name+"/"+one] = append(into.half[c.name+"/"+one], got)
			}
		}
		fmt.Fprintf(r.out, "  round %d at half of the rate\n", round+1)
	}
	return nil
}

func (r run) round(ctx context.Context, round int, order []contender, rate float64, into map[string][]sample) error {
	order = slices.Clone(order)
	if round%2 == 1 {
		slices.Reverse(order) // who comes first must not matter
	}
	for _, c := range order {
		s, err := r.measure(ctx, c, rate)
		if err != nil {
			return err
		}
		into[c.name] = append(into[c.name], s)
	}
	return nil
}

func (o options) contender(name string) contender {
	all := contenders()
	return all[slices.IndexFunc(all, func(c contender) bool { return c.name == name })]
}

// freshRate is how many requests a second nobody can answer faster than: so many are
// made where each may be sent only once.
const freshRate = 4500

// measure lets the load ask the server for a while, and looks at what came back.
func (r run) measure(ctx context.Context, c contender, rate float64) (sample, error) {
	duration, most := r.duration, float64(freshRate)
	if rate > 0 {
		duration, most = r.halfDuration, 1.1*rate
	}
	peers, err := c.way(r.fixture, c.path, crowd{r.connections, int(most * (duration + r.warmup).Seconds())})
	if err != nil {
		return sample{}, fmt.Errorf("%s: %w", c.name, err)
	}
	got, err := r.ask(ctx, c, job{Connections: peers, Rate: rate, Warmup: r.warmup, Duration: duration})
	if err != nil {
		return sample{}, fmt.Errorf("%s: %w", c.name, errors.Join(err, r.servers[c.server].LastWords()))
	}
	return got, nil
}

func (r run) ask(ctx context.Context, c contender, j job) (sample, error) {
	s := r.servers[c.server]
	j.Address, j.Root, j.ServerPID = s.Address, r.fixture.Server.DER, s.PID()
	var got sample
	if err := stand.Ask(ctx, "load", r.loadCore, j, &got); err != nil {
		return sample{}, err
	}
	if err := c.check(r.fixture, j.Connections, got.First); err != nil {
		return sample{}, err
	}
	logged, err := s.EmptyLog()
	if err != nil {
		return sample{}, err
	}
	if c.server == serverIssuer && logged < int64(got.Tokens) {
		return sample{}, fmt.Errorf("%d tokens left %d bytes in the audit log: it is not on, so this is not the issuer that users run", got.Tokens, logged)
	}
	return got, nil
}

// line tells one round.
func line(samples map[string][]sample, order []contender, round int) string {
	var line strings.Builder
	for _, c := range order {
		fmt.Fprintf(&line, "  %s %.0f/s", c.name, samples[c.name][round].TokensPerSecond())
	}
	return line.String()
}
