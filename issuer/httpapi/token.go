package httpapi

import (
	"context"
	"net/http"

	"github.com/lanyard-dev/lanyard/issuer/oauth"
	"github.com/lanyard-dev/lanyard/issuer/rules"
)

// token is the token endpoint (RFC 6749 section 3.2).
func (a *API) token(ctx context.Context, x *exchange) {
	if !x.allow("POST, OPTIONS", http.MethodPost) {
		return
	}
	x.peerCertificate = certificateOf(x.r)
	x.event.Thumbprint = x.peerCertificate.Thumbprint
	if !a.peers.allow(network(x.peer), x.start) {
		x.refuse(tooMany("peer_rate"))
		return
	}
	if e := a.cfg.Health.Ready(); e != nil {
		x.refuse(e)
		return
	}
	request, e := a.parse(x)
	if e != nil {
		x.refuse(e)
		return
	}
	request.Admit = func(clientID string) *oauth.Error {
		if !a.clients.allow(clientID, x.start) {
			return tooMany("client_rate")
		}
		return nil
	}
	answer, e := a.cfg.Service.Issue(ctx, request, &x.event)
	if e != nil {
		x.refuse(e)
		return
	}
	x.answer(answer)
	connectionOf(x.r).proven()
}

func tooMany(reason string) *oauth.Error {
	e := oauth.NewError(oauth.ErrTooManyRequests, "")
	e.Reason = reason
	return e
}

// certificateOf is the certificate that the peer has proved to hold in this
// connection's handshake.
func certificateOf(r *http.Request) rules.Peer {
	if r.TLS == nil {
		return rules.Peer{}
	}
	return rules.PeerOf(r.TLS.PeerCertificates)
}
