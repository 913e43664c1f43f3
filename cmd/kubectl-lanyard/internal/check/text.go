package check

import (
	"bytes"
	"fmt"
	"io"
	"strings"

	"github.com/lanyard-dev/lanyard/cmd/kubectl-lanyard/internal/cli"
	"github.com/lanyard-dev/lanyard/cmd/kubectl-lanyard/internal/inspect"
)

// write writes the report for people. conclusions are what is said in the end: that all
// is well, that all is well which could be seen, and that it is not.
func (r Report) write(w io.Writer, paint func(cli.Colour, string) string, conclusions [3]string) error {
	var b bytes.Buffer
	for _, s := range r.Sections {
		fmt.Fprintf(&b, "%s\n", paint(cli.Bold, s.Name))
		for _, c := range merged(s.Checks) {
			fmt.Fprintf(&b, "%s %s: %s\n", mark(c.Verdict, paint), c.Name, printable(c.Found))
			if c.Hint != "" {
				fmt.Fprintf(&b, "    %s\n", strings.ReplaceAll(printable(c.Hint), "\n", "\n    "))
			}
		}
		b.WriteByte('\n')
	}
	conclusion, colour := conclusions[0], cli.Good
	switch {
	case !r.Healthy:
		conclusion, colour = conclusions[2], cli.Bad
	case r.count(Unseen) > 0:
		conclusion = conclusions[1]
	}
	fmt.Fprintf(&b, "%s %d ok, %d to know of, %d failed, %d not looked at.\n", paint(colour, conclusion), r.count(OK), r.count(Warn), r.count(Fail), r.count(Unseen))
	_, err := w.Write(b.Bytes())
	return err
}

// merged are the checks with those in one line that could not look, one after the other,
// for want of a permission: to whom a section is closed it is one thing to know.
func merged(all []Check) []Check {
	var out []Check
	for _, c := range all {
		last := len(out) - 1
		if last >= 0 && closed(c) && closed(out[last]) {
			out[last].Name += ", " + c.Name
			out[last].Found = closedTo + " these"
			continue
		}
		if last >= 0 && c.Verdict == Unseen && c.Found == noServer && out[last].Found == noServer {
			out[last].Name += ", " + c.Name
			continue
		}
		out = append(out, c)
	}
	return out
}

// noServer is found of everything else where the API server does not answer.
const noServer = "not looked at: the API server does not answer"

// closedTo begins what is found where a permission is missing.
const closedTo = "not looked at: you may not read"

func closed(c Check) bool { return c.Verdict == Unseen && strings.HasPrefix(c.Found, closedTo) }

func mark(v Verdict, paint func(cli.Colour, string) string) string {
	switch v {
	case OK:
		return paint(cli.Good, "√")
	case Warn:
		return paint(cli.Warn, "‼")
	case No, Unseen:
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
