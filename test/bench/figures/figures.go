// Package figures is what the benches tell: rows of figures as a table for people, and as
// bench.json for programs. More than one bench writes to the same file.
package figures

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"slices"
	"text/tabwriter"
)

// Row is one figure, as it stands in bench.json: what was measured beside its floor, which
// is what there would be without us.
type Row struct {
	Name  string  `json:"name"`
	Value float64 `json:"value"`
	Unit  string  `json:"unit"`
	Floor float64 `json:"floor"`
	Ratio float64 `json:"ratio"`
	// Goal of the ratio; zero: there is none.
	Goal float64 `json:"goal,omitempty"`
	// Within is another goal: by how much, in the row's unit, the value may be more than
	// the floor. Zero: there is none.
	Within float64 `json:"within,omitempty"`

	// Low and High are the least and the greatest ratio of the rounds; NaN: they were not
	// looked at.
	Low, High float64 `json:"-"`
	// AtMost says that the ratio must be Goal at most instead of at least.
	AtMost bool `json:"-"`
}

// Reached says whether the row has no goal, or reached it.
func (r Row) Reached() bool {
	switch {
	case r.Within != 0:
		return r.Value-r.Floor <= r.Within
	case r.Goal == 0:
		return true
	case r.AtMost:
		return r.Ratio <= r.Goal
	default:
		return r.Ratio >= r.Goal
	}
}

// Missed is an error that names the goals that were not reached.
func Missed(rows []Row) error {
	var out []error
	for _, r := range rows {
		switch {
		case r.Reached():
		case r.Within != 0:
			out = append(out, fmt.Errorf("%s: %.2f %s more than the floor; the goal is %s", r.Name, r.Value-r.Floor, r.Unit, r.goal()))
		default:
			out = append(out, fmt.Errorf("%s: %.2f of the floor; the goal is %s", r.Name, r.Ratio, r.goal()))
		}
	}
	return errors.Join(out...)
}

func (r Row) goal() string {
	switch {
	case r.Within != 0:
		return fmt.Sprintf("at most %s more", number(r.Within))
	case r.Goal == 0:
		return ""
	case r.AtMost:
		return fmt.Sprintf("at most %.2f", r.Goal)
	default:
		return fmt.Sprintf("at least %.2f", r.Goal)
	}
}

// WriteTable writes the rows for people.
func WriteTable(out io.Writer, rows []Row) {
	widest := 0
	for _, r := range rows {
		widest = max(widest, len(r.Name))
	}
	fmt.Fprintln(out)
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintf(w, "%*s\tvalue\tfloor\tunit\tratio\trange\tgoal\t\t\n", widest, "")
	for _, r := range rows {
		spread, goal, verdict := "", r.goal(), ""
		if !math.IsNaN(r.Low) {
			spread = fmt.Sprintf("%.2f-%.2f", r.Low, r.High)
		}
		if r.Within != 0 {
			spread = fmt.Sprintf("%+.2f", r.Value-r.Floor)
		}
		if goal != "" {
			verdict = "ok"
		}
		if !r.Reached() {
			verdict = "missed"
		}
		fmt.Fprintf(w, "%-*s\t%s\t%s\t%s\t%.2f\t%s\t%s\t%s\t\n", widest, r.Name, number(r.Value), number(r.Floor), r.Unit, r.Ratio, spread, goal, verdict)
	}
	_ = w.Flush() // to a terminal
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

// WriteJSON writes the rows with the digits that mean something. A ratio that there
// is none of is zero.
func WriteJSON(path string, rows []Row) error {
	rounded := make([]Row, len(rows))
	for i, r := range rows {
		r.Value, r.Floor, r.Ratio, r.Goal, r.Within = round(r.Value), round(r.Floor), round(r.Ratio), round(r.Goal), round(r.Within)
		rounded[i] = r
	}
	data, err := json.MarshalIndent(rounded, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(path, append(data, '\n'), 0o644)
}

// Merge writes the rows to a file that other benches have written to: a row takes the place
// of the one of its name.
func Merge(path string, rows []Row) error {
	data, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	var all []Row
	if err == nil {
		if err := json.Unmarshal(data, &all); err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
	}
	all = slices.DeleteFunc(all, func(old Row) bool {
		return slices.ContainsFunc(rows, func(r Row) bool { return r.Name == old.Name })
	})
	return WriteJSON(path, append(all, rows...))
}

func round(v float64) float64 {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return 0
	}
	return math.Round(v*1000) / 1000
}
