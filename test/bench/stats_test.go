package main

import (
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

func TestCompare(t *testing.T) {
	for name, tt := range map[string]struct {
		ours, floor []float64
		want        figure
	}{
		"a machine that drifts does not change the ratio": {
			ours: []float64{60, 30, 90}, floor: []float64{100, 50, 150},
			want: figure{Value: 60, Floor: 100, Ratio: 0.6, Low: 0.6, High: 0.6},
		},
		"the median of the ratios is not the ratio of the medians": {
			ours: []float64{10, 20, 30}, floor: []float64{10, 40, 30},
			want: figure{Value: 20, Floor: 30, Ratio: 1, Low: 0.5, High: 1},
		},
		"a round in which the floor stood still is left out": {
			ours: []float64{5, 5}, floor: []float64{0, 10},
			want: figure{Value: 5, Floor: 5, Ratio: 0.5, Low: 0.5, High: 0.5},
		},
		"without a floor there is no ratio": {
			ours: []float64{5},
			want: figure{Value: 5, Floor: math.NaN(), Ratio: math.NaN(), Low: math.NaN(), High: math.NaN()},
		},
	} {
		t.Run(name, func(t *testing.T) {
			got := compare(tt.ours, tt.floor)
			if d := cmp.Diff(tt.want, got, cmpopts.EquateNaNs(), cmpopts.EquateApprox(0, 1e-9)); d != "" {
				t.Error(d)
			}
		})
	}
}
