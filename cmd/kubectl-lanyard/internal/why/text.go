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
		p.step(w, s)
		switch s.Name {
		case stepAuthentication:
			if len(r.Credentials) > 1 || p.wide {
				for _, c := range r.Credentials {
					p.say(w, "  - %s (%s): %s", c.Name, p.verdict(c.Verdict), c.Message)
				}
			}
		case "roles":
			for _, role := range r.Roles {
				p.role(w, role, s.Message, now)
			}
		}
	}
	p.outcome(w, r)
	return nil
}

// say writes one line to a terminal.
func (p printer) say(w io.Writer, format string, args ...any) { _ = cli.Say(w, format, args...) }

// question says what is asked.
func (p printer) question(w io.Writer, r *Report) {
	resource := cmpOr(cmpOr(r.Identifier, r.Asks.Resource), "a resource that the log does not name")
	if r.Resource != "" {
		resource += " (ProtectedResource " + r.Resource + ")"
	}
	p.say(w, "Does OAuthClient %s get a token for %s?", r.Client, resource)
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
			shows += " (assumed, as suits it best; see --cert)"
		}
		p.say(w, "It asks as %s, with %s.", r.ClientID, shows)
	}
	fmt.Fprintln(w)
}

const (
	nameWidth    = 16
	verdictWidth = len("not reached")
)

// verdict is a verdict in words and in its colour.
func (p printer) verdict(v Verdict) string {
	switch v {
	case Passed:
		return p.Paint(cli.Good, "passed")
	case Refused:
		return p.Paint(cli.Bad, "refused")
	case Unknown:
		return p.Paint(cli.Warn, "unknown")
	default:
		return "not reached"
	}
}

func (p printer) step(w io.Writer, s Step) {
	message := s.Message
	if s.Number != 0 {
		message = fmt.Sprintf("%d %s", s.Number, message)
	}
	blank := 0
	if s.Verdict != NotReached { // whose word is the widest; colours have no width
		blank = verdictWidth - len(s.Verdict)
	}
	p.say(w, "%-*s %s%s %s", nameWidth, s.Name, p.verdict(s.Verdict), strings.Repeat(" ", blank), message)
}

// role says how a role stands, without what its step has said already.
func (p printer) role(w io.Writer, r Role, said string, now time.Time) {
	text := fmt.Sprintf("  - %s (%s)", r.Name, r.State)
	if r.Value != "" {
		text += " " + r.Value
	}
	if r.Assignment != "" {
		text += ", by AppRoleAssignment " + r.Assignment
	}
	if r.ExpiresAt != nil {
		word := "ends"
		if !now.Before(*r.ExpiresAt) {
			word = "ended"
		}
		text += ", " + word + " " + cli.When(*r.ExpiresAt, now)
	}
	if r.Message != "" && !strings.Contains(said, r.Message) {
		text += ": " + r.Message
	}
	p.say(w, "%s", text)
}

func (p printer) outcome(w io.Writer, r *Report) {
	fmt.Fprintln(w)
	switch r.Outcome {
	case TokenGranted:
		fmt.Fprintln(w, p.Paint(cli.Good, "Yes: it would get a token."))
	case TokenRefused:
		p.say(w, "%s %d %s, %q.", p.Paint(cli.Bad, "No: the issuer refuses it with"), r.Refusal.Number, r.Refusal.Error, r.Refusal.Title)
		p.say(w, "The number is explained in %s.", r.Refusal.Page)
	default:
		text := "Unknown: nothing that you may look at refuses it."
		if r.Ask != "" {
			text = "Unknown: it rests on the client as well, which you may not read."
		}
		fmt.Fprintln(w, p.Paint(cli.Warn, text))
	}
	if r.Ask != "" {
		p.say(w, "Whoever owns the client sees the rest with: %s", r.Ask)
	}
	if len(r.Try) > 0 {
		fmt.Fprintln(w, "\nWhoever owns the API can grant what is missing:")
		for _, command := range r.Try {
			p.say(w, "  %s", command)
		}
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
		table.Row("lives", t.ExpiresIn+", limited by "+t.LimitedBy)
		if p.wide {
			table.Row("scope", t.Scope)
			table.Row("token_type", t.TokenType)
		}
		_ = table.Write(w, "  ") // to a terminal
	}
}

// logged tells the request of --trace as it was then.
func (p printer) logged(w io.Writer, l *Logged, now time.Time) {
	p.say(w, "%s %s, %s (%s)", strings.ToUpper(l.What[:min(1, len(l.What))])+l.What[min(1, len(l.What)):], l.TraceID, l.Time.UTC().Format(time.RFC3339), cli.When(l.Time, now))
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
	row("reason", strings.TrimSuffix(l.Reason+": "+l.Explanation, ": "))
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
