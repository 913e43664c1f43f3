package verifier

import (
	"strings"

	"github.com/lanyard-dev/lanyard/issuer/oauth"
)

// schemes that carry a token. They are compared without regard to case (RFC 9110
// section 11.1).
const (
	schemeBearer  = "Bearer"
	schemeMTLSPoP = "MTLS_POP"
	schemeDPoP    = "DPoP"
)

// credentials are what an Authorization header holds.
type credentials struct {
	scheme string // one of the constants
	token  string
}

// parseAuthorization reads the values of all Authorization headers of a request
// (RFC 6750 section 2.1). There is no other place where a token is looked for:
// neither the query nor the body, which end up in logs.
func parseAuthorization(values []string) (credentials, *Refusal) {
	const howTo = "send the header Authorization: Bearer or DPoP, a space and an access token"
	switch len(values) {
	case 0:
		return credentials{}, &Refusal{Description: "there is no access token; " + howTo}
	case 1:
	default:
		return credentials{}, &Refusal{Code: oauth.InvalidRequest, Description: "there is more than one Authorization header; send one"}
	}
	name, rest, _ := strings.Cut(values[0], " ")
	scheme := knownScheme(name)
	if scheme == "" {
		return credentials{}, &Refusal{Description: "the scheme of the Authorization header is not served; " + howTo}
	}
	token := strings.Trim(rest, " ")
	if !isToken68(token) {
		return credentials{}, &Refusal{Code: oauth.InvalidRequest, Description: "the Authorization header has no token of the right form; " + howTo}
	}
	return credentials{scheme: scheme, token: token}, nil
}

// knownScheme returns the constant of that name, or nothing.
func knownScheme(name string) string {
	for _, known := range [...]string{schemeBearer, schemeMTLSPoP, schemeDPoP} {
		if strings.EqualFold(name, known) {
			return known
		}
	}
	return ""
}

// isToken68 reports whether s has the form b64token of RFC 6750 section 2.1.
func isToken68(s string) bool {
	body := strings.TrimRight(s, "=")
	if body == "" {
		return false
	}
	for i := range len(body) {
		c := body[i]
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', strings.IndexByte("-._~+/", c) >= 0:
		default:
			return false
		}
	}
	return true
}
