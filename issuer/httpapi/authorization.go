package httpapi

import (
	"encoding/base64"
	"strings"

	"github.com/lanyard-dev/lanyard/issuer/clientauth"
	"github.com/lanyard-dev/lanyard/issuer/oauth"
)

// maxBasic is how long a Basic header may be: many times a client id and one of our
// secrets.
const maxBasic = 4 << 10

// present puts the client's credentials from form and headers together: each is
// sent in one way only, and one client is named.
func present(p *clientauth.Presented, f form, authorization []string) *oauth.Error {
	if f.clientSecret != "" {
		p.Secret, p.SecretMethod = f.clientSecret, oauth.AuthClientSecretPost
	}
	if len(authorization) == 0 {
		return nil
	}
	id, secret, ok := parseBasic(authorization)
	switch {
	case !ok:
		p.OtherAuthorization = true
		return nil
	case f.clientSecret != "":
		return oauth.NewError(oauth.ErrTwoMethods, "a secret is in the Authorization header and in client_secret; send it once")
	case p.ClientID != "" && p.ClientID != id:
		return oauth.NewError(oauth.ErrTwoMethods, "client_id and the user of the Authorization header name different clients; leave one of them out")
	}
	p.ClientID, p.Secret, p.SecretMethod = id, secret, oauth.AuthClientSecretBasic
	return nil
}

// parseBasic reads the one Authorization header with the scheme Basic, whose user
// and password are form-urlencoded first (RFC 6749 section 2.3.1, RFC 7617). False
// means that it cannot be read.
func parseBasic(values []string) (user, password string, ok bool) {
	if len(values) != 1 || len(values[0]) > maxBasic {
		return "", "", false
	}
	scheme, credentials, _ := strings.Cut(values[0], " ")
	if !strings.EqualFold(scheme, "Basic") {
		return "", "", false
	}
	text, err := base64.StdEncoding.Strict().DecodeString(strings.TrimLeft(credentials, " "))
	if err != nil {
		return "", "", false
	}
	user, password, ok = strings.Cut(string(text), ":")
	if !ok {
		return "", "", false
	}
	user, userOK := unescape(user)
	password, passwordOK := unescape(password)
	if !userOK || !passwordOK || user == "" {
		return "", "", false
	}
	return user, password, true
}
