package status

import (
	"fmt"
	"strings"

	"github.com/lanyard-dev/lanyard/api/v1alpha1"
	"github.com/lanyard-dev/lanyard/cmd/kubectl-lanyard/internal/cli"
)

func (p *page) client(r clientReport) {
	p.head(r.object)
	var grants []string
	for _, g := range r.GrantTypes {
		grants = append(grants, string(g))
	}
	p.fields(
		"Client ID", r.ClientID,
		"Ready", p.ready(r.Ready),
		"Tokens", tokens(r),
		"Grant types", strings.Join(grants, ", "),
	)
	t := cli.NewTable("METHOD", "WITH", "RULE")
	for _, c := range r.Credentials {
		t.Row(c.Method, c.With, or(c.Rule))
	}
	p.section("Credentials", t, len(r.Credentials), "none: it cannot prove itself; see spec.authentication")
	p.certificates(r.Certificates)
	t = cli.NewTable("MADE", "EXPIRES")
	for _, s := range r.Secrets {
		t.Row(p.at(&s.CreatedAt), p.at(&s.ExpiresAt))
	}
	p.section("Client secrets", t, len(r.Secrets), "")
	p.roles(r.Roles)
	p.problems(r.Problems)
	p.events(r.Events)
}

// tokens says what the client's tokens are like.
func tokens(r clientReport) string {
	text := "not bound (bearer)"
	switch r.TokenBinding {
	case v1alpha1.TokenBindingMTLS:
		text = "bound to a certificate (MTLS)"
	case v1alpha1.TokenBindingDPoP:
		text = "bound to a key (DPoP)"
	case v1alpha1.TokenBindingNone:
	}
	if r.AccessTokenLifetime != "" {
		text += ", for " + r.AccessTokenLifetime + " at most"
	}
	return text
}

func (p *page) certificates(all []certificate) {
	t := cli.NewTable("NAME", "READY", "SECRET", "SOURCE")
	pins := cli.NewTable(p.columns([]string{"CERTIFICATE", "THUMBPRINT", "STATE", "ENDS"}, "SERIAL NUMBER", "NOT BEFORE", "NOT AFTER")...)
	count := 0
	for _, c := range all {
		t.Row(c.Name, c.Ready.text(), or(c.SecretName), c.Source)
		for _, one := range c.Pins {
			count++
			cells := []string{c.Name, one.Thumbprint, one.text(), p.at(&one.Ends)}
			pins.Row(p.columns(cells, or(one.SerialNumber), stamp(one.NotBefore), stamp(one.NotAfter))...)
		}
	}
	p.section("Certificates", t, len(all), "")
	p.section("Pins", pins, count, "")
}

// text is the state of a pin, and whether it works.
func (p pin) text() string {
	switch {
	case p.Distrusted:
		return string(p.State) + ", distrusted"
	case !p.Live:
		return string(p.State) + ", not valid now"
	default:
		return string(p.State)
	}
}

func (p *page) roles(all []role) {
	granted := 0
	t := cli.NewTable(p.columns([]string{"ROLE", "RESOURCE", "VALUE", "STATE", "DECIDED BY", "DECIDED", "ENDS"}, "ASSIGNMENT", "REASON")...)
	for _, r := range all {
		ends := none
		if r.State == v1alpha1.RoleGranted || r.State == v1alpha1.RoleExpired {
			ends = "never"
			if r.ExpiresAt != nil {
				ends = p.at(r.ExpiresAt)
			}
		}
		if r.State == v1alpha1.RoleGranted {
			granted++
		}
		cells := []string{r.Namespace + "/" + r.Name, or(r.Identifier), or(r.Value), string(r.State), or(r.DecidedBy), p.at(r.DecidedAt), ends}
		t.Row(p.columns(cells, or(r.Assignment), or(oneLine(r.Reason)))...)
	}
	p.section(fmt.Sprintf("Roles (%d of %d granted)", granted, len(all)), t, len(all), "none asked for; see spec.roles")
}

