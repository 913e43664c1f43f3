package stand

import (
	"testing"
	"time"
)

func TestParseCPUTime(t *testing.T) {
	for name, tt := range map[string]struct {
		stat string
		want time.Duration
		ok   bool
	}{
		"user and system time are added":       {"42 (bench) S 1 42 42 0 -1 4194560 100 0 0 0 150 25 0 0 20 0", 1750 * time.Millisecond, true},
		"a name may look like the fields":      {"42 (a) S 1 (b) R 1 42 42 0 -1 4194560 100 0 0 0 1 2 0 0", 30 * time.Millisecond, true},
		"a line that is cut short is an error": {"42 (bench) S 1 42", 0, false},
		"no line is an error":                  {"", 0, false},
		"words are an error":                   {"42 (bench) S 1 42 42 0 -1 4194560 100 0 0 0 x 25 0 0", 0, false},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := parseCPUTime(tt.stat)
			if got != tt.want || (err == nil) != tt.ok {
				t.Errorf("got %v, %v", got, err)
			}
		})
	}
}

func TestParseMemory(t *testing.T) {
	for name, tt := range map[string]struct {
		status string
		want   int64
		ok     bool
	}{
		"the high water mark, not the present": {"Name:\tbench\nVmHWM:\t   20480 kB\nVmRSS:\t   10240 kB\n", 20 << 20, true},
		"none is an error":                     {"Name:\tbench\n", 0, false},
		"words are an error":                   {"VmHWM:\tmuch kB\n", 0, false},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := parseMemory(tt.status, "VmHWM")
			if got != tt.want || (err == nil) != tt.ok {
				t.Errorf("got %v, %v", got, err)
			}
		})
	}
}
