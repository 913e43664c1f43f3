package ingress

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
)

// AuthConfig says who may ask, and how it does.
type AuthConfig struct {
	// Proxy is the kind of the proxy that asks.
	Proxy Proxy
	// Peers may ask. Nil: whoever reaches the listener may, which must be on the loopback address
	// or a unix socket then.
	Peers *Peers
}

// The headers by which nginx and HAProxy tell of the request that is to be judged.
const (
	headerOriginalMethod = "X-Original-Method"
	headerOriginalURI    = "X-Original-Uri"
)

// AuthRequest returns the handler that a proxy asks whether a request may pass: auth_request of
// nginx, ext_authz of Envoy over HTTP. 200 with the identity headers says that it may (Envoy
// takes nothing else for yes), 401 with WWW-Authenticate or 403 that it may not. Where the rule
// is for anyone the identity headers are there and empty, so that a proxy that copies them
// overwrites a client's.
func (g *Gate) AuthRequest(c AuthConfig) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		g.observe(w, r, byAuthRequest, func(rec *recorder) {
			rec.id = g.requestID(r)
			if c.Peers != nil && (r.TLS == nil || !c.Peers.trusts(r.TLS.PeerCertificates, g.Now())) {
				refuse(rec, http.StatusForbidden, "", "access_denied", "this is not the certificate of a proxy that may ask here")
				return
			}
			judged, err := c.Proxy.asked(r)
			if err != nil {
				rec.cause = err
				refuse(rec, http.StatusForbidden, "", "invalid_request", err.Error())
				return
			}
			g.judge(yesOrNo{rec}, judged, func(w http.ResponseWriter, _ *http.Request, a admitted) {
				rec.admitted = &a
				for name, value := range identity(a.token) {
					w.Header().Set(name, value)
				}
				w.WriteHeader(http.StatusOK)
			})
		})
	})
}

// asked is the request that the proxy asks about.
func (p Proxy) asked(r *http.Request) (*http.Request, error) {
	judged, err := p.callerOf(r)
	if err != nil || p == Envoy { // which asks with the request's own method and path
		return judged, err
	}
	method, uri := r.Header.Values(headerOriginalMethod), r.Header.Values(headerOriginalURI)
	if len(method) != 1 || len(uri) != 1 {
		return nil, fmt.Errorf("the headers %s and %s must be there, once each; set them in the proxy", headerOriginalMethod, headerOriginalURI)
	}
	target, err := url.ParseRequestURI(uri[0])
	if err != nil {
		return nil, errors.New("the header X-Original-Uri is no path with a query")
	}
	judged.Method, judged.URL, judged.RequestURI = method[0], target, uri[0]
	return judged, nil
}

// yesOrNo answers 401 or 403 where an answer would be 400: proxies take other answers for a
// failure of whom they ask.
type yesOrNo struct{ *recorder }

// WriteHeader implements http.ResponseWriter.
func (w yesOrNo) WriteHeader(status int) {
	if status == http.StatusBadRequest {
		status = http.StatusForbidden
		if w.Header().Get("WWW-Authenticate") != "" {
			status = http.StatusUnauthorized
		}
	}
	w.recorder.WriteHeader(status)
}
