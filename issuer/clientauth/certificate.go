package clientauth

import (
	"time"

	"github.com/lanyard-dev/lanyard/issuer/oauth"
	"github.com/lanyard-dev/lanyard/issuer/rules"
)

// certificate verifies tls_client_auth and self_signed_tls_client_auth (RFC 8705
// section 2): the TLS handshake proved that the peer holds the key, and the
// certificate is a live pin of the client. It is looked up only within the client
// that client_id names, and judged at each request, not for each connection.
func (a *Authenticator) certificate(p Presented, now time.Time, seen *Seen) (Client, *oauth.Error) {
	c, ok := a.Registry.ClientByID(p.ClientID)
	if !ok {
		return Client{}, refuse("unknown_client", nil)
	}
	seen.ClientID = p.ClientID
	if e := a.works(c); e != nil {
		return Client{}, e
	}
	method, _, ok := rules.CertificateMethod(c, a.Registry.Certificates(c), p.Peer, now)
	if !ok {
		return Client{}, refuse("certificate_not_pinned_or_method_not_listed", nil)
	}
	return Client{Object: c, Method: method}, nil
}
