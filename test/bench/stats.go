package main

import (
	"math"
	"slices"
	"time"
)

// median returns the middle value, the mean of the two middle ones of an even
// number, and NaN of none. The values are left as they are.
func median(values []float64) float64 {
	n := len(values)
	if n == 0 {
		return math.NaN()
	}
	sorted := slices.Sorted(slices.Values(values))
	if n%2 == 1 {
		return sorted[n/2]
	}
	return (sorted[n/2-1] + sorted[n/2]) / 2
}

// percentile returns the smallest value that at least p per cent of the values do
// not exceed (the nearest-rank method), and 0 of none. The values must be sorted.
func percentile(sorted []time.Duration, p float64) time.Duration {
	n := len(sorted)
	if n == 0 {
		return 0
	}
	rank := int(math.Ceil(p / 100 * float64(n)))
	return sorted[min(max(rank, 1), n)-1]
}

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
	f := figure{Value: median(ours), Floor: median(floor), Ratio: math.NaN(), Low: math.NaN(), High: math.NaN()}
	if r := ratios(ours, floor); len(r) > 0 {
		f.Ratio, f.Low, f.High = median(r), slices.Min(r), slices.Max(r)
	}
	return f
}
