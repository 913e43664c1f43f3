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
)

// results of the rounds, by contender and by server.
type results struct {
	samples map[string][]sample
	// peak is the most memory that a server had resident, in bytes.
	peak map[string]int64
}

// bench measures, tells and writes.
func bench(ctx context.Context, o options, out io.Writer) error {
	fmt.Fprintf(out, "bench: %d rounds of %v for each of %d contenders, about %v\n",
		o.rounds, o.duration, len(o.measured()), o.length().Round(time.Second))
	r, err := measure(ctx, o, out)
	if err != nil {
		return err
	}
	rows := report(o.compared(), r)
	if err := writeJSON(o.out, rows); err != nil {
		return err
	}
	writeTable(out, rows)
	fmt.Fprintf(out, "\nvalue and floor are medians of %d rounds, ratio is the median of the rounds' ratios, and range their least and greatest. Written to %s.\n", o.rounds, o.out)
	for _, w := range doubts(r.samples) {
		fmt.Fprintln(out, "warning:", w)
	}
	return missed(o.compared(), rows)
}

// measure starts the servers, plays the rounds, and ends the servers.
func measure(ctx context.Context, o options, out io.Writer) (r results, err error) {
	serverCore, loadCore, err := cores()
	if err != nil {
		return results{}, err
	}
	f, err := newFixture(time.Now())
	if err != nil {
		return results{}, fmt.Errorf("making keys and clients: %w", err)
	}
	dir, err := os.MkdirTemp("", "lanyard-bench-")
	if err != nil {
		return results{}, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	servers := map[string]*process{}
	for _, name := range []string{serverFloor, serverIssuer} {
		s, err := startServer(ctx, name, serverCore, f, dir, o.profiles)
		if err != nil {
			return results{}, err
		}
		defer func() { err = errors.Join(err, s.stop()) }()
		servers[name] = s
	}
	r = results{samples: map[string][]sample{}, peak: map[string]int64{}}
	for round := range o.rounds {
		order := o.measured()
		if round%2 == 1 {
			slices.Reverse(order) // who comes first must not matter
		}
		for _, c := range order {
			s, err := c.measure(ctx, o, f, servers[c.server], loadCore)
			if err != nil {
				return results{}, fmt.Errorf("%s: %w", c.name, errors.Join(err, servers[c.server].lastWords()))
			}
			r.add(c.name, s)
		}
		fmt.Fprintf(out, "  round %d:%s\n", round+1, r.line(o.measured(), round))
	}
	for name, s := range servers {
		if r.peak[name], err = peakMemory(s.cmd.Process.Pid); err != nil {
			return results{}, err
		}
	}
	return r, nil
}

// measure lets the load ask the server for a while, and looks at what came back.
func (c contender) measure(ctx context.Context, o options, f fixture, s *process, core int) (sample, error) {
	j := job{
		Address: s.address, Root: f.Server.DER, ServerPID: s.cmd.Process.Pid,
		Connections: c.connections(f, c.path, o.connections),
		Warmup:      o.warmup, Duration: o.duration,
	}
	got, err := load(ctx, core, j)
	if err != nil {
		return sample{}, err
	}
	if err := c.check(f, j.Connections, got.First); err != nil {
		return sample{}, err
	}
	logged, err := s.emptyLog()
	if err != nil {
		return sample{}, err
	}
	if c.server == serverIssuer && logged < int64(got.Tokens) {
		return sample{}, fmt.Errorf("%d tokens left %d bytes in the audit log: it is not on, so this is not the issuer that users run", got.Tokens, logged)
	}
	return got, nil
}

func (r *results) add(name string, s sample) {
	r.samples[name] = append(r.samples[name], s)
}

// line tells one round.
func (r results) line(order []contender, round int) string {
	var line strings.Builder
	for _, c := range order {
		fmt.Fprintf(&line, "  %s %.0f/s", c.name, r.samples[c.name][round].TokensPerSecond())
	}
	return line.String()
}
