package httpapi

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"slices"
	"strings"

	"github.com/lanyard-dev/lanyard/issuer/jose"
	"github.com/lanyard-dev/lanyard/issuer/oauth"
)

// keys is the JWKS (RFC 7517). It is served also while the issuer is stale: tokens
// that were issued before are verified on.
func (a *API) keys(x *exchange) {
	if !x.allow("GET, HEAD, OPTIONS", http.MethodGet, http.MethodHead) {
		return
	}
	body, etag := a.cfg.Keys.JWKS(x.start)
	if etag == "" {
		// An empty set would be kept for as long as a good one.
		x.refuse(oauth.NewError(oauth.ErrNotReady, ""))
		return
	}
	x.publish(body, etag)
}

// document is the metadata, rendered.
type document struct {
	algorithms []jose.Algorithm
	body       []byte
	etag       string
}

// describe is the metadata (RFC 8414 section 3, OpenID Connect Discovery 1.0
// section 4). Both paths have the same.
func (a *API) describe(x *exchange) {
	if !x.allow("GET, HEAD, OPTIONS", http.MethodGet, http.MethodHead) {
		return
	}
	algorithms := a.cfg.Keys.Algorithms(x.start)
	if len(algorithms) == 0 {
		// A reader that finds no algorithms takes RS256 for granted, and keeps it.
		x.refuse(oauth.NewError(oauth.ErrNotReady, ""))
		return
	}
	d := a.metadata.Load()
	if d == nil || !slices.Equal(d.algorithms, algorithms) {
		var err error
		if d, err = render(a.cfg.Issuer, algorithms); err != nil {
			x.refuse(oauth.AsError(err))
			return
		}
		a.metadata.Store(d)
	}
	x.publish(d.body, d.etag)
}

// metadata lists what this version serves, and nothing else.
type metadata struct {
	Issuer                 string             `json:"issuer"`
	TokenEndpoint          string             `json:"token_endpoint"`
	JWKSURI                string             `json:"jwks_uri"`
	GrantTypes             []oauth.GrantType  `json:"grant_types_supported"`
	ResponseTypes          []string           `json:"response_types_supported"`
	SubjectTypes           []string           `json:"subject_types_supported"`
	AuthMethods            []oauth.AuthMethod `json:"token_endpoint_auth_methods_supported"`
	AssertionAlgorithms    []jose.Algorithm   `json:"token_endpoint_auth_signing_alg_values_supported"`
	TokenAlgorithms        []jose.Algorithm   `json:"id_token_signing_alg_values_supported"`
	CertificateBoundTokens bool               `json:"tls_client_certificate_bound_access_tokens"`
}

func render(issuer string, algorithms []jose.Algorithm) (*document, error) {
	body, err := json.Marshal(metadata{
		Issuer:        issuer,
		TokenEndpoint: issuer + pathToken,
		JWKSURI:       issuer + pathKeys,
		GrantTypes:    []oauth.GrantType{oauth.GrantClientCredentials},
		ResponseTypes: []string{}, // required by RFC 8414; there is no authorization endpoint
		SubjectTypes:  []string{"public"},
		AuthMethods:   []oauth.AuthMethod{oauth.AuthPrivateKeyJWT, oauth.AuthTLSClient, oauth.AuthSelfSignedTLSClient},
		// What assertions may be signed with.
		AssertionAlgorithms: jose.Algorithms(),
		// There are no ID tokens here, but readers of this document, such as go-oidc,
		// learn from this field what the keys of jwks_uri sign with.
		TokenAlgorithms:        algorithms,
		CertificateBoundTokens: true, // RFC 8705 section 3.3
	})
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(body)
	return &document{
		algorithms: slices.Clone(algorithms),
		body:       body,
		etag:       `"` + hex.EncodeToString(sum[:16]) + `"`,
	}, nil
}

// publish sends a public document, or says that the caller has it already.
func (x *exchange) publish(body []byte, etag string) {
	h := x.w.Header()
	h["Cache-Control"] = headerPublic
	h.Set("ETag", etag)
	if matches(x.r.Header.Get("If-None-Match"), etag) {
		x.begin(http.StatusNotModified)
		return
	}
	x.write(http.StatusOK, body) // net/http leaves the body out for HEAD
}

// matches is RFC 9110 section 13.1.2 with the weak comparison it asks for.
func matches(ifNoneMatch, etag string) bool {
	for candidate := range strings.SplitSeq(ifNoneMatch, ",") {
		candidate = strings.TrimSpace(candidate)
		if candidate == "*" || strings.TrimPrefix(candidate, "W/") == etag {
			return true
		}
	}
	return false
}
