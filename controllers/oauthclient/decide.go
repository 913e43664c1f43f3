package oauthclient

import (
	"time"

	"github.com/lanyard-dev/lanyard/issuer/rules"
)

// decision is what the rules say.
type decision struct {
	verdict rules.Verdict
	grants  []rules.Grant // of spec.roles, in order
}

func decide(f facts, now time.Time) decision {
	d := decision{verdict: rules.Client(f.client, f.namespace, f.holder)}
	for _, role := range f.roles {
		d.grants = append(d.grants, rules.GrantOf(f.client, f.namespace, role.Role, role.Verdict(), role.assignments, now))
	}
	return d
}
