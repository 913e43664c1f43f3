package clientauth

import (
	"github.com/lanyard-dev/lanyard/issuer/oauth"
	"github.com/lanyard-dev/lanyard/issuer/rules"
)

// Presented is what a request offers as proof of who it is.
type Presented struct {
	// ClientID is the parameter client_id, or the user of the Authorization header,
	// which agree; empty if neither was sent.
	ClientID string
	// Assertion and AssertionType are client_assertion and client_assertion_type.
	Assertion, AssertionType string
	// Secret is the client secret. SecretMethod says how it was sent,
	// client_secret_basic or client_secret_post; empty: none was.
	Secret       string
	SecretMethod oauth.AuthMethod
	// OtherAuthorization is true for an Authorization header that holds no client id
	// and secret.
	OtherAuthorization bool
	// Peer is the certificate of the connection.
	Peer rules.Peer
	// Endpoint is the URL that was called. Beside the issuer identifier it is the only
	// accepted audience of an assertion that the client itself signed (RFC 7523
	// section 3).
	Endpoint string
	// Tenant is the namespace in the path of the endpoint; empty for an endpoint of
	// all. The client must be of it.
	Tenant string
	// GrantType that the client asks by: tls_client_auth is for certificates alone.
	// Empty at other endpoints than the token endpoint.
	GrantType oauth.GrantType
}

// method is what a request authenticates with. The zero method is none.
type method int

const (
	byAssertion method = iota + 1
	bySecret
	byCertificate
)

// method says which one method p presents. It depends on the request alone, so that
// its refusals tell nothing about who exists. A certificate beside an assertion or a
// secret does not authenticate: the token is bound to it (RFC 8705 section 3).
func (p *Presented) method(secrets bool) (method, *oauth.Error) {
	assertion, certificate := p.Assertion != "" || p.AssertionType != "", !p.Peer.IsZero()
	secret := p.Secret != "" || p.SecretMethod != ""
	switch {
	case assertion && (secret || p.OtherAuthorization), secret && p.OtherAuthorization:
		return 0, oauth.NewError(oauth.ErrTwoMethods, "")
	case p.GrantType == oauth.GrantTLSClientAuth && certificate && (secret || p.OtherAuthorization):
		// Also where the header cannot be read: its page says what to leave out.
		return 0, oauth.NewError(oauth.ErrSecretBesideCertificate, "")
	case p.OtherAuthorization && certificate:
		return 0, oauth.NewError(oauth.ErrTwoMethods, "an Authorization header that holds no client id and secret was sent over a connection with a client certificate; leave the header out, and send client_id in the body")
	case p.OtherAuthorization:
		return 0, oauth.NewError(oauth.ErrNoMethod, "the Authorization header holds no client id and secret; leave it out, and send a client_assertion, or client_id over mutual TLS")
	case p.GrantType == oauth.GrantTLSClientAuth && (assertion || !certificate):
		return 0, oauth.NewError(oauth.ErrGrantNeedsCertificate, "")
	case assertion:
		return byAssertion, p.assertionForm()
	case secret:
		return bySecret, p.secretForm(secrets)
	case !certificate:
		return 0, oauth.NewError(oauth.ErrNoMethod, "")
	case p.ClientID == "":
		return 0, oauth.NewError(oauth.ErrMissingParameter, "client_id is missing; with mutual TLS it says which client the certificate is for")
	default:
		return byCertificate, nil
	}
}

func (p *Presented) assertionForm() *oauth.Error {
	switch {
	case p.Assertion == "":
		return oauth.NewError(oauth.ErrMissingParameter, "client_assertion_type is set and client_assertion is missing; send both")
	case p.AssertionType == "":
		return oauth.NewError(oauth.ErrMissingParameter, "client_assertion_type is missing; send "+oauth.AssertionTypeJWTBearer)
	case p.AssertionType == oauth.AssertionTypeJWTPoP && p.Peer.IsZero():
		return oauth.NewError(oauth.ErrAssertionNeedsCertificate, "")
	case p.AssertionType != oauth.AssertionTypeJWTBearer && p.AssertionType != oauth.AssertionTypeJWTPoP:
		return oauth.NewError(oauth.ErrAssertionType, "")
	}
	return nil
}

func (p *Presented) secretForm(served bool) *oauth.Error {
	switch {
	case !served && !p.Peer.IsZero():
		return oauth.NewError(oauth.ErrTwoMethods, "a client secret was sent over a connection with a client certificate, and client secrets are not served here; leave the secret out")
	case !served:
		return oauth.NewError(oauth.ErrNoMethod, "client secrets are not served here; send a client_assertion, or client_id over mutual TLS")
	case p.ClientID == "":
		return oauth.NewError(oauth.ErrMissingParameter, "client_id is missing; it says which client the client_secret is of")
	}
	return nil
}
