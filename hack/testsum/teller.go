package main

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"
)

// figureKey is the key of an attribute (testing.T.Attr) with something that a test measured: it
// is told also of tests that pass.
const figureKey = "figure"

// event is one line of `go test -json`; see `go doc test2json`.
type event struct {
	Action      string
	Package     string
	ImportPath  string // of build-output and build-fail, in place of Package
	Test        string
	Elapsed     float64 // seconds
	Output      string
	FailedBuild string
	Key, Value  string // of attr
}

// suite is a package whose tests are running.
type suite struct {
	output  map[string]*strings.Builder // by test; "" is the package's own
	parents map[string]bool             // tests that have subtests, which count in their place
	failed  map[string]bool             // tests that failed, and their parents
	passed  int
	cached  bool
}

// teller turns events into what a person reads. It counts a test with subtests by
// its subtests, and a package that fails outside any test (it does not build, it
// panics, it runs out of time) as one failure.
type teller struct {
	out    io.Writer
	suites map[string]*suite
	builds map[string]*strings.Builder // compiler output by import path

	passed, failed, skipped, done int

	failures []string // the lines that the end says again
	start    time.Time
	spoke    bool // since the last tick
}

func newTeller(out io.Writer, start time.Time) *teller {
	return &teller{out: out, start: start, suites: map[string]*suite{}, builds: map[string]*strings.Builder{}}
}

// line takes one line of input. A line that is no event is passed on as it is: the
// go command says some things without -json.
func (t *teller) line(line []byte) {
	var e event
	if err := json.Unmarshal(line, &e); err != nil || e.Action == "" {
		t.say("%s", line)
		return
	}
	switch e.Action {
	case "build-output":
		appendTo(t.builds, e.ImportPath, e.Output)
	case "output":
		t.output(e)
	case "attr":
		if e.Key == figureKey {
			t.say("      %s: %s\n", e.Test, e.Value)
		}
	case "run":
		t.suite(e.Package).begin(e.Test)
	case "pass", "fail", "skip":
		if e.Test == "" {
			t.endPackage(e)
		} else {
			t.endTest(e)
		}
	}
}

func (t *teller) output(e event) {
	s := t.suite(e.Package)
	if e.Test == "" && strings.HasSuffix(e.Output, "\t(cached)\n") {
		s.cached = true
	}
	appendTo(s.output, e.Test, e.Output)
}

func (t *teller) endTest(e event) {
	s := t.suite(e.Package)
	counts := !s.parents[e.Test]
	switch e.Action {
	case "pass":
		if counts {
			t.passed++
			s.passed++
		}
	case "skip":
		if counts {
			t.skipped++
			t.say("SKIP  %s %s\n%s", e.Package, e.Test, s.text(e.Test))
		}
	case "fail":
		// A parent also fails because a subtest did: that is told once, at the subtest,
		// but what the parent itself printed is still shown.
		if counts || !s.failed[e.Test] {
			t.fail(e.Package+" "+e.Test, reasons(s.text(e.Test))...)
		}
		for name := e.Test; name != ""; name = parent(name) {
			s.failed[name] = true
		}
		t.say("%s", s.text(e.Test))
	}
	delete(s.output, e.Test)
}

func (t *teller) endPackage(e event) {
	s := t.suite(e.Package)
	delete(t.suites, e.Package)
	t.done++
	switch e.Action {
	case "pass":
		note := fmt.Sprintf("%d tests, %.1f s", s.passed, e.Elapsed)
		if s.cached {
			note = fmt.Sprintf("%d tests, cached", s.passed)
		}
		t.say("ok    %s (%s)\n", e.Package, note)
	case "fail":
		t.failPackage(e, s)
	}
}

// failPackage shows whatever no test that ended has shown yet.
func (t *teller) failPackage(e event, s *suite) {
	if build := t.builds[e.FailedBuild]; build != nil {
		t.say("%s", build.String())
		delete(t.builds, e.FailedBuild)
	}
	unfinished := slices.Sorted(maps.Keys(s.output))
	for _, name := range unfinished {
		t.say("%s", s.text(name))
	}
	if len(s.failed) == 0 {
		t.fail(e.Package)
	}
	t.say("FAIL  %s (%.1f s)\n", e.Package, e.Elapsed)
}

// tick says what is going on if nothing was said since the tick before.
func (t *teller) tick(now time.Time) {
	if !t.spoke {
		running := "building"
		if len(t.suites) > 0 {
			running = "running " + strings.Join(slices.Sorted(maps.Keys(t.suites)), ", ")
		}
		t.say("...   %s: %d packages done, %d tests passed, %s\n",
			now.Sub(t.start).Round(time.Second), t.done, t.passed, running)
	}
	t.spoke = false
}

// close tells the end, and whether all is well.
func (t *teller) close() bool {
	// A package that never ended was cut off: the go command itself was stopped.
	for _, name := range slices.Sorted(maps.Keys(t.suites)) {
		t.fail(name + " (did not finish)")
	}
	for _, path := range slices.Sorted(maps.Keys(t.builds)) {
		t.say("%s", t.builds[path].String())
	}
	if len(t.failures) > 0 {
		t.say("\nFailed:\n  %s\n", strings.Join(t.failures, "\n  "))
	}
	if t.passed+t.failed == 0 {
		t.say("no test ran\n")
	}
	t.say("%d passed, %d failed, %d skipped\n", t.passed, t.failed, t.skipped)
	return t.failed == 0 && t.passed > 0
}

func (t *teller) fail(what string, why ...string) {
	t.failed++
	t.failures = append(t.failures, what)
	for _, line := range why {
		t.failures = append(t.failures, "  "+line)
	}
}

func (t *teller) say(format string, args ...any) {
	t.spoke = true
	_, _ = fmt.Fprintf(t.out, format, args...) // nobody is left to tell that the terminal is gone
}

func (t *teller) suite(name string) *suite {
	if t.suites[name] == nil {
		t.suites[name] = &suite{
			output:  map[string]*strings.Builder{},
			parents: map[string]bool{},
			failed:  map[string]bool{},
		}
	}
	return t.suites[name]
}

func (s *suite) begin(test string) {
	for name := parent(test); name != ""; name = parent(name) {
		s.parents[name] = true
	}
}

func (s *suite) text(test string) string {
	if s.output[test] == nil {
		return ""
	}
	return s.output[test].String()
}

func parent(test string) string {
	at := strings.LastIndexByte(test, '/')
	if at < 0 {
		return ""
	}
	return test[:at]
}

func appendTo(texts map[string]*strings.Builder, key, text string) {
	if texts[key] == nil {
		texts[key] = &strings.Builder{}
	}
	texts[key].WriteString(text)
}
