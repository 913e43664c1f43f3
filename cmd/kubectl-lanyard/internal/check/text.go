package check

import (
	"bytes"
	"fmt"
	"io"
	"strings"

	"github.com/lanyard-dev/lanyard/cmd/kubectl-lanyard/internal/cli"
	"github.com/lanyard-dev/lanyard/cmd/kubectl-lanyard/internal/inspect"
)

// write writes the report for people.
func (r Report) write(w io.Writer, paint func(cli.Colour, string) string) error {
	var b bytes.Buffer
	for _, s := range r.Sections {
		fmt.Fprintf(&b, "%s\n", paint(cli.Bold, s.Name))
		for _, c := range s.Checks {
			fmt.Fprintf(&b, "%s %s: %s\n", mark(c.Verdict, paint), c.Name, printable(c.Found))
			if c.Hint != "" {
				fmt.Fprintf(&b, "    %s\n", strings.ReplaceAll(printable(c.Hint), "\n", "\n    "))
			}
		}
		b.WriteByte('\n')
	}
	conclusion, colour := "Lanyard is healthy", cli.Good
	if !r.Healthy {
		conclusion, colour = "Lanyard is not healthy", cli.Bad
	}
	fmt.Fprintf(&b, "%s: %d ok, %d to know of, %d failed.\n", paint(colour, conclusion), r.count(OK), r.count(Warn), r.count(Fail))
	_, err := w.Write(b.Bytes())
	return err
}

func mark(v Verdict, paint func(cli.Colour, string) string) string {
	switch v {
	case OK:
		return paint(cli.Good, "√")
	case Warn:
		return paint(cli.Warn, "‼")
	case No:
		return "–"
	case Fail:
	}
	return paint(cli.Bad, "×")
}

// printable is text for a terminal, line by line: parts of it come from the cluster.
func printable(s string) string {
	lines := strings.Split(s, "\n")
	for i, l := range lines {
		lines[i] = inspect.Printable(l)
	}
	return strings.Join(lines, "\n")
}
