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
// section 4). All paths have the same, but for a tenant's endpoints.
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
	// A tenant's is not kept: anybody may name any, and to render it costs 10 µs.
	if x.tenant != "" || d == nil || !slices.Equal(d.algorithms, algorithms) {
		var err error
		if d, err = a.render(x.tenant, algorithms); err != nil {
			x.refuse(oauth.AsError(err))
			return
		}
		if x.tenant == "" {
			a.metadata.Store(d)
		}
	}
	x.publish(d.body, d.etag)
}

// metadata lists what is served, and nothing else.
type metadata struct {
	Issuer        string `json:"issuer"`
	Authorization string `json:"authorization_endpoint,omitempty"`
	endpoints
	JWKSURI       string            `json:"jwks_uri"`
	GrantTypes    []oauth.GrantType `json:"grant_types_supported"`
	ResponseTypes []string          `json:"response_types_supported"`
	SubjectTypes  []string          `json:"subject_types_supported"`

	AuthMethods             []oauth.AuthMethod `json:"token_endpoint_auth_methods_supported"`
	AuthAlgorithms          []jose.Algorithm   `json:"token_endpoint_auth_signing_alg_values_supported"`
	IntrospectionMethods    []oauth.AuthMethod `json:"introspection_endpoint_auth_methods_supported"`
	IntrospectionAlgorithms []jose.Algorithm   `json:"introspection_endpoint_auth_signing_alg_values_supported"`
	RevocationMethods       []oauth.AuthMethod `json:"revocation_endpoint_auth_methods_supported"`
	RevocationAlgorithms    []jose.Algorithm   `json:"revocation_endpoint_auth_signing_alg_values_supported"`

	TokenAlgorithms        []jose.Algorithm `json:"id_token_signing_alg_values_supported"`
	DPoPAlgorithms         []jose.Algorithm `json:"dpop_signing_alg_values_supported"`
	CertificateBoundTokens bool             `json:"tls_client_certificate_bound_access_tokens"`
	Aliases                *endpoints       `json:"mtls_endpoint_aliases,omitempty"`
}

// endpoints are those at which clients authenticate.
type endpoints struct {
	Token         string `json:"token_endpoint"`
	Introspection string `json:"introspection_endpoint"`
	Revocation    string `json:"revocation_endpoint"`
}

func endpointsAt(base, tenant string) endpoints {
	e := endpoints{base + pathToken, base + pathIntrospection, base + pathRevocation}
	if tenant != "" {
		e.Token = base + "/" + tenant + tenantToken
	}
	return e
}

// methods are those that clients may authenticate with, at every endpoint alike.
func (a *API) methods() []oauth.AuthMethod {
	m := []oauth.AuthMethod{oauth.AuthPrivateKeyJWT, oauth.AuthTLSClient, oauth.AuthSelfSignedTLSClient}
	if a.cfg.Secrets {
		m = append(m, oauth.AuthClientSecretBasic, oauth.AuthClientSecretPost)
	}
	return m
}

func (a *API) render(tenant string, algorithms []jose.Algorithm) (*document, error) {
	methods, asymmetric := a.methods(), jose.Algorithms()
	m := metadata{
		Issuer:        a.cfg.Issuer,
		endpoints:     endpointsAt(a.cfg.Issuer, tenant),
		JWKSURI:       a.cfg.Issuer + pathKeys,
		GrantTypes:    []oauth.GrantType{oauth.GrantClientCredentials, oauth.GrantTLSClientAuth},
		ResponseTypes: []string{}, // required by RFC 8414; there is nobody to authorize
		SubjectTypes:  []string{"public"},
		AuthMethods:   methods, IntrospectionMethods: methods, RevocationMethods: methods,
		// What assertions may be signed with.
		AuthAlgorithms: asymmetric, IntrospectionAlgorithms: asymmetric, RevocationAlgorithms: asymmetric,
		// There are no ID tokens here, but readers of this document, such as go-oidc,
		// learn from this field what the keys of jwks_uri sign with.
		TokenAlgorithms:        algorithms,
		DPoPAlgorithms:         asymmetric, // RFC 9449 section 5.1
		CertificateBoundTokens: true,       // RFC 8705 section 3.3
	}
	if tenant != "" {
		m.Authorization = a.cfg.Issuer + "/" + tenant + tenantAuthorization
	}
	if a.cfg.MTLSURL != "" {
		aliases := endpointsAt(a.cfg.MTLSURL, tenant)
		m.Aliases = &aliases
	}
	body, err := json.Marshal(m)
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
