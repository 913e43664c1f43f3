package main

import (
	"strings"
	"testing"
	"time"
)

func TestRun(t *testing.T) {
	cases := map[string]struct {
		input    string
		want     []string // in this order
		wantNot  []string
		wantLast string
		wantOK   bool
	}{
		"a passing package is one line, without what its tests printed": {
			input: `{"Action":"run","Package":"p","Test":"TestA"}
{"Action":"output","Package":"p","Test":"TestA","Output":"chatter\n"}
{"Action":"pass","Package":"p","Test":"TestA","Elapsed":0.1}
{"Action":"pass","Package":"p","Elapsed":1.25}`,
			want:     []string{"ok    p (1 tests, 1.2 s)"},
			wantNot:  []string{"chatter"},
			wantLast: "1 passed, 0 failed, 0 skipped",
			wantOK:   true,
		},
		"but what they measured is told": {
			input: `{"Action":"run","Package":"p","Test":"TestA"}
{"Action":"attr","Package":"p","Test":"TestA","Key":"figure","Value":"first token after 13 ms"}
{"Action":"attr","Package":"p","Test":"TestA","Key":"owner","Value":"somebody"}
{"Action":"pass","Package":"p","Test":"TestA","Elapsed":0.1}
{"Action":"pass","Package":"p","Elapsed":1.25}`,
			want:     []string{"TestA: first token after 13 ms\n", "ok    p (1 tests, 1.2 s)"},
			wantNot:  []string{"somebody"},
			wantLast: "1 passed, 0 failed, 0 skipped",
			wantOK:   true,
		},
		"a test with subtests counts by its subtests": {
			input: `{"Action":"run","Package":"p","Test":"TestA"}
{"Action":"run","Package":"p","Test":"TestA/one"}
{"Action":"pass","Package":"p","Test":"TestA/one"}
{"Action":"run","Package":"p","Test":"TestA/two"}
{"Action":"pass","Package":"p","Test":"TestA/two"}
{"Action":"pass","Package":"p","Test":"TestA"}
{"Action":"output","Package":"p","Output":"ok  \tp\t(cached)\n"}
{"Action":"pass","Package":"p"}`,
			want:     []string{"ok    p (2 tests, cached)"},
			wantLast: "2 passed, 0 failed, 0 skipped",
			wantOK:   true,
		},
		"a failing subtest shows its output and its parent's, and counts once": {
			input: `{"Action":"run","Package":"p","Test":"TestA"}
{"Action":"run","Package":"p","Test":"TestA/one"}
{"Action":"output","Package":"p","Test":"TestA/one","Output":"got 1, want 2\n"}
{"Action":"output","Package":"p","Test":"TestA","Output":"from the parent\n"}
{"Action":"fail","Package":"p","Test":"TestA/one"}
{"Action":"fail","Package":"p","Test":"TestA"}
{"Action":"fail","Package":"p","Elapsed":0.5}`,
			want:     []string{"got 1, want 2", "from the parent", "FAIL  p (0.5 s)", "Failed:\n  p TestA/one\n"},
			wantLast: "0 passed, 1 failed, 0 skipped",
		},
		"the end says again why": {
			input: `{"Action":"run","Package":"p","Test":"TestA"}
{"Action":"output","Package":"p","Test":"TestA","Output":"=== RUN   TestA\n"}
{"Action":"output","Package":"p","Test":"TestA","Output":"    a_test.go:3: helm: exit status 1\n"}
{"Action":"output","Package":"p","Test":"TestA","Output":"        it is being terminated\n"}
{"Action":"output","Package":"p","Test":"TestA","Output":"--- FAIL: TestA (0.00s)\n"}
{"Action":"fail","Package":"p","Test":"TestA"}
{"Action":"fail","Package":"p"}`,
			want:     []string{"FAIL  p", "Failed:\n  p TestA\n    a_test.go:3: helm: exit status 1\n        it is being terminated\n"},
			wantLast: "0 passed, 1 failed, 0 skipped",
		},
		"a parent that fails after its subtests passed counts as a failure": {
			input: `{"Action":"run","Package":"p","Test":"TestA"}
{"Action":"run","Package":"p","Test":"TestA/one"}
{"Action":"pass","Package":"p","Test":"TestA/one"}
{"Action":"fail","Package":"p","Test":"TestA"}
{"Action":"fail","Package":"p"}`,
			want:     []string{"Failed:\n  p TestA\n"},
			wantLast: "1 passed, 1 failed, 0 skipped",
		},
		"a package that does not build shows the compiler's words and counts as one failure": {
			input: `{"ImportPath":"p [p.test]","Action":"build-output","Output":"p.go:3: undefined: x\n"}
{"ImportPath":"p [p.test]","Action":"build-fail"}
{"Action":"start","Package":"p"}
{"Action":"output","Package":"p","Output":"FAIL\tp [build failed]\n"}
{"Action":"fail","Package":"p","FailedBuild":"p [p.test]"}`,
			want:     []string{"p.go:3: undefined: x", "[build failed]", "Failed:\n  p\n"},
			wantLast: "0 passed, 1 failed, 0 skipped",
		},
		"a panic shows the output of the test that never ended": {
			input: `{"Action":"run","Package":"p","Test":"TestA"}
{"Action":"output","Package":"p","Test":"TestA","Output":"panic: boom\n"}
{"Action":"fail","Package":"p"}`,
			want:     []string{"panic: boom", "Failed:\n  p\n"},
			wantLast: "0 passed, 1 failed, 0 skipped",
		},
		"a skipped test says why": {
			input: `{"Action":"run","Package":"p","Test":"TestA"}
{"Action":"pass","Package":"p","Test":"TestA"}
{"Action":"run","Package":"p","Test":"TestB"}
{"Action":"output","Package":"p","Test":"TestB","Output":"needs Linux\n"}
{"Action":"skip","Package":"p","Test":"TestB"}
{"Action":"pass","Package":"p"}`,
			want:     []string{"SKIP  p TestB\nneeds Linux"},
			wantLast: "1 passed, 0 failed, 1 skipped",
			wantOK:   true,
		},
		"a package that never ended is a failure": {
			input:    `{"Action":"run","Package":"p","Test":"TestA"}`,
			want:     []string{"Failed:\n  p (did not finish)"},
			wantLast: "0 passed, 1 failed, 0 skipped",
		},
		"no test at all is a failure": {
			input:    `{"Action":"skip","Package":"p"}`,
			want:     []string{"no test ran"},
			wantLast: "0 passed, 0 failed, 0 skipped",
		},
		"a line that is no event is passed on": {
			input: `go: warning: "./x" matched no packages
{"Action":"pass","Package":"p","Test":"TestA"}
{"Action":"pass","Package":"p"}`,
			want:     []string{`go: warning: "./x" matched no packages`},
			wantLast: "1 passed, 0 failed, 0 skipped",
			wantOK:   true,
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			var out strings.Builder
			ok, err := run(strings.NewReader(c.input), &out, time.Time{}, nil)
			if err != nil {
				t.Fatal(err)
			}
			if ok != c.wantOK {
				t.Errorf("ok = %v, want %v", ok, c.wantOK)
			}
			rest := out.String()
			for _, want := range c.want {
				_, after, found := strings.Cut(rest, want)
				if !found {
					t.Errorf("missing, or not in order: %q\nin:\n%s", want, out.String())
				}
				rest = after
			}
			for _, unwanted := range c.wantNot {
				if strings.Contains(out.String(), unwanted) {
					t.Errorf("unwanted: %q\nin:\n%s", unwanted, out.String())
				}
			}
			if !strings.HasSuffix("\n"+out.String(), "\n"+c.wantLast+"\n") {
				t.Errorf("last line is not %q:\n%s", c.wantLast, out.String())
			}
		})
	}
}

