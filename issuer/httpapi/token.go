package httpapi

import (
	"context"
	"net/http"
	"strings"

	"github.com/lanyard-dev/lanyard/issuer/clientauth"
	"github.com/lanyard-dev/lanyard/issuer/oauth"
	"github.com/lanyard-dev/lanyard/issuer/tokenservice"
)

// Names of headers (RFC 9449): as net/http files them, and as the RFC writes them.
const (
	headerDPoP      = "Dpop"
	headerDPoPNonce = "DPoP-Nonce"
)

// token is the token endpoint (RFC 6749 section 3.2), in each of its forms.
func (a *API) token(ctx context.Context, x *exchange) {
	f, presented, ok := a.receive(x)
	if !ok {
		return
	}
	proofs := x.r.Header[headerDPoP]
	if len(proofs) > 0 {
		// On every answer, so that the next proof holds one that lasts (RFC 9449 section 8.2).
		if nonce := a.cfg.Service.DPoPNonce(x.start); nonce != "" {
			x.w.Header()[headerDPoPNonce] = []string{nonce}
		}
	}
	presented.GrantType = oauth.GrantType(f.grantType)
	request := tokenservice.Request{
		GrantType: presented.GrantType,
		Presented: presented,
		Scope:     f.scope,
		Resource:  f.resource,
		TokenType: f.tokenType,
		DPoP:      proofs,
		Admit:     a.admit(x),
	}
	answer, e := a.cfg.Service.Issue(ctx, request, &x.event)
	if e != nil {
		x.refuse(e)
		return
	}
	x.answer(answer)
	connectionOf(x.r).proven()
}

// receive does what every endpoint does at which clients authenticate: it judges
// what comes before the client is known, and parses the form and its credentials.
// False means that the request has been answered.
func (a *API) receive(x *exchange) (form, clientauth.Presented, bool) {
	if !x.allow("POST, OPTIONS", http.MethodPost) {
		return form{}, clientauth.Presented{}, false
	}
	if !a.peers.allow(network(x.peer), x.start) {
		x.refuse(tooMany("peer_rate"))
		return form{}, clientauth.Presented{}, false
	}
	if e := a.cfg.Health.Ready(); e != nil {
		x.refuse(e)
		return form{}, clientauth.Presented{}, false
	}
	f, presented, e := a.parse(x)
	if e != nil {
		x.refuse(e)
		return form{}, clientauth.Presented{}, false
	}
	return f, presented, true
}

// authorize answers at the authorization endpoint that only the tenants' metadata
// names, since Entra's libraries refuse a document without one. There is nobody to
// authorize here.
func (a *API) authorize(x *exchange) {
	if x.allow("GET, POST, OPTIONS", http.MethodGet, http.MethodHead, http.MethodPost) {
		x.refuse(oauth.NewError(oauth.ErrUnsupportedResponseType, ""))
	}
}

// admit limits what one client asks once it has authenticated.
func (a *API) admit(x *exchange) func(string) *oauth.Error {
	return func(clientID string) *oauth.Error {
		if !a.clients.allow(clientID, x.start) {
			return tooMany("client_rate")
		}
		return nil
	}
}

func tooMany(reason string) *oauth.Error {
	e := oauth.NewError(oauth.ErrTooManyRequests, "")
	e.Reason = reason
	return e
}

// url is the URL of the endpoint that was called, as the metadata writes it: what
// assertions and DPoP proofs name. Of what the caller says the Host header only
// chooses between the two hosts that there may be.
func (x *exchange) url() string {
	base := x.api.cfg.Issuer
	if h := x.api.mtlsHost; h != "" && (strings.EqualFold(x.r.Host, h) || strings.EqualFold(x.r.Host, h+":443")) {
		base = x.api.cfg.MTLSURL
	}
	return base + x.r.URL.Path
}
