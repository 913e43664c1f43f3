package status

import (
	"cmp"
	"fmt"
	"io"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/lanyard-dev/lanyard/cmd/kubectl-lanyard/internal/cli"
)

// page writes a report for people. Its first error is kept, and ends the writing.
type page struct {
	w     io.Writer
	now   time.Time
	wide  bool
	paint func(cli.Colour, string) string
	err   error
}

func (p *page) line(format string, args ...any) {
	if p.err == nil {
		p.err = cli.Say(p.w, format, args...)
	}
}

// head names the object.
func (p *page) head(o object) {
	title := p.paint(cli.Bold, fmt.Sprintf("%s %s/%s", o.Kind, o.Namespace, o.Name))
	if o.DisplayName != "" {
		title += " (" + o.DisplayName + ")"
	}
	p.line("%s", title)
}

// fields writes pairs of a name and a value; what has no value is left out.
func (p *page) fields(pairs ...string) {
	t := cli.NewTable()
	for i := 0; i+1 < len(pairs); i += 2 {
		if pairs[i+1] != "" {
			t.Row(pairs[i]+":", pairs[i+1])
		}
	}
	p.table(t, "  ")
}

// ready is the condition in the colour of what it says. It stands last in its line.
func (p *page) ready(c condition) string {
	switch c.Status {
	case metav1.ConditionTrue:
		return p.paint(cli.Good, c.text())
	case metav1.ConditionFalse:
		return p.paint(cli.Bad, c.text())
	default:
		return p.paint(cli.Warn, c.text())
	}
}

// section writes a heading and a table below it, of so many rows; none: the text of empty.
func (p *page) section(heading string, t *cli.Table, rows int, empty string) {
	if rows == 0 && empty == "" {
		return
	}
	p.line("")
	p.line("%s", p.paint(cli.Bold, heading))
	if rows == 0 {
		p.line("  %s", empty)
		return
	}
	p.table(t, "  ")
}

func (p *page) table(t *cli.Table, indent string) {
	if p.err == nil {
		p.err = t.Write(p.w, indent)
	}
}

// problems writes what is not as it should be.
func (p *page) problems(all []problem) {
	if len(all) == 0 {
		return
	}
	p.line("")
	p.line("%s", p.paint(cli.Bold, "Not as it should be"))
	for _, one := range all {
		text := one.Message
		if one.Object != "" {
			text = one.Object + ": " + text
		}
		p.line("  - %s", p.paint(cli.Bad, text))
	}
}

// events writes what went wrong lately. It may have been mended since.
func (p *page) events(all []event) {
	t := cli.NewTable()
	for _, e := range all {
		when := cli.When(e.Last.Time, p.now)
		if e.Count > 1 {
			when += fmt.Sprintf(" (%d times)", e.Count)
		}
		t.Row(when, e.Object, e.Reason, strings.Join(strings.Fields(e.Message), " "))
	}
	p.section("Recent warnings", t, len(all), "")
}

// at is when t is, seen from now; a dash for no time.
func (p *page) at(t *metav1.Time) string {
	if t.IsZero() {
		return none
	}
	return cli.When(t.Time, p.now)
}

// none stands in a table where there is nothing to say.
const none = "-"

func or(text string) string { return cmp.Or(text, none) }

// stamp is a moment as the API writes it.
func stamp(t metav1.Time) string { return t.UTC().Format(time.RFC3339) }
