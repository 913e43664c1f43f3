package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"slices"
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
	// Goal of the ratio; zero: there is none.
	Goal float64 `json:"goal,omitempty"`

	low, high float64
	atMost    bool // the ratio must be Goal at most instead of at least
}

// reached says whether the row has no goal, or reached it.
func (r row) reached() bool {
	switch {
	case r.Goal == 0:
		return true
	case r.atMost:
		return r.Ratio <= r.Goal
	default:
		return r.Ratio >= r.Goal
	}
}

// report sums up the rounds: for each comparison the rates and the latencies, and
// at the end the memory.
func report(compared []comparison, r results) []row {
	var rows []row
	for _, c := range compared {
		add := func(name, unit string, ours, floor []sample, of func(sample) float64) *row {
			f := compare(each(ours, of), each(floor, of))
			rows = append(rows, row{Name: name, Value: f.Value, Unit: unit, Floor: f.Floor, Ratio: f.Ratio, low: f.Low, high: f.High})
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
			p.Goal, p.atMost = latencyGoal, true
			rows = append(rows, p)
		}
	}
	issuer, floor := mebibytes(r.peak[serverIssuer]), mebibytes(r.peak[serverFloor])
	rows = append(rows, row{Name: "peak memory", Value: issuer, Unit: "MiB", Floor: floor, Ratio: issuer / floor, low: math.NaN(), high: math.NaN()})
	if l := r.lasting; l.tokens > 0 {
		// Its floor is what the issuer had after a tenth of the tokens.
		before, after := mebibytes(l.before), mebibytes(l.after)
		rows = append(rows, row{
			Name: fmt.Sprintf("memory after %d tokens", l.tokens), Value: after, Unit: "MiB", Floor: before, Ratio: after / before,
			Goal: float64(l.before+maxGrowth) / float64(max(l.before, 1)), atMost: true, low: math.NaN(), high: math.NaN(),
		})
	}
	return rows
}

// least sets the least latency of all rounds beside the floor's least: whatever else
// runs on the machine only ever adds to one.
func least(name string, ours, floor []float64) row {
	r := row{Name: name, Value: slices.Min(ours), Unit: "ms", Floor: slices.Min(floor)}
	r.Ratio = r.Value / r.Floor
	r.low, r.high = math.NaN(), math.NaN()
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

// missed is an error that names the goals that were not reached.
func missed(rows []row) error {
	var out []error
	for _, r := range rows {
		if !r.reached() {
			out = append(out, fmt.Errorf("%s: %.2f of the floor; the goal is %s", r.Name, r.Ratio, r.goal()))
		}
	}
	return errors.Join(out...)
}

func (r row) goal() string {
	if r.atMost {
		return fmt.Sprintf("at most %.2f", r.Goal)
	}
	return fmt.Sprintf("at least %.2f", r.Goal)
}

func writeTable(out io.Writer, rows []row) {
	widest := 0
	for _, r := range rows {
		widest = max(widest, len(r.Name))
	}
	fmt.Fprintln(out)
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintf(w, "%*s\tvalue\tfloor\tunit\tratio\trange\tgoal\t\t\n", widest, "")
	for _, r := range rows {
		spread, goal, verdict := "", "", ""
		if !math.IsNaN(r.low) {
			spread = fmt.Sprintf("%.2f-%.2f", r.low, r.high)
		}
		if r.Goal > 0 {
			goal, verdict = r.goal(), "ok"
		}
		if !r.reached() {
			verdict = "missed"
		}
		fmt.Fprintf(w, "%-*s\t%s\t%s\t%s\t%.2f\t%s\t%s\t%s\t\n", widest, r.Name, number(r.Value), number(r.Floor), r.Unit, r.Ratio, spread, goal, verdict)
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
		r.Value, r.Floor, r.Ratio, r.Goal = round(r.Value), round(r.Floor), round(r.Ratio), round(r.Goal)
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
