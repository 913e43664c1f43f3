package clientauth

import (
	"time"

	"github.com/lanyard-dev/lanyard/issuer/oauth"
	"github.com/lanyard-dev/lanyard/issuer/rules"
)

// certificate verifies tls_client_auth and self_signed_tls_client_auth (RFC 8705
// section 2): the TLS handshake proved that the peer holds the key, and the
// certificate is a live pin of the client, or what its subject rule speaks of. It is
// looked up only within the client that client_id names, and judged at each request,
// not for each connection.
func (a *Authenticator) certificate(p Presented, now time.Time, seen *Seen) (Client, *oauth.Error) {
	c, refusal := a.find(p.ClientID, p, seen)
	if refusal != nil {
		return Client{}, refusal
	}
	method, _, ok := rules.CertificateMethod(c, a.Registry.Certificates(c), p.Peer, now)
	if !ok {
		return Client{}, refuse("certificate_not_pinned_or_method_not_listed", nil)
	}
	return Client{Object: c, Method: method}, nil
}
