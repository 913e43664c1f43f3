package main

import (
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/lanyard-dev/lanyard/test/bench/figures"
)

// report sums up the rounds: for each comparison the rates and the latencies, and
// at the end the memory.
func report(compared []comparison, r results) []figures.Row {
	var rows []figures.Row
	for _, c := range compared {
		add := func(name, unit string, ours, floor []sample, of func(sample) float64) *figures.Row {
			f := compare(each(ours, of), each(floor, of))
			rows = append(rows, figures.Row{Name: name, Value: f.Value, Unit: unit, Floor: f.Floor, Ratio: f.Ratio, Low: f.Low, High: f.High})
			return &rows[len(rows)-1]
		}
		full, floor := r.full[c.ours], r.full[c.floor]
		add(c.name, "tokens/core-s", full, floor, sample.TokensPerCore).Goal = c.goal
		add(c.name+": as the clients saw it", "tokens/s", full, floor, sample.TokensPerSecond)
		if half := r.half[c.name+"/"+c.ours]; len(half) > 0 {
			floor := r.half[c.name+"/"+c.floor]
			p50 := func(s sample) float64 { return milliseconds(s.P50) }
			p99 := func(s sample) float64 { return milliseconds(s.P99) }
			rows = append(rows, least(c.name+": p50 at half of the rate", each(half, p50), each(floor, p50)))
			p := least(c.name+": p99 at half of the rate", each(half, p99), each(floor, p99))
			p.Goal, p.AtMost = latencyGoal, true
			rows = append(rows, p)
		}
	}
	issuer, floor := mebibytes(r.peak[serverIssuer]), mebibytes(r.peak[serverFloor])
	rows = append(rows, figures.Row{Name: "peak memory", Value: issuer, Unit: "MiB", Floor: floor, Ratio: issuer / floor, Low: math.NaN(), High: math.NaN()})
	if l := r.lasting; l.tokens > 0 {
		// Its floor is what the issuer had after a tenth of the tokens.
		before, after := mebibytes(l.before), mebibytes(l.after)
		rows = append(rows, figures.Row{
			Name: fmt.Sprintf("memory after %d tokens", l.tokens), Value: after, Unit: "MiB", Floor: before, Ratio: after / before,
			Goal: float64(l.before+maxGrowth) / float64(max(l.before, 1)), AtMost: true, Low: math.NaN(), High: math.NaN(),
		})
	}
	return rows
}

// least sets the least latency of all rounds beside the floor's least: whatever else
// runs on the machine only ever adds to one.
func least(name string, ours, floor []float64) figures.Row {
	r := figures.Row{Name: name, Value: slices.Min(ours), Unit: "ms", Floor: slices.Min(floor)}
	r.Ratio = r.Value / r.Floor
	r.Low, r.High = math.NaN(), math.NaN()
	return r
}

func each(samples []sample, of func(sample) float64) []float64 {
	var out []float64
	for _, s := range samples {
		out = append(out, of(s))
	}
	return out
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

func mebibytes(n int64) float64 { return float64(n) / (1 << 20) }

// What makes a measurement doubtful, as parts of a core.
const (
	loadBusy   = 0.9
	serverIdle = 0.8
)

// doubts says how many measurements are doubtful, and why.
func doubts(samples map[string][]sample) []string {
	var all, slow, disturbed int
	busiest, least := 0.0, 1.0
	for _, rounds := range samples {
		for _, s := range rounds {
			all++
			if used := s.LoadCPU.Seconds() / s.Elapsed.Seconds(); used > loadBusy {
				slow++
				busiest = max(busiest, used)
			}
			if used := s.ServerCPU.Seconds() / s.Elapsed.Seconds(); used < serverIdle {
				disturbed++
				least = min(least, used)
			}
		}
	}
	var out []string
	if slow > 0 {
		out = append(out, fmt.Sprintf("in %d of %d measurements the load used up to %.0f%% of its core, and may have been what was measured", slow, all, 100*busiest))
	}
	if disturbed > 0 {
		out = append(out, fmt.Sprintf("in %d of %d measurements the server had as little as %.0f%% of its core; something else ran on this machine, so trust the processor times more than the rates", disturbed, all, 100*least))
	}
	return out
}
