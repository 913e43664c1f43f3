package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"text/tabwriter"
	"time"
)

// row is one figure, as it stands in bench.json.
type row struct {
	Name  string  `json:"name"`
	Value float64 `json:"value"`
	Unit  string  `json:"unit"`
	Floor float64 `json:"floor"`
	Ratio float64 `json:"ratio"`

	low, high, goal float64
}

// report sums up the rounds: for each comparison the rate, the latencies and the
// processor time, and at the end the memory.
func report(compared []comparison, r results) []row {
	var rows []row
	for _, c := range compared {
		add := func(what, unit string, of func(sample) float64, goal float64) {
			f := compare(each(r.samples[c.ours], of), each(r.samples[c.floor], of))
			rows = append(rows, row{Name: c.name + what, Value: f.Value, Unit: unit, Floor: f.Floor, Ratio: f.Ratio, low: f.Low, high: f.High, goal: goal})
		}
		add("", "tokens/s", sample.TokensPerSecond, c.goal)
		if c.rateOnly {
			continue
		}
		add(": p50", "ms", func(s sample) float64 { return milliseconds(s.P50) }, 0)
		add(": p99", "ms", func(s sample) float64 { return milliseconds(s.P99) }, 0)
		add(": processor time of a token", "us", func(s sample) float64 { return 1000 * milliseconds(s.ServerCPU) / float64(max(s.Tokens, 1)) }, 0)
	}
	issuer, floor := mebibytes(r.peak[serverIssuer]), mebibytes(r.peak[serverFloor])
	return append(rows, row{Name: "peak memory", Value: issuer, Unit: "MiB", Floor: floor, Ratio: issuer / floor, low: math.NaN(), high: math.NaN()})
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

// missed is an error that names the goals that were not reached.
func missed(compared []comparison, rows []row) error {
	var out []error
	for _, c := range compared {
		for _, r := range rows {
			if r.Name == c.name && r.goal > 0 && !(r.Ratio >= r.goal) {
				out = append(out, fmt.Errorf("%s reached %.2f of its floor; the goal is %.2f", r.Name, r.Ratio, r.goal))
			}
		}
	}
	return errors.Join(out...)
}

func writeTable(out io.Writer, rows []row) {
	widest := 0
	for _, r := range rows {
		widest = max(widest, len(r.Name))
	}
	fmt.Fprintln(out)
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintf(w, "%*s\tvalue\tfloor\tunit\tratio\trange\tgoal\t\n", widest, "")
	for _, r := range rows {
		spread, goal := "", ""
		if !math.IsNaN(r.low) {
			spread = fmt.Sprintf("%.2f-%.2f", r.low, r.high)
		}
		if r.goal > 0 {
			goal = fmt.Sprintf("%.2f", r.goal)
		}
		fmt.Fprintf(w, "%-*s\t%s\t%s\t%s\t%.2f\t%s\t%s\t\n", widest, r.Name, number(r.Value), number(r.Floor), r.Unit, r.Ratio, spread, goal)
	}
	_ = w.Flush() // to a terminal
}

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

// number has three digits or more, and no more decimals than that takes.
func number(v float64) string {
	switch {
	case v >= 100:
		return fmt.Sprintf("%.0f", v)
	case v >= 10:
		return fmt.Sprintf("%.1f", v)
	default:
		return fmt.Sprintf("%.2f", v)
	}
}

// writeJSON writes the rows with the digits that mean something. A ratio that there
// is none of is zero.
func writeJSON(path string, rows []row) error {
	rounded := make([]row, len(rows))
	for i, r := range rows {
		r.Value, r.Floor, r.Ratio = round(r.Value), round(r.Floor), round(r.Ratio)
		rounded[i] = r
	}
	data, err := json.MarshalIndent(rounded, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(path, append(data, '\n'), 0o644)
}

func round(v float64) float64 {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return 0
	}
	return math.Round(v*1000) / 1000
}
