package main

import (
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/lanyard-dev/lanyard/test/bench/figures"
)

// goal is how many milliseconds admission may add to the 99th percentile of a write of our
// kinds. Of others it is not asked at all, so that there is nothing to bound.
const goal = 5

// report sums up the rounds.
func report(t taken) []figures.Row {
	var rows []figures.Row
	for _, k := range kinds() {
		for _, verb := range []string{create, change, remove} {
			name := what{verb, k.name}
			for _, p := range []struct {
				name string
				of   float64
			}{{"p50", 50}, {"p99", 99}} {
				row := compare(each(t.with[name], p.of), each(t.without[name], p.of))
				row.Name = "admission: " + verb + " " + k.name + ", " + p.name
				if k.ours && p.of == 99 {
					row.Within = goal
				}
				rows = append(rows, row)
			}
		}
	}
	return rows
}

// each is the percentile of each round, in milliseconds.
func each(rounds [][]time.Duration, percent float64) []float64 {
	var out []float64
	for _, times := range rounds {
		p := figures.Percentile(slices.Sorted(slices.Values(times)), percent)
		out = append(out, float64(p)/float64(time.Millisecond))
	}
	return out
}

// compare sets the least of the rounds with admission beside the least of those without:
// whatever else runs on the machine only ever adds to one.
func compare(with, without []float64) figures.Row {
	r := figures.Row{Unit: "ms", Value: slices.Min(with), Floor: slices.Min(without), Low: math.NaN(), High: math.NaN()}
	r.Ratio = r.Value / r.Floor
	return r
}

// quiet is by how many milliseconds the 99th percentile of a write that asks no webhook may
// differ on a machine that has nothing else to do.
const quiet = 1

// doubt says why the figures are doubtful, or nothing.
func doubt(t taken) string {
	most := 0.0
	for _, k := range kinds() {
		for _, verb := range k.unasked {
			name := what{verb, k.name}
			r := compare(each(t.with[name], 99), each(t.without[name], 99))
			most = max(most, math.Abs(r.Value-r.Floor))
		}
	}
	if most <= quiet {
		return ""
	}
	return fmt.Sprintf("the p99 of writes that ask no webhook differs by up to %.1f ms: something else ran on this machine, so repeat it when it is quiet", most)
}
