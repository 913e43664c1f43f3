package endpoint

import (
	"io"
	"mime"
	"net/http"
	"net/url"
	"strings"

	"github.com/lanyard-dev/lanyard/issuer/oauth"
	"github.com/lanyard-dev/lanyard/sidecar/tokens"
)

const (
	maxBody  = 64 << 10
	formType = "application/x-www-form-urlencoded"
)

// oauthAnswer is the body of POST /oauth2/token (RFC 6749 section 5.1).
type oauthAnswer struct {
	AccessToken string `json:"access_token"`
	TokenType   string `json:"token_type"`
	ExpiresIn   int64  `json:"expires_in"`
	Scope       string `json:"scope,omitempty"`
}

// oauth answers POST /oauth2/token. Who may ask has been settled by who shares the pod;
// credentials that a library insists on sending are neither needed nor looked at.
func (e *endpoint) oauth(w http.ResponseWriter, r *http.Request) {
	const name = "oauth2_token"
	if r.Method != http.MethodPost {
		e.refuseMethod(w, name, http.MethodPost)
		return
	}
	form, wrong := readForm(w, r)
	if wrong == nil {
		wrong = checkForm(form, r.Header)
	}
	if wrong != nil {
		e.refuse(w, name, *wrong)
		return
	}
	resource, wrong := e.asked(form)
	if wrong != nil {
		e.refuse(w, name, *wrong)
		return
	}
	e.token(w, r, name, resource, func(t *tokens.Token) any {
		return oauthAnswer{AccessToken: t.Value, TokenType: t.Type, ExpiresIn: e.remaining(t), Scope: t.Scope}
	})
}

func readForm(w http.ResponseWriter, r *http.Request) (url.Values, *refusal) {
	if media, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || media != formType {
		return nil, &refusal{status: http.StatusUnsupportedMediaType, code: invalidRequest, description: "send Content-Type: " + formType}
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if err != nil {
		return nil, &refusal{status: http.StatusRequestEntityTooLarge, code: invalidRequest, description: "the form cannot be read; it may have 64 KiB"}
	}
	form, err := url.ParseQuery(string(body))
	if err != nil {
		return nil, badRequest(invalidRequest, "the body is not a valid form")
	}
	return form, nil
}

// checkForm refuses what would be answered with another kind of token than was asked for.
func checkForm(form url.Values, header http.Header) *refusal {
	for _, name := range []string{"grant_type", "scope", "resource", "token_type"} {
		if len(form[name]) > 1 {
			return badRequest(invalidRequest, name+" is sent more than once; send it once")
		}
	}
	switch oauth.GrantType(form.Get("grant_type")) {
	case oauth.GrantClientCredentials, oauth.GrantTLSClientAuth: // the same grant, with another way to authenticate
	case "":
		return badRequest(invalidRequest, "grant_type is missing; send grant_type=client_credentials")
	default:
		return badRequest(oauth.UnsupportedGrantType, "this grant_type is not served here; use client_credentials")
	}
	if header.Get("DPoP") != "" || strings.EqualFold(form.Get("token_type"), string(oauth.TokenDPoP)) {
		return badRequest(invalidRequest, "tokens from here are bound to the sidecar's certificate, not to a DPoP key; leave the proof out, or ask the issuer itself")
	}
	return nil
}

// asked reads which resource the request is for, from scope (RFC 6749 section 3.3) or
// resource (RFC 8707 section 2). The token that is held has every role that is granted;
// a narrower one is refused, because the answer would be more than was asked for.
func (e *endpoint) asked(form url.Values) (string, *refusal) {
	named := form.Get("resource")
	for scope := range strings.FieldsSeq(form.Get("scope")) {
		identifier, all := strings.CutSuffix(scope, "/"+oauth.DefaultScope)
		switch {
		case !all || identifier == "":
			return "", badRequest(oauth.InvalidScope, "the sidecar holds tokens with every role that is granted: write scope=<identifier>/.default; for a token with fewer roles ask the issuer itself")
		case named != "" && named != identifier:
			return "", badRequest(oauth.InvalidScope, "a token is for one resource; ask for each in a request of its own")
		}
		named = identifier
	}
	resource, missing := e.only(named)
	if missing != "" {
		return "", badRequest(oauth.InvalidScope, missing+"write scope=<identifier>/.default")
	}
	return resource, nil
}
