package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// rounds are samples of one second each.
func rounds(tokens ...int) []sample {
	var out []sample
	for _, n := range tokens {
		out = append(out, sample{Tokens: n, Elapsed: time.Second, P50: time.Millisecond, P99: 4 * time.Millisecond, ServerCPU: time.Second})
	}
	return out
}

func TestReport(t *testing.T) {
	r := results{
		samples: map[string][]sample{"a": rounds(600, 300, 900), "b": rounds(1000, 500, 1500)},
		peak:    map[string]int64{serverIssuer: 30 << 20, serverFloor: 20 << 20},
	}
	rows := report([]comparison{
		{name: "a", ours: "a", floor: "b", goal: 0.5},
		{name: "a beside itself", ours: "a", floor: "a", rateOnly: true},
	}, r)
	path := filepath.Join(t.TempDir(), "bench.json")
	if err := writeJSON(path, rows); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var got []map[string]any
	if err := json.Unmarshal(data, &got); err != nil {
		t.Fatal(err)
	}
	want := []map[string]any{
		{"name": "a", "value": 600.0, "unit": "tokens/s", "floor": 1000.0, "ratio": 0.6},
		{"name": "a: p50", "value": 1.0, "unit": "ms", "floor": 1.0, "ratio": 1.0},
		{"name": "a: p99", "value": 4.0, "unit": "ms", "floor": 4.0, "ratio": 1.0},
		{"name": "a: processor time of a token", "value": 1666.667, "unit": "us", "floor": 1000.0, "ratio": 1.667},
		{"name": "a beside itself", "value": 600.0, "unit": "tokens/s", "floor": 600.0, "ratio": 1.0},
		{"name": "peak memory", "value": 30.0, "unit": "MiB", "floor": 20.0, "ratio": 1.5},
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	var table strings.Builder
	writeTable(&table, rows)
	for _, part := range []string{"value", "floor", "tokens/s", "0.60-0.60", "a beside itself", "peak memory"} {
		if !strings.Contains(table.String(), part) {
			t.Errorf("the table does not say %q:\n%s", part, table.String())
		}
	}
}

func TestGoals(t *testing.T) {
	for name, tt := range map[string]struct {
		ours, floor []sample
		says        string
	}{
		"a goal that is reached says nothing":        {rounds(60), rounds(100), ""},
		"a goal that is missed is named":             {rounds(59), rounds(100), "a reached 0.59 of its floor; the goal is 0.60"},
		"a floor that did nothing proves no success": {rounds(59), rounds(0), "a reached NaN of its floor"},
	} {
		t.Run(name, func(t *testing.T) {
			compared := []comparison{{name: "a", ours: "a", floor: "b", goal: 0.6}}
			err := missed(compared, report(compared, results{samples: map[string][]sample{"a": tt.ours, "b": tt.floor}}))
			if tt.says == "" && err != nil || tt.says != "" && (err == nil || !strings.Contains(err.Error(), tt.says)) {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestOptions(t *testing.T) {
	for name, tt := range map[string]struct {
		args     string
		measured []string
		says     string
	}{
		"everything by default":             {"", []string{"verify and sign", "federated", "federated, bearer", "sign", "mtls"}, ""},
		"one row brings its floor":          {"-only mtls", []string{"sign", "mtls"}, ""},
		"a row that there is not":           {"-only=fast", nil, "there are"},
		"longer than anybody waits":         {"-duration 1m", nil, "at most 2m30s"},
		"too short to mean anything":        {"-duration 1ms", nil, "at least 100ms"},
		"no rounds":                         {"-rounds 0", nil, "at least 1"},
		"more connections than are bounded": {"-connections 100000", nil, "at most 1000"},
		"a word that means nothing":         {"please", nil, "unknown argument"},
	} {
		t.Run(name, func(t *testing.T) {
			o, err := parseOptions(strings.Fields(tt.args))
			if tt.says != "" {
				if err == nil || !strings.Contains(err.Error(), tt.says) {
					t.Errorf("got %v", err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			var measured []string
			for _, c := range o.measured() {
				measured = append(measured, c.name)
			}
			if d := cmp.Diff(tt.measured, measured); d != "" {
				t.Error(d)
			}
		})
	}
}

// A row that names no contender would be measured as nothing.
func TestEveryComparisonIsOfContenders(t *testing.T) {
	for _, c := range comparisons() {
		for _, name := range []string{c.ours, c.floor} {
			if !slices.ContainsFunc(contenders(), func(other contender) bool { return other.name == name }) {
				t.Errorf("%s: there is no contender %q", c.name, name)
			}
		}
	}
}

func TestDoubts(t *testing.T) {
	at := func(server, load time.Duration) sample {
		return sample{Elapsed: time.Second, ServerCPU: server, LoadCPU: load}
	}
	for name, tt := range map[string]struct {
		samples []sample
		says    []string
	}{
		"a quiet machine raises none":               {[]sample{at(time.Second, time.Second/2)}, nil},
		"a load that may have been too slow":        {[]sample{at(time.Second, time.Second)}, []string{"in 1 of 1 measurements the load used up to 100%"}},
		"a server that did not get its core":        {[]sample{at(time.Second/2, 0), at(time.Second/4, 0), at(time.Second, 0)}, []string{"in 2 of 3 measurements the server had as little as 25%"}},
		"a load that kept the server from its core": {[]sample{at(time.Second/2, time.Second)}, []string{"the load used", "the server had"}},
	} {
		t.Run(name, func(t *testing.T) {
			got := doubts(map[string][]sample{"a": tt.samples})
			if len(got) != len(tt.says) {
				t.Fatalf("got %q", got)
			}
			for i, part := range tt.says {
				if !strings.Contains(got[i], part) {
					t.Errorf("%q does not say %q", got[i], part)
				}
			}
		})
	}
}
