package scale

import (
	"context"
	"errors"
	"math"
	"time"

	"github.com/lanyard-dev/lanyard/test/bench/figures"
)

// Name of the row that has a goal, which is the most that a decision in the full world may
// cost, as a multiple of what it costs in the world of ten.
const (
	Name = "decision at scale"
	Goal = 1.2
)

// How much Rows measures: a second or two on a quiet machine.
const (
	rounds    = 1001
	decisions = 200 // of each sort in a round
)

// Rows measures, and says what a decision costs in the full world beside what it costs in
// the world of ten.
func Rows(ctx context.Context) ([]figures.Row, error) {
	r, err := Measure(ctx, rounds, decisions)
	if err != nil {
		return nil, err
	}
	row, cold := rowOf(Name, r.Full, r.Ten), rowOf(Name+": another client each time", r.Cold, r.Ten)
	row.Goal, row.AtMost = Goal, true
	return []figures.Row{row, cold}, nil
}

func rowOf(name string, ours, floor []float64) figures.Row {
	ratios := make([]float64, len(ours))
	for i := range ratios {
		ratios[i] = ours[i] / floor[i]
	}
	return figures.Row{
		Name: name, Value: figures.Median(ours), Unit: "ns", Floor: figures.Median(floor), Ratio: figures.Median(ratios),
		Low: math.NaN(), High: math.NaN(), // a round is so short that the extremes tell of the machine alone
	}
}

// Rounds holds what a decision cost in each round, in nanoseconds.
type Rounds struct {
	// Ten is in the world of ten, and Full in the full one, for ten of its clients.
	Ten, Full []float64
	// Cold is in the full world, for another client each time: what it takes longer than
	// Full is memory that the processor has not at hand.
	Cold []float64
}

// Measure takes so many decisions of each sort, in turn, in each of so many rounds: the
// machine drifts, and a round is short enough for all sorts to have the same one.
func Measure(ctx context.Context, rounds, decisions int) (Rounds, error) {
	ten, full := NewWorld(Ten()), NewWorld(Full())
	for i := range 2 * len(full.clients) { // what is remembered at the first look, is
		if !full.decide(i/2, i) || !ten.decide(i/2, i) {
			return Rounds{}, errors.New("a client got no token that should have one")
		}
	}
	var r Rounds
	sorts := []struct {
		world   World
		stride  int // from one client to the next
		clients int
		into    *[]float64
	}{
		{ten, 1, 10, &r.Ten},
		{full, len(full.clients) / 10, 10, &r.Full},
		{full, 1, len(full.clients), &r.Cold},
	}
	for round := range rounds {
		if err := ctx.Err(); err != nil {
			return Rounds{}, err
		}
		for i := range sorts {
			s := sorts[(i+round)%len(sorts)] // who comes first must not matter
			*s.into = append(*s.into, s.world.time(s.stride, s.clients, round*decisions, decisions))
		}
	}
	return r, nil
}

// warm is how many decisions go before those that are timed: what the processor has at
// hand must not depend on what was measured before.
const warm = 60

// time is what one of n decisions took, in nanoseconds.
func (w World) time(stride, clients, first, n int) float64 {
	for i := range warm {
		w.decide((first+i)%clients*stride, (first+i)/clients)
	}
	first += warm
	begun := time.Now()
	for i := first; i < first+n; i++ {
		w.decide(i%clients*stride, i/clients)
	}
	return float64(time.Since(begun).Nanoseconds()) / float64(n)
}
