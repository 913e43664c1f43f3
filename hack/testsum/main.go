// Command testsum reads the output of `go test -json` on standard input and tells
// it for a person: one line for each package that passes, the full output of every
// test that fails, a sign of life at least every 30 seconds, at the end once more
// which tests failed and why, in short, and last, alone on a line, how many passed,
// failed and were skipped.
//
// It exits with 1 if anything failed or if no test ran at all.
package main

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"time"
)

const silence = 30 * time.Second

func main() {
	ok, err := run(os.Stdin, os.Stdout, time.Now(), time.Tick(silence/2))
	if err != nil {
		fmt.Fprintln(os.Stderr, "testsum:", err)
	}
	if err != nil || !ok {
		os.Exit(1)
	}
}

// run tells the events of in until it ends. It reports whether tests ran and none
// failed; an error means that in could not be read or understood.
func run(in io.Reader, out io.Writer, start time.Time, ticks <-chan time.Time) (bool, error) {
	lines := make(chan []byte)
	broken := make(chan error, 1)
	go func() {
		defer close(lines)
		reader := bufio.NewReader(in)
		for {
			line, err := reader.ReadBytes('\n')
			if len(line) > 0 {
				lines <- line
			}
			if err == io.EOF {
				return
			}
			if err != nil {
				broken <- err
				return
			}
		}
	}()

	t := newTeller(out, start)
	for {
		select {
		case now := <-ticks:
			t.tick(now)
		case line, open := <-lines:
			if open {
				t.line(line)
				continue
			}
			select {
			case err := <-broken:
				return false, fmt.Errorf("read test output: %w", err)
			default:
				return t.close(), nil
			}
		}
	}
}
