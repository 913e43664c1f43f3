package inspect

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/lanyard-dev/lanyard/cmd/kubectl-lanyard/internal/cli"
)

// Painter colours a piece of output by what it means.
type Painter func(level Level, s string) string

// WriteText writes the report for people.
func (r Report) WriteText(w io.Writer, now time.Time, paint Painter) error {
	var b bytes.Buffer
	if t := r.Token; t != nil {
		title := strings.ToUpper(string(t.Kind[:1])) + string(t.Kind[1:])
		section(&b, title, lines(t.Header, now))
		section(&b, "Claims", lines(t.Claims, now))
	}
	for i, c := range r.Certificates {
		title := "Certificate"
		if i > 0 {
			title = fmt.Sprintf("Certificate %d of the chain", i+1)
		}
		section(&b, title, c.lines(now))
	}
	b.WriteString("Findings\n")
	for _, f := range r.Findings {
		fmt.Fprintf(&b, "  %s %s\n", paint(f.Level, marks(f.Level)), Printable(f.Text))
	}
	level := OK
	if !r.Accepted {
		level = Stands
	}
	fmt.Fprintf(&b, "\n%s\n", paint(level, Printable(r.Conclusion)))
	_, err := w.Write(b.Bytes())
	return err
}

func marks(l Level) string {
	switch l {
	case OK:
		return "√"
	case Stands:
		return "×"
	case Note:
	}
	return "‼"
}

// line is a name and what there is to say of it.
type line struct{ name, value string }

func section(b *bytes.Buffer, title string, all []line) {
	if len(all) == 0 {
		return
	}
	const widest = 24
	width := 0
	for _, l := range all {
		width = max(width, min(len(l.name), widest))
	}
	fmt.Fprintf(b, "%s\n", title)
	for _, l := range all {
		fmt.Fprintf(b, "  %-*s  %s\n", width, l.name, l.value)
	}
	b.WriteByte('\n')
}

// lines shows the members of a header or of claims.
func lines(all []Member, now time.Time) []line {
	const most = 100
	var out []line
	for i, m := range all {
		if i == most {
			out = append(out, line{"…", fmt.Sprintf("%d more", len(all)-most)})
			break
		}
		value := show(m.Value)
		if slices.Contains([]string{"exp", "nbf", "iat", "auth_time"}, m.Name) {
			if t, ok := date(m.Value); ok {
				value += "  " + moment(t, now)
			}
		}
		out = append(out, line{Printable(m.Name), value})
	}
	return out
}

// show is a value on one line: a string without its quotes, everything else as JSON,
// so that a role with a comma in it does not look like two.
func show(value json.RawMessage) string {
	var s string
	if json.Unmarshal(value, &s) == nil && len(value) > 0 && value[0] == '"' {
		return Printable(s)
	}
	var b bytes.Buffer
	if err := json.Compact(&b, value); err != nil {
		return Printable(string(value))
	}
	return Printable(b.String())
}

func (c CertificateReport) lines(now time.Time) []line {
	all := []line{
		{"subject", c.Subject},
		{"issuer", c.Issuer},
		{"names", strings.Join(c.Names, ", ")},
		{"serial", c.Serial},
		{"not before", moment(c.NotBefore, now)},
		{"not after", moment(c.NotAfter, now)},
		{"key", c.Key},
		{"for", strings.Join(c.Usages, ", ")},
		{"x5t#S256", c.Thumbprint},
		{"SHA-256", c.Fingerprint},
	}
	all = slices.DeleteFunc(all, func(l line) bool { return l.value == "" })
	for i := range all {
		all[i].value = Printable(all[i].value)
	}
	return all
}

// moment is a time as such and as seen from now.
func moment(t, now time.Time) string {
	return fmt.Sprintf("%s, %s", t.UTC().Format(time.RFC3339), cli.When(t, now))
}
