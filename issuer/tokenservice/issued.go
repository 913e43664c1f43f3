package tokenservice

import (
	"time"

	"github.com/lanyard-dev/lanyard/issuer/jose"
	"github.com/lanyard-dev/lanyard/issuer/oauth"
	"github.com/lanyard-dev/lanyard/issuer/rules"
)

// issued is an access token of this issuer, read back.
type issued struct {
	rules.Issued
	ID, Subject, Scope string
	NotBefore, Expiry  time.Time
}

// wire are the claims that issuer/mint writes and jose.Claims does not hold.
type wire struct {
	ClientID string   `json:"client_id"`
	Tenant   string   `json:"tid"`
	Roles    []string `json:"roles"`
	Scope    string   `json:"scope"`
	Confirm  struct {
		X5TS256 string `json:"x5t#S256"`
		JKT     string `json:"jkt"`
	} `json:"cnf"`
	Kubernetes *struct {
		Namespace      string    `json:"namespace"`
		ServiceAccount reference `json:"serviceaccount"`
		Pod            reference `json:"pod"`
	} `json:"kubernetes.io"`
	Evidence rules.Evidence `json:"lanyard.dev"`
}

type reference struct {
	Name string `json:"name"`
	UID  string `json:"uid"`
}

// read verifies that token is one of this issuer's that has not ended, and signed with
// a key that is published still.
func (s *Service) read(token string, now time.Time) (*issued, bool) {
	unverified, err := jose.ParseUnverified(token)
	if err != nil {
		return nil, false
	}
	verified, err := unverified.Verify(s.Minter.Keys.PublishedKeys(now), jose.Expected{
		Now:    now,
		Issuer: s.Minter.Issuer,
		// A token of this issuer has one audience; which, the facts are asked about.
		Audiences:   unverified.Claims.Audience,
		Types:       []string{oauth.TypAccessToken},
		RequireLowS: true,
	})
	if err != nil {
		return nil, false
	}
	if !now.Before(verified.Claims.Expiry) {
		return nil, false // the leeway is for others' clocks
	}
	var w wire
	if err := jose.DecodeClaims(verified.Payload, &w); err != nil {
		return nil, false
	}
	t := &issued{
		Issued: rules.Issued{
			ClientID: w.ClientID, Tenant: w.Tenant, Audience: verified.Claims.Audience[0],
			Roles:      w.Roles,
			Thumbprint: w.Confirm.X5TS256, JKT: w.Confirm.JKT,
			Evidence: w.Evidence,
			IssuedAt: verified.Claims.IssuedAt,
		},
		ID: verified.Claims.ID, Subject: verified.Claims.Subject, Scope: w.Scope,
		NotBefore: verified.Claims.NotBefore, Expiry: verified.Claims.Expiry,
	}
	if k := w.Kubernetes; k != nil {
		t.Workload = &rules.Workload{
			Namespace: k.Namespace, ServiceAccount: k.ServiceAccount.Name, ServiceAccountUID: k.ServiceAccount.UID,
			Pod: k.Pod.Name, PodUID: k.Pod.UID,
		}
	}
	return t, true
}
