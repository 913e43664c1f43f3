package ops

import (
	"maps"
	"slices"

	"github.com/lanyard-dev/lanyard/sidecar/metrics"
	"github.com/lanyard-dev/lanyard/sidecar/tokens"
)

// Source is what the metrics of tokens are read from.
type Source interface {
	States() []tokens.State
	CertificateState() tokens.CertificateState
}

// Tokens writes how the tokens and the certificate stand.
func Tokens(source Source) func(*metrics.Page) {
	return func(p *metrics.Page) {
		states := source.States()
		const expiry, requests, failures, failing = "lanyard_sidecar_token_expiry_timestamp_seconds", "lanyard_sidecar_token_requests_total",
			"lanyard_sidecar_token_failures_total", "lanyard_sidecar_token_failing"
		p.Family(expiry, "gauge", "When the token in hand ends; 0: there is none.")
		for _, s := range states {
			ends := 0.0
			if s.Token != nil {
				ends = float64(s.Token.ExpiresAt.Unix())
			}
			p.Sample(expiry, ends, "resource", s.Resource)
		}
		p.Family(requests, "counter", "Requests for a token that the issuer was sent.")
		for _, s := range states {
			p.Sample(requests, float64(s.Requests), "resource", s.Resource)
		}
		p.Family(failures, "counter", "Those that brought none, by the issuer's error code, or unavailable.")
		for _, s := range states {
			for _, code := range slices.Sorted(maps.Keys(s.Failed)) {
				p.Sample(failures, float64(s.Failed[code]), "resource", s.Resource, "code", code)
			}
		}
		p.Family(failing, "gauge", "1 if the last request for a token brought none.")
		for _, s := range states {
			p.Sample(failing, oneIf(s.Failure != nil), "resource", s.Resource)
		}
		certificate(p, source.CertificateState())
	}
}

func certificate(p *metrics.Page, c tokens.CertificateState) {
	const expiry, pending, switches = "lanyard_sidecar_certificate_expiry_timestamp_seconds", "lanyard_sidecar_certificate_pending",
		"lanyard_sidecar_certificate_switches_total"
	if c.Current != nil {
		p.Family(expiry, "gauge", "When the certificate in use ends.")
		p.Sample(expiry, float64(c.Current.Leaf.NotAfter.Unix()))
	}
	p.Family(pending, "gauge", "1 while a new certificate waits for its tokens.")
	p.Sample(pending, oneIf(c.Candidate != nil))
	p.Family(switches, "counter", "Switches to a new certificate and its tokens.")
	p.Sample(switches, float64(c.Switches))
}

func oneIf(b bool) float64 {
	if b {
		return 1
	}
	return 0
}
