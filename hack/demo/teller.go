package demo

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"
)

// teller writes what a person reads. Colours carry no meaning of their own.
type teller struct {
	out    io.Writer
	colour bool
}

const (
	bold  = "1"
	dim   = "2"
	red   = "31"
	green = "32"
	blue  = "36"
)

func (t *teller) paint(code, text string) string {
	if !t.colour || text == "" {
		return text
	}
	return "\x1b[" + code + "m" + text + "\x1b[0m"
}

// chapter begins a part of the story.
func (t *teller) chapter(title, text string) {
	fmt.Fprintf(t.out, "\n%s\n", t.paint(bold, "== "+title))
	if text != "" {
		t.say(text)
	}
}

// step begins a step.
func (t *teller) step(number int, title, text string) {
	fmt.Fprintf(t.out, "\n%s\n", t.paint(bold, fmt.Sprintf("%d. %s", number, title)))
	t.say(text)
}

// say explains, in plain words.
func (t *teller) say(text string) {
	for line := range strings.SplitSeq(wrap(text, 100), "\n") {
		fmt.Fprintf(t.out, "   %s\n", line)
	}
}

// line is one line of progress, or of a result.
func (t *teller) line(format string, args ...any) {
	fmt.Fprintf(t.out, "   "+format+"\n", args...)
}

// command shows what was done, as it could be typed.
func (t *teller) command(text string) {
	fmt.Fprintf(t.out, "   %s\n", t.paint(blue, "$ "+strings.ReplaceAll(text, "\n", "\n     ")))
}

// saw shows what came back, unchanged.
func (t *teller) saw(text string) {
	for line := range strings.SplitSeq(strings.TrimRight(text, "\n"), "\n") {
		fmt.Fprintf(t.out, "   %s %s\n", t.paint(dim, "|"), line)
	}
}

// expected ends a step that turned out as it should.
func (t *teller) expected(text string) {
	fmt.Fprintf(t.out, "   %s\n", t.paint(green, "✓ "+text))
}

// otherwise ends a step that did not.
func (t *teller) otherwise(want string, err error) {
	fmt.Fprintf(t.out, "   %s\n", t.paint(red, "✗ expected: "+want))
	for line := range strings.SplitSeq(err.Error(), "\n") {
		fmt.Fprintf(t.out, "   %s\n", t.paint(red, "  "+line))
	}
}

// progress is for what reports lines of its own.
func (t *teller) progress() io.Writer { return &indented{t: t} }

// indented writes whole lines as the teller's.
type indented struct {
	t    *teller
	mu   sync.Mutex
	rest []byte
}

func (w *indented) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.rest = append(w.rest, p...)
	for {
		line, rest, whole := bytes.Cut(w.rest, []byte("\n"))
		if !whole {
			return len(p), nil
		}
		w.t.line("%s", line)
		w.rest = bytes.Clone(rest)
	}
}

const (
	// patience is how long something may take before it says that it is at work.
	patience = 2 * time.Second
	// progressInterval is how often it then says so.
	progressInterval = 5 * time.Second
)

// working runs work, and says now and then that it is not done yet.
func (t *teller) working(what string, work func() error) error {
	begun := time.Now()
	done := make(chan error, 1)
	go func() { done <- work() }()
	ticker := time.NewTicker(patience)
	defer ticker.Stop()
	for {
		select {
		case err := <-done:
			return err
		case <-ticker.C:
			t.line("%s: still at it after %s", what, time.Since(begun).Round(time.Second))
			ticker.Reset(progressInterval)
		}
	}
}

// wrap breaks text between words, so that lines have at most width characters where they can.
func wrap(text string, width int) string {
	var b strings.Builder
	column := 0
	for i, word := range strings.Fields(text) {
		length := len([]rune(word))
		switch {
		case i == 0:
		case column+1+length > width:
			b.WriteByte('\n')
			column = 0
		default:
			b.WriteByte(' ')
			column++
		}
		b.WriteString(word)
		column += length
	}
	return b.String()
}
