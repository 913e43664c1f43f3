package figures

import (
	"math"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

func TestMedian(t *testing.T) {
	for name, tt := range map[string]struct {
		values []float64
		want   float64
	}{
		"of nothing there is none":                     {nil, math.NaN()},
		"of one it is that one":                        {[]float64{7}, 7},
		"of an odd number it is the one in the middle": {[]float64{9, 1, 5}, 5},
		"of an even number it is between the two":      {[]float64{4, 1, 3, 2}, 2.5},
		"one wild round does not move it":              {[]float64{0.7, 0.71, 99, 0.69, 0.7}, 0.7},
	} {
		t.Run(name, func(t *testing.T) {
			if d := cmp.Diff(tt.want, Median(tt.values), cmpopts.EquateNaNs()); d != "" {
				t.Error(d)
			}
		})
	}
}

func TestMedianLeavesTheRoundsInTheirOrder(t *testing.T) {
	rounds := []float64{3, 1, 2}
	Median(rounds)
	if d := cmp.Diff([]float64{3, 1, 2}, rounds); d != "" {
		t.Error(d)
	}
}

func TestPercentile(t *testing.T) {
	hundred := make([]time.Duration, 100)
	for i := range hundred {
		hundred[i] = time.Duration(i + 1)
	}
	for name, tt := range map[string]struct {
		sorted []time.Duration
		p      float64
		want   time.Duration
	}{
		"of nothing it is zero":                    {nil, 99, 0},
		"of one it is that one":                    {[]time.Duration{5}, 1, 5},
		"p50 of a hundred is the fiftieth":         {hundred, 50, 50},
		"p99 of a hundred is the one but last":     {hundred, 99, 99},
		"p99 of ten is the worst, not the average": {hundred[:10], 99, 10},
		"p100 is the worst":                        {hundred, 100, 100},
		"p0 is the best":                           {hundred, 0, 1},
	} {
		t.Run(name, func(t *testing.T) {
			if got := Percentile(tt.sorted, tt.p); got != tt.want {
				t.Errorf("got %d, want %d", got, tt.want)
			}
		})
	}
}