func TestReasonsAreShort(t *testing.T) {
	long := strings.Repeat("x", 2*maxLineBytes)
	said := "    a_test.go:1: " + long + "\n" + strings.Repeat("        more\n", 50)
	got := reasons(strings.Repeat(said, 50))
	if len(got) != maxMessages*maxMessageLines {
		t.Errorf("%d lines, want %d", len(got), maxMessages*maxMessageLines)
	}
	for _, line := range got {
		if len(line) > maxLineBytes+len("…") {
			t.Errorf("%d bytes in a line", len(line))
		}
	}
}

func TestTickSpeaksOnlyAfterSilence(t *testing.T) {
	var out strings.Builder
	start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	teller := newTeller(&out, start)

	teller.line([]byte(`{"Action":"pass","Package":"p","Elapsed":1}`))
	said := out.Len()
	teller.tick(start.Add(15 * time.Second))
	if out.Len() != said {
		t.Errorf("spoke right after a package ended: %q", out.String()[said:])
	}

	teller.line([]byte(`{"Action":"run","Package":"q","Test":"TestSlow"}`))
	teller.tick(start.Add(30 * time.Second))
	want := "...   30s: 1 packages done, 0 tests passed, running q\n"
	if got := out.String()[said:]; got != want {
		t.Errorf("after silence: got %q, want %q", got, want)
	}
}
