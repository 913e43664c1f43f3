package why

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/lanyard-dev/lanyard/cmd/kubectl-lanyard/internal/cli"
	"github.com/lanyard-dev/lanyard/issuer/oauth"
)

// printer writes a report for people.
type printer struct {
	*cli.Session
	wide bool
}

func (p printer) report(w io.Writer, r *Report, now time.Time) error {
	if r.Logged != nil {
		p.logged(w, r.Logged, now)
	}
	if len(r.Steps) == 0 {
		return nil
	}
	p.question(w, r)
	for _, s := range r.Steps {
		p.line(w, "", s.Name, s.Verdict, s.Number, s.Message)
		switch s.Name {
		case stepAuthentication:
			if len(r.Credentials) > 1 || p.wide {
				for _, c := range r.Credentials {
					p.line(w, "  ", c.Name, c.Verdict, 0, c.Message)
				}
			}
		case "roles":
			for _, role := range r.Roles {
				p.role(w, role, now)
			}
		}
	}
	p.outcome(w, r)
	return nil
}

// question says what is asked.
func (p printer) question(w io.Writer, r *Report) {
	resource := cmpOr(r.Identifier, "a resource that was not found")
	if r.Resource != "" {
		resource += " (ProtectedResource " + r.Resource + ")"
	}
	fmt.Fprintf(w, "Does OAuthClient %s get a token for %s?\n", r.Client, resource)
	if a := r.Asks; r.ClientID != "" {
		shows := "no certificate"
		switch {
		case a.Certificate != "" && a.DPoP:
			shows = "certificate " + a.Certificate + " and a DPoP proof"
		case a.Certificate != "":
			shows = "certificate " + a.Certificate
		case a.DPoP:
			shows = "a DPoP proof"
		}
		if a.Assumed {
			shows += ", as suits it best"
		}
		fmt.Fprintf(w, "It asks as %s, with %s.\n", r.ClientID, shows)
	}
	fmt.Fprintln(w)
}

const (
	nameWidth    = 16
	verdictWidth = 11
)

// line is one step, or with an indent a part of one. The colour is no part of the width.
func (p printer) line(w io.Writer, indent, name string, v Verdict, number int, message string) {
	word := map[Verdict]string{Passed: "passed", Refused: "refused", Unknown: "unknown", NotReached: "not reached"}[v]
	colour := map[Verdict]cli.Colour{Passed: cli.Good, Refused: cli.Bad, Unknown: cli.Warn, NotReached: cli.Warn}[v]
	if number != 0 {
		message = fmt.Sprintf("%d %s", number, message)
	}
	fmt.Fprintf(w, "%-*s %s%s %s\n", nameWidth, indent+name, p.Paint(colour, word), strings.Repeat(" ", max(0, verdictWidth-len(word))), message)
}

func (p printer) role(w io.Writer, r Role, now time.Time) {
	message := r.State
	if r.Value != "" {
		message += " " + r.Value
	}
	if r.Assignment != "" {
		message += ", by AppRoleAssignment " + r.Assignment
	}
	if r.ExpiresAt != nil {
		message += ", ends " + cli.When(*r.ExpiresAt, now)
	}
	if r.Message != "" {
		message += ": " + r.Message
	}
	fmt.Fprintf(w, "  %s: %s\n", r.Name, message)
}

func (p printer) outcome(w io.Writer, r *Report) {
	fmt.Fprintln(w)
	switch r.Outcome {
	case TokenGranted:
		fmt.Fprintln(w, p.Paint(cli.Good, "Yes: it would get a token."))
	case TokenRefused:
		fmt.Fprintf(w, "%s %d %s, %q.\n", p.Paint(cli.Bad, "No: the issuer refuses it with"), r.Refusal.Number, r.Refusal.Error, r.Refusal.Title)
		fmt.Fprintf(w, "The number is explained in %s.\n", r.Refusal.Page)
	default:
		fmt.Fprintln(w, p.Paint(cli.Warn, "Unknown: nothing that you may look at refuses it."))
	}
	if t := r.Token; t != nil {
		roles := cmpOr(strings.Join(t.Roles, " "), "(none)")
		bound := t.BoundTo
		if t.Thumbprint != "" {
			bound += " " + t.Thumbprint
		}
		table := cli.NewTable()
		table.Row("audience", t.Audience)
		table.Row("roles", roles)
		table.Row("bound to", bound)
		table.Row("lives", t.ExpiresIn+", for "+t.LimitedBy)
		if p.wide {
			table.Row("scope", t.Scope)
			table.Row("token_type", t.TokenType)
		}
		_ = table.Write(w, "  ") // to a terminal
	}
}

// logged tells the request of --trace as it was then.
func (p printer) logged(w io.Writer, l *Logged, now time.Time) {
	fmt.Fprintf(w, "%s %s, %s (%s)\n", strings.ToUpper(l.What[:min(1, len(l.What))])+l.What[min(1, len(l.What)):], l.TraceID, l.Time.UTC().Format(time.RFC3339), cli.When(l.Time, now))
	table := cli.NewTable()
	row := func(name, value string) {
		if value != "" {
			table.Row(name, value)
		}
	}
	row("logged by", l.From)
	if l.Refusal != nil {
		row("refused with", fmt.Sprintf("%d %s, %q (HTTP %d)", l.Refusal.Number, l.Refusal.Error, l.Refusal.Title, l.Status))
		row("which says", oauth.Number(l.Refusal.Number).Text())
		row("explained in", l.Refusal.Page)
	} else {
		row("answered", fmt.Sprintf("HTTP %d", l.Status))
	}
	row("reason", join(l.Reason, l.Explanation))
	row("cause", l.Cause)
	claimed := ""
	if l.ClientID != "" && l.AuthMethod == "" {
		claimed = " (claimed)"
	}
	row("client_id", l.ClientID+claimed)
	row("authenticated by", l.AuthMethod)
	row("certificate", l.Thumbprint)
	row("service account", strings.Trim(l.Namespace+"/"+l.ServiceAccount, "/"))
	row("pod", l.Pod)
	row("resource", l.Audience)
	row("roles", l.Roles)
	row("peer", l.Peer)
	_ = table.Write(w, "  ") // to a terminal
	fmt.Fprintln(w)
}
