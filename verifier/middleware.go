package verifier

import (
	"context"
	"crypto/x509"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strings"

	"github.com/lanyard-dev/lanyard/issuer/oauth"
)

type contextKey struct{}

// FromContext returns the token of the request that Middleware or RequireRole
// accepted. ok is false outside of them.
func FromContext(ctx context.Context) (token *Token, ok bool) {
	token, ok = ctx.Value(contextKey{}).(*Token)
	return token, ok
}

// Middleware lets requests through that carry a token which Verify accepts, in
// exactly one Authorization header with the scheme Bearer or MTLS_POP. Others are
// answered: 400 or 401 with WWW-Authenticate as RFC 6750 section 3 says, 503 if
// the token could not be judged.
func (v *Verifier) Middleware(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		token, err := v.authenticate(r)
		if err != nil {
			v.answer(w, r, err)
			return
		}
		next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), contextKey{}, token)))
	})
}

// RequireRole is Middleware that in addition wants the client to have at least
// one of the roles, and answers 403 insufficient_scope otherwise. Without any
// role it lets nobody through.
func (v *Verifier) RequireRole(roles ...string) func(next http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		return v.Middleware(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			token, ok := FromContext(r.Context())
			if !ok || !slices.ContainsFunc(roles, token.HasRole) {
				v.answer(w, r, v.missingRole(roles))
				return
			}
			next.ServeHTTP(w, r)
		}))
	}
}

func (v *Verifier) missingRole(roles []string) *Refusal {
	refusal := &Refusal{
		Code:        oauth.InsufficientScope,
		Description: "the client has none of the roles that this needs: " + strings.Join(roles, ", "),
	}
	if len(roles) == 1 {
		refusal.scope = v.audience + "/" + roles[0]
	}
	return refusal
}

// authenticate takes token and certificate from the request, each from one place
// only: the certificate from the TLS handshake, never from a header.
func (v *Verifier) authenticate(r *http.Request) (*Token, error) {
	presented, refusal := parseAuthorization(r.Header.Values("Authorization"))
	if refusal != nil {
		return nil, refusal
	}
	var certificate *x509.Certificate
	if r.TLS != nil && len(r.TLS.PeerCertificates) > 0 {
		certificate = r.TLS.PeerCertificates[0]
	}
	token, err := v.Verify(r.Context(), presented.token, certificate)
	if err != nil {
		return nil, err
	}
	if presented.scheme == schemeMTLSPoP && token.Thumbprint == "" {
		return nil, invalidToken("the scheme MTLS_POP is for tokens that are bound to a certificate; this one is not")
	}
	return token, nil
}

// answer writes the refusal: once in the header, and the same in the body.
func (v *Verifier) answer(w http.ResponseWriter, r *http.Request, err error) {
	v.log.DebugContext(r.Context(), "request refused", "reason", err.Error())
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Cache-Control", "no-store")
	refusal, isRefusal := errors.AsType[*Refusal](err)
	if !isRefusal {
		h.Set("Retry-After", "10")
		writeBody(w, http.StatusServiceUnavailable, oauth.TemporarilyUnavailable, "the token could not be judged for lack of the issuer's keys; try again")
		return
	}
	for _, scheme := range [...]string{schemeBearer, schemeMTLSPoP} {
		h.Add("WWW-Authenticate", challenge(scheme, v.audience, refusal))
	}
	writeBody(w, statusOf(refusal.Code), refusal.Code, refusal.Description)
}

// statusOf is the table of RFC 6750 section 3.1.
func statusOf(code oauth.Code) int {
	switch code {
	case oauth.InvalidRequest:
		return http.StatusBadRequest
	case oauth.InsufficientScope:
		return http.StatusForbidden
	default:
		return http.StatusUnauthorized
	}
}

func challenge(scheme, realm string, r *Refusal) string {
	text := scheme + ` realm="` + quotable(realm) + `"`
	if r.Code == "" {
		return text // no credentials, no error (RFC 6750 section 3.1)
	}
	text += `, error="` + string(r.Code) + `", error_description="` + quotable(r.Description) + `"`
	if r.scope != "" {
		text += `, scope="` + quotable(r.scope) + `"`
	}
	return text
}

// quotable leaves out what must not stand in the quoted values of RFC 6750
// section 3.
func quotable(s string) string {
	return strings.Map(func(r rune) rune {
		if r < 0x20 || r > 0x7e || r == '"' || r == '\\' {
			return -1
		}
		return r
	}, s)
}

func writeBody(w http.ResponseWriter, status int, code oauth.Code, description string) {
	body, err := json.Marshal(struct {
		Error       oauth.Code `json:"error,omitempty"`
		Description string     `json:"error_description"`
	}{code, description})
	if err != nil {
		status, body = http.StatusInternalServerError, nil
	}
	w.WriteHeader(status)
	_, _ = w.Write(body) // the peer may be gone; there is nobody else to tell
}
