package verifier

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strings"

	"github.com/lanyard-dev/lanyard/issuer/jose"
	"github.com/lanyard-dev/lanyard/issuer/oauth"
)

// The headers of RFC 9449 sections 4.1 and 8.
const (
	headerDPoP      = "DPoP"
	headerDPoPNonce = "DPoP-Nonce"
)

type contextKey struct{}

// accepted is what stands in the context of a request: its token, and who accepted it.
type accepted struct {
	by    *Verifier
	token *Token
}

// FromContext returns the token of the request that Middleware or RequireRole
// accepted. ok is false outside of them.
func FromContext(ctx context.Context) (token *Token, ok bool) {
	a, ok := ctx.Value(contextKey{}).(accepted)
	return a.token, ok
}

// Middleware lets requests through that carry a token which VerifyRequest accepts,
// in exactly one Authorization header with the scheme Bearer, MTLS_POP or DPoP.
// Others are answered: 400 or 401 with WWW-Authenticate as RFC 6750 section 3 and
// RFC 9449 section 7.1 say, 503 if the token could not be judged.
func (v *Verifier) Middleware(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if a, ok := r.Context().Value(contextKey{}).(accepted); ok && a.by == v {
			next.ServeHTTP(w, r) // within another Middleware: a proof is accepted once only
			return
		}
		token, err := v.authenticate(w, r)
		if err != nil {
			v.answer(w, r, err)
			return
		}
		next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), contextKey{}, accepted{v, token})))
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
		Number:      oauth.ErrTokenWithoutRole,
		Description: "the client has none of the roles that this needs: " + strings.Join(roles, ", "),
	}
	if len(roles) == 1 {
		refusal.scope = v.audience + "/" + roles[0]
	}
	return refusal
}

// authenticate judges the request. A proof whose nonce is about to end is accepted
// with the next nonce in the answer (RFC 9449 section 8.2), which is not to be
// stored then: it would be given out again when it has ended.
func (v *Verifier) authenticate(w http.ResponseWriter, r *http.Request) (*Token, error) {
	request, refusal := v.requestOf(r)
	if refusal != nil {
		return nil, refusal
	}
	token, proof, err := v.judge(r.Context(), request)
	if err != nil {
		return nil, err
	}
	if v.asksForNonces && proof != nil {
		if nonce := v.DPoPNonce(); nonce != proof.Nonce {
			w.Header().Set(headerDPoPNonce, nonce)
			w.Header().Set("Cache-Control", "no-store")
		}
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
		writeBody(w, http.StatusServiceUnavailable, &Refusal{
			Code: oauth.TemporarilyUnavailable, Description: "the token cannot be judged now; try again",
		})
		return
	}
	if v.asksForNonces {
		h.Set(headerDPoPNonce, v.DPoPNonce())
	}
	for _, scheme := range schemesFor(refusal.Code) {
		h.Add("WWW-Authenticate", challenge(scheme, v.audience, refusal))
	}
	writeBody(w, statusOf(refusal.Code), refusal)
}

// schemesFor returns the schemes of the challenges. What concerns DPoP alone is
// told under DPoP alone: clients look for use_dpop_nonce in a single challenge.
func schemesFor(code oauth.Code) []string {
	if code == oauth.InvalidDPoPProof || code == oauth.UseDPoPNonce {
		return []string{schemeDPoP}
	}
	return []string{schemeBearer, schemeMTLSPoP, schemeDPoP}
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
	if scheme == schemeDPoP {
		text += `, algs="` + proofAlgorithms() + `"` // RFC 9449 section 7.1
	}
	if r.Code == "" {
		return text // no credentials, no error (RFC 6750 section 3.1)
	}
	text += `, error="` + string(r.Code) + `", error_description="` + quotable(r.Description) + `"`
	if r.scope != "" {
		text += `, scope="` + quotable(r.scope) + `"`
	}
	return text
}

// proofAlgorithms are the algorithms that a proof may be signed with.
func proofAlgorithms() string {
	var names []string
	for _, a := range jose.Algorithms() {
		names = append(names, string(a))
	}
	return strings.Join(names, " ")
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

func writeBody(w http.ResponseWriter, status int, r *Refusal) {
	answer := struct {
		Error       oauth.Code     `json:"error,omitempty"`
		Description string         `json:"error_description"`
		Numbers     []oauth.Number `json:"error_codes,omitempty"`
	}{Error: r.Code, Description: r.Description}
	if r.Number != 0 {
		answer.Numbers = []oauth.Number{r.Number}
	}
	body, err := json.Marshal(answer)
	if err != nil {
		status, body = http.StatusInternalServerError, nil
	}
	w.WriteHeader(status)
	_, _ = w.Write(body) // the peer may be gone; there is nobody else to tell
}
