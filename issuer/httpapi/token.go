package httpapi

import (
	"context"
	"net/http"

	"github.com/lanyard-dev/lanyard/issuer/jose"
	"github.com/lanyard-dev/lanyard/issuer/oauth"
)

// token is the token endpoint (RFC 6749 section 3.2).
func (a *API) token(ctx context.Context, x *exchange) {
	if !x.allow("POST, OPTIONS", http.MethodPost) {
		return
	}
	x.event.Thumbprint = thumbprint(x.r)
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

// thumbprint is that of the certificate which the peer has proved to hold in this
// connection's handshake; empty if it showed none.
func thumbprint(r *http.Request) string {
	if r.TLS == nil || len(r.TLS.PeerCertificates) == 0 {
		return ""
	}
	return jose.X5TS256(r.TLS.PeerCertificates[0].Raw)
}
