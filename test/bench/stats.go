package main

import (
	"math"
	"slices"

	"github.com/lanyard-dev/lanyard/test/bench/figures"
)

// ratios divides round by round. A round in which the floor did nothing has none.
func ratios(ours, floor []float64) []float64 {
	var out []float64
	for i := range min(len(ours), len(floor)) {
		if floor[i] > 0 {
			out = append(out, ours[i]/floor[i])
		}
	}
	return out
}

// figure is one thing that was measured in each round, ours beside the floor's.
type figure struct {
	// Value and Floor are the medians of the rounds.
	Value, Floor float64
	// Ratio is the median of the rounds' ratios: the machine drifts between rounds
	// and the ratio of the medians would be one of two different machines. Low and
	// High are the smallest and the largest of them.
	Ratio, Low, High float64
}

// compare sums up the rounds. The slices hold one value for each round.
func compare(ours, floor []float64) figure {
	f := figure{Value: figures.Median(ours), Floor: figures.Median(floor), Ratio: math.NaN(), Low: math.NaN(), High: math.NaN()}
	if r := ratios(ours, floor); len(r) > 0 {
		f.Ratio, f.Low, f.High = figures.Median(r), slices.Min(r), slices.Max(r)
	}
	return f
}
