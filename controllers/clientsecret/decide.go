package clientsecret

import (
	"time"

	"github.com/lanyard-dev/lanyard/api/v1alpha1"
)

const (
	defaultLifetime = 30 * 24 * time.Hour // as the schema has it
	maxSecrets      = 2
)

// decision is what is to be done.
type decision struct {
	// keep are the secrets that go on working, the newest first.
	keep []v1alpha1.ClientSecretStatus
	// make says why a secret is to be made; empty: none is.
	make string
}

func decide(f facts, enabled bool, now time.Time) decision {
	wanted := f.client.Spec.Authentication.ClientSecret
	if wanted == nil {
		return decision{} // what is absent is refused, at once
	}
	d := decision{keep: working(f.client.Status.ClientSecrets, now)}
	switch {
	case !enabled || f.held == unknown || f.held == foreign:
	case len(d.keep) == 0:
		d.make = "the client has none"
	case f.held == absent:
		d.make = "its Secret was not there"
	case f.held == outdated:
		d.make = "its Secret did not hold the newest"
	case !now.Before(due(wanted, d.keep[0])):
		d.make = "the one before it ends at " + d.keep[0].ExpiresAt.UTC().Format(time.RFC3339)
	}
	return d
}

// working returns the secrets that have not expired.
func working(secrets []v1alpha1.ClientSecretStatus, now time.Time) []v1alpha1.ClientSecretStatus {
	var out []v1alpha1.ClientSecretStatus
	for _, s := range secrets {
		if now.Before(s.ExpiresAt.Time) {
			out = append(out, s)
		}
	}
	return out
}

func lifetime(wanted *v1alpha1.ClientSecretCredential) time.Duration {
	if wanted.Lifetime == nil {
		return defaultLifetime
	}
	return wanted.Lifetime.Duration
}

// due is when the secret is followed by the next. Not before half of its life is
// over: the one before it, which may still be in use, would be a third.
func due(wanted *v1alpha1.ClientSecretCredential, s v1alpha1.ClientSecretStatus) time.Time {
	life := s.ExpiresAt.Sub(s.CreatedAt.Time)
	before := life / 3
	if wanted.RenewBefore != nil {
		before = min(wanted.RenewBefore.Duration, life/2)
	}
	return s.ExpiresAt.Add(-before)
}