func (p *page) resource(r resourceReport) {
	p.head(r.object)
	p.fields("Identifier", r.Identifier, "Ready", p.ready(r.Ready), "Tokens", rulesOf(r))
	t := cli.NewTable("ROLE", "VALUE", "READY", "GRANTED", "PENDING")
	for _, role := range r.Roles {
		t.Row(role.Name, role.Value, role.Ready.text(), fmt.Sprint(role.Granted), fmt.Sprint(role.Pending))
	}
	p.section("Roles", t, len(r.Roles), "none; create an AppRole with resourceRef "+r.Name)
	p.consent(r.consent)
}

// rulesOf says what the resource asks of tokens.
func rulesOf(r resourceReport) string {
	text := "only with a role"
	if r.Assignment == v1alpha1.AssignmentOptional {
		text = "also without a role"
	}
	if r.TokenBindingPolicy == v1alpha1.TokenBindingOptional {
		text += ", bound or not"
	} else {
		text += ", only bound"
	}
	if r.AccessTokenLifetime != "" {
		text += ", for " + r.AccessTokenLifetime + " at most"
	}
	return text
}

func (p *page) role(r roleReport) {
	p.head(r.object)
	p.fields(
		"Value", r.Value,
		"Resource", strings.TrimSuffix(r.Resource+" ("+r.Identifier+")", " ()"),
		"Ready", p.ready(r.Ready),
		"Clients", fmt.Sprintf("%d granted, %d pending", r.Granted, r.Pending),
		"Description", oneLine(r.Description),
	)
	p.consent(r.consent)
}

func (p *page) consent(c consent) {
	t := cli.NewTable(p.columns([]string{"ROLE", "CLIENT", "DECISION", "CLIENTS", "DECIDED BY", "DECIDED", "ENDS"}, "ASSIGNMENT", "REASON")...)
	for _, d := range c.Decisions {
		said := string(d.Decision)
		if !d.InForce {
			said += " (" + d.Why + ")"
		}
		ends := "never"
		if d.ExpiresAt != nil {
			ends = p.at(d.ExpiresAt)
		}
		cells := []string{d.Role, d.Clients, said, fmt.Sprint(d.Covered), or(d.DecidedBy), p.at(d.DecidedAt), ends}
		t.Row(p.columns(cells, d.Assignment, or(oneLine(d.Reason)))...)
	}
	p.section("Decisions", t, len(c.Decisions), "none")
	t = cli.NewTable("ROLE", "CLIENT", "TO APPROVE")
	for _, w := range c.Waiting {
		t.Row(w.Role, w.Client, w.Approve)
	}
	p.section("Waiting for a decision", t, len(c.Waiting), "")
	if c.MoreWaiting > 0 {
		p.line("  and %d more", c.MoreWaiting)
	}
	p.problems(c.Problems)
	p.events(c.Events)
}

// overview writes a namespace, or all of them.
func (p *page) overview(o overview, all bool) {
	namespaced := func(namespace string, cells ...string) []string {
		if all {
			return append([]string{namespace}, cells...)
		}
		return cells
	}
	clients := cli.NewTable(namespaced("NAMESPACE", "CLIENT", "CLIENT ID", "READY", "ROLES", "PINNED UNTIL")...)
	for _, c := range o.Clients {
		clients.Row(namespaced(c.Namespace, c.Name, or(c.ClientID), c.Ready.text(), or(c.RolesGranted), p.at(c.PinnedUntil))...)
	}
	resources := cli.NewTable(namespaced("NAMESPACE", "RESOURCE", "IDENTIFIER", "READY", "ROLES", "GRANTED", "PENDING")...)
	pending := int32(0)
	for _, r := range o.Resources {
		pending += r.Pending
		resources.Row(namespaced(r.Namespace, r.Name, r.Identifier, r.Ready.text(), fmt.Sprint(r.Roles), fmt.Sprint(r.Granted), fmt.Sprint(r.Pending))...)
	}
	if len(o.Clients) > 0 {
		p.table(clients, "")
	}
	if len(o.Resources) > 0 {
		if len(o.Clients) > 0 {
			p.line("")
		}
		p.table(resources, "")
	}
	p.problems(o.Problems)
	if pending > 0 {
		p.line("")
		p.line("pending requests for roles: %d; see kubectl lanyard pending", pending)
	}
}

// columns adds what only -o wide shows.
func (p *page) columns(cells []string, wide ...string) []string {
	if p.wide {
		return append(cells, wide...)
	}
	return cells
}

func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }
