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

	"github.com/lanyard-dev/lanyard/test/bench/figures"
)

// rounds are samples of one second each.
func rounds(tokens ...int) []sample {
	var out []sample
	for _, n := range tokens {
		out = append(out, sample{Tokens: n, Elapsed: time.Second, P50: time.Millisecond, P99: 4 * time.Millisecond, ServerCPU: time.Second / 2})
	}
	return out
}

func TestReport(t *testing.T) {
	r := results{
		full:    map[string][]sample{"a": rounds(600, 300, 900), "b": rounds(1000, 500, 1500)},
		half:    map[string][]sample{"a/a": rounds(300, 150), "a/b": rounds(500, 400)},
		peak:    map[string]int64{serverIssuer: 30 << 20, serverFloor: 20 << 20},
		lasting: lasting{tokens: 1000, before: 16 << 20, after: 20 << 20},
	}
	rows := report([]comparison{{"a", "a", "b", 0.5}, {"a beside itself", "a", "a", 0}}, r)
	path := filepath.Join(t.TempDir(), "bench.json")
	if err := figures.WriteJSON(path, rows); err != nil {
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
		{"name": "a", "value": 1200.0, "unit": "tokens/core-s", "floor": 2000.0, "ratio": 0.6, "goal": 0.5},
		{"name": "a: as the clients saw it", "value": 600.0, "unit": "tokens/s", "floor": 1000.0, "ratio": 0.6},
		{"name": "a: p50 at half of the rate", "value": 1.0, "unit": "ms", "floor": 1.0, "ratio": 1.0},
		{"name": "a: p99 at half of the rate", "value": 4.0, "unit": "ms", "floor": 4.0, "ratio": 1.0, "goal": 2.0},
		{"name": "a beside itself", "value": 1200.0, "unit": "tokens/core-s", "floor": 1200.0, "ratio": 1.0},
		{"name": "a beside itself: as the clients saw it", "value": 600.0, "unit": "tokens/s", "floor": 600.0, "ratio": 1.0},
		{"name": "peak memory", "value": 30.0, "unit": "MiB", "floor": 20.0, "ratio": 1.5},
		{"name": "memory after 1000 tokens", "value": 20.0, "unit": "MiB", "floor": 16.0, "ratio": 1.25, "goal": 1.5},
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	var table strings.Builder
	figures.WriteTable(&table, rows)
	for _, part := range []string{"value", "floor", "tokens/s", "0.60-0.60", "a beside itself", "peak memory", "at most 2.00", "ok"} {
		if !strings.Contains(table.String(), part) {
			t.Errorf("the table does not say %q:\n%s", part, table.String())
		}
	}
}

func TestGoals(t *testing.T) {
	late := []sample{{Tokens: 1, Elapsed: time.Second, P99: 9 * time.Millisecond}}
	for name, tt := range map[string]struct {
		ours, floor, half []sample
		says              string
	}{
		"a goal that is reached says nothing":        {rounds(60), rounds(100), rounds(30), ""},
		"a goal that is missed is named":             {rounds(59), rounds(100), rounds(30), "a: 0.59 of the floor; the goal is at least 0.60"},
		"answers that come late are named":           {rounds(60), rounds(100), late, "a: p99 at half of the rate: 2.25 of the floor; the goal is at most 2.00"},
		"a floor that did nothing proves no success": {rounds(59), rounds(0), rounds(30), "a: NaN of the floor"},
	} {
		t.Run(name, func(t *testing.T) {
			err := figures.Missed(report([]comparison{{"a", "a", "b", 0.6}}, results{
				full: map[string][]sample{"a": tt.ours, "b": tt.floor},
				half: map[string][]sample{"a/a": tt.half, "a/b": rounds(50)},
			}))
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
		"one row brings its floor":           {"-only mtls", []string{"sign", "mtls"}, ""},
		"a row that there is not":            {"-only=fast", nil, "there are"},
		"longer than anybody waits":          {"-duration 1m", nil, "at most 2m30s"},
		"more tokens than anybody waits for": {"-tokens 100000000", nil, "at most 2000000"},
		"too short to mean anything":         {"-duration 1ms", nil, "at least 100ms"},
		"no rounds":                          {"-rounds 0", nil, "at least 1"},
		"more connections than are bounded":  {"-connections 100000", nil, "at most 1000"},
		"a word that means nothing":          {"please", nil, "unknown argument"},
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
