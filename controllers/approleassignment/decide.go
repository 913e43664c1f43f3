package approleassignment

import (
	"time"

	"github.com/lanyard-dev/lanyard/issuer/rules"
)

// decision is what the rules say.
type decision struct {
	verdict rules.Verdict
	covered int
}

func decide(f facts, now time.Time) decision {
	d := decision{verdict: rules.Assignment(f.assignment, f.role, now)}
	for _, a := range f.clients {
		if rules.Covers(f.assignment, a.Client, a.Namespace) {
			d.covered++
		}
	}
	return d
}
