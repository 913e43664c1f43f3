package main

import (
	"context"
	"fmt"
	"io"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/lanyard-dev/lanyard/test/bench/figures"
)

// The sorts of writes.
const (
	create = "create"
	change = "change"
	remove = "delete"
)

// what is a sort of write of a kind.
type what struct{ verb, kind string }

// taken is how long each write took, by sort and round.
type taken struct{ with, without map[what][][]time.Duration }

// rounds measures everything in turn: as often as was asked for, and up to twice as often
// while a goal is missed. Of each sort the least of the rounds counts, and on a busy machine
// it takes more of them until one was disturbed in nothing.
func (s *stage) rounds(ctx context.Context, o options, out io.Writer) (taken, error) {
	t := taken{with: map[what][][]time.Duration{}, without: map[what][][]time.Duration{}}
	for round := 0; round < o.rounds || round < 2*o.rounds && figures.Missed(report(t)) != nil; round++ {
		for turn := range 2 {
			on := (round+turn)%2 == 0 // who comes first must not matter
			if err := s.round(ctx, on, o.writes, t); err != nil {
				return taken{}, err
			}
		}
		fmt.Fprintf(out, "  round %d\n", round+1)
	}
	return t, nil
}

// round measures everything once, with admission or without.
func (s *stage) round(ctx context.Context, on bool, writes int, t taken) error {
	if err := s.turn(ctx, on); err != nil {
		return fmt.Errorf("turning admission on (%v): %w", on, err)
	}
	into := t.without
	if on {
		into = t.with
	}
	for _, k := range kinds() {
		if _, err := s.write(ctx, k, 3); err != nil { // to warm up
			return err
		}
		times, err := s.write(ctx, k, writes)
		if err != nil {
			return err
		}
		for verb, each := range times {
			into[what{verb, k.name}] = append(into[what{verb, k.name}], each)
		}
	}
	return nil
}

// pace is how far apart writes begin: one after the other without a pause, they would wait
// for the controller that reconciles the ones before, with admission and without.
const pace = 10 * time.Millisecond

// write creates, changes and deletes n objects of a kind, one at a time, and returns how
// long each write took.
func (s *stage) write(ctx context.Context, k kind, n int) (map[string][]time.Duration, error) {
	times := map[string][]time.Duration{}
	steps := []struct {
		verb string
		do   func(client.Object) error
	}{
		{create, func(o client.Object) error { return s.team.Create(ctx, o) }},
		{change, func(o client.Object) error {
			return s.team.Patch(ctx, o, client.RawPatch(types.MergePatchType, []byte(k.change)))
		}},
		{remove, func(o client.Object) error { return s.team.Delete(ctx, o) }},
	}
	next := time.NewTicker(pace)
	defer next.Stop()
	for _, step := range steps {
		for i := range n {
			object := k.make(i)
			<-next.C
			begun := time.Now()
			if err := step.do(object); err != nil {
				return nil, fmt.Errorf("%s %s: %w", step.verb, k.name, err)
			}
			times[step.verb] = append(times[step.verb], time.Since(begun))
		}
	}
	return times, nil
}
