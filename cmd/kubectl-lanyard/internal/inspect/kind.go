package inspect

import (
	"strings"

	"github.com/lanyard-dev/lanyard/issuer/oauth"
)

// Kind is what a token is for.
type Kind string

// The kinds that are known here.
const (
	// AccessToken is for an API (RFC 9068).
	AccessToken Kind = "access token"
	// ServiceAccountToken is Kubernetes' own. A token endpoint takes it as an assertion
	// if it is for the issuer.
	ServiceAccountToken Kind = "service account token"
	// ClientAssertion is what a client signs to authenticate itself (RFC 7523).
	ClientAssertion Kind = "client assertion"
	// DPoPProof comes beside an access token (RFC 9449).
	DPoPProof Kind = "DPoP proof"
	// UnknownToken is a JWT that is none of these.
	UnknownToken Kind = "token of an unknown kind"
	// NoToken cannot be read at all.
	NoToken Kind = "no token"
)

const (
	// typDPoP is the typ of a DPoP proof (RFC 9449 section 4.2).
	typDPoP = "dpop+jwt"
	// typAssertion is the typ that newer drafts give to client assertions.
	typAssertion = "client-authentication+jwt"
	// serviceAccountSubject begins the sub of every service account token.
	serviceAccountSubject = "system:serviceaccount:"
)

// KindOf says what a token is by what it says of itself.
func KindOf(d Decoded) Kind {
	typ, sub := text(d.Header, "typ"), text(d.Claims, "sub")
	switch {
	case len(d.Header) == 0 && len(d.Claims) == 0:
		return NoToken
	case typ == oauth.TypAccessToken:
		return AccessToken
	case typ == typDPoP:
		return DPoPProof
	case strings.HasPrefix(sub, serviceAccountSubject):
		return ServiceAccountToken
	case typ == typAssertion, sub != "" && sub == text(d.Claims, "iss"):
		return ClientAssertion
	}
	return UnknownToken
}
