package main

import (
	"strings"
	"testing"
	"time"

	"github.com/lanyard-dev/lanyard/test/bench/figures"
)

// lasting is a measurement in which every write of a sort took as long, in each round.
func lasting(ours, others time.Duration) map[what][][]time.Duration {
	out := map[what][][]time.Duration{}
	for _, k := range kinds() {
		took := others
		if k.ours {
			took = ours
		}
		for _, verb := range []string{create, change, remove} {
			out[what{verb, k.name}] = [][]time.Duration{{took, took}, {took, took}, {time.Second, time.Second}} // one round was disturbed
		}
	}
	return out
}

func TestGoal(t *testing.T) {
	for name, tt := range map[string]struct {
		with   time.Duration
		missed int
	}{
		"what admission may add reaches the goal": {8 * time.Millisecond, 0},
		"what is too much is missed by each sort": {9 * time.Millisecond, 18},
	} {
		t.Run(name, func(t *testing.T) {
			rows := report(taken{with: lasting(tt.with, time.Minute), without: lasting(3*time.Millisecond, time.Millisecond)})
			if len(rows) != 2*3*len(kinds()) {
				t.Fatalf("%d rows", len(rows))
			}
			missed := 0
			if err := figures.Missed(rows); err != nil {
				missed = len(strings.Split(err.Error(), "\n"))
			}
			if missed != tt.missed {
				t.Errorf("%d goals were missed; want %d", missed, tt.missed)
			}
		})
	}
}

func TestOptions(t *testing.T) {
	for args, says := range map[string]string{
		"":              "",
		"-rounds 0":     "between 1 and 100",
		"-writes 1000":  "between 1 and 500",
		"-rounds 2 yes": `unknown argument "yes"`,
	} {
		_, err := parseOptions(strings.Fields(args))
		if says == "" && err != nil || says != "" && (err == nil || !strings.Contains(err.Error(), says)) {
			t.Errorf("%q: %v; want %q", args, err, says)
		}
	}
}

func TestDoubt(t *testing.T) {
	for name, tt := range map[string]struct {
		with time.Duration
		says string
	}{
		"a quiet machine raises none":         {4 * time.Millisecond, ""},
		"writes that ask nobody, and differ":  {9 * time.Millisecond, "by up to 6.0 ms"},
		"a machine that was busy before that": {time.Millisecond, "by up to 2.0 ms"},
	} {
		t.Run(name, func(t *testing.T) {
			got := doubt(taken{with: lasting(tt.with, tt.with), without: lasting(3*time.Millisecond, 3*time.Millisecond)})
			if tt.says == "" && got != "" || !strings.Contains(got, tt.says) {
				t.Errorf("got %q; want %q", got, tt.says)
			}
		})
	}
}
