package httpapi

import (
	"mime"
	"net/http"
	"net/url"
	"strings"
	"unicode/utf8"

	"github.com/lanyard-dev/lanyard/issuer/clientauth"
	"github.com/lanyard-dev/lanyard/issuer/oauth"
)

const (
	// maxAssertion is how long an assertion, or a token that is asked about, may be.
	maxAssertion = 16 << 10

	formType = "application/x-www-form-urlencoded"
)

// form is the parameters of a request. What is not named here is ignored (RFC 6749
// section 3.2). Every endpoint reads the same ones, so that none forgets a rule.
type form struct {
	grantType, clientID, clientSecret, assertionType, assertion string
	scope, resource, tokenType                                  string
	token, tokenTypeHint                                        string // RFC 7662, RFC 7009
	seen                                                        uint16
	requestID                                                   string
}

// field returns where the parameter of that name goes, and its bit in seen.
func (f *form) field(name string) (to *string, bit uint16) {
	switch name {
	case "grant_type":
		return &f.grantType, 1 << 0
	case "client_id":
		return &f.clientID, 1 << 1
	case "client_secret":
		return &f.clientSecret, 1 << 2
	case "client_assertion_type":
		return &f.assertionType, 1 << 3
	case "client_assertion":
		return &f.assertion, 1 << 4
	case "scope":
		return &f.scope, 1 << 5
	case "resource":
		return &f.resource, 1 << 6
	case "token_type":
		return &f.tokenType, 1 << 7
	case "token":
		return &f.token, 1 << 8
	case "token_type_hint":
		return &f.tokenTypeHint, 1 << 9
	default:
		return nil, 0
	}
}

// parse reads a request of a client. Media type and URL are judged before its body
// is waited for.
func (a *API) parse(x *exchange) (form, clientauth.Presented, *oauth.Error) {
	none := clientauth.Presented{}
	if e := checkType(x.r.Header); e != nil {
		return form{}, none, e
	}
	if e := checkQuery(x.r.URL.RawQuery); e != nil {
		return form{}, none, e
	}
	if e := a.identify(x); e != nil {
		return form{}, none, e
	}
	body, e := a.body(x)
	if e != nil {
		return form{}, none, e
	}
	f, e := parseForm(body)
	x.correlate(f.requestID)
	if e != nil {
		return form{}, none, e
	}
	presented := clientauth.Presented{
		ClientID:      f.clientID,
		Assertion:     f.assertion,
		AssertionType: f.assertionType,
		Peer:          x.certificate,
		Endpoint:      x.url(),
		Tenant:        x.tenant,
	}
	e = present(&presented, f, x.r.Header["Authorization"])
	return f, presented, e
}

// checkType refuses what is no plain form in UTF-8.
func checkType(h http.Header) *oauth.Error {
	wrong := func(detail string) *oauth.Error { return oauth.NewError(oauth.ErrWrongContentType, detail) }
	if len(h["Content-Encoding"]) > 0 {
		return wrong("the body is compressed; send it without Content-Encoding")
	}
	types := h["Content-Type"]
	switch {
	case len(types) != 1:
		return wrong("")
	case types[0] == formType: // as nearly everybody writes it
		return nil
	}
	media, params, err := mime.ParseMediaType(types[0])
	if err != nil || media != formType {
		return wrong("")
	}
	for name, value := range params {
		if name != "charset" || !strings.EqualFold(value, "utf-8") {
			return wrong("the form must be in UTF-8; send Content-Type: " + formType)
		}
	}
	return nil
}

// checkQuery refuses parameters of the request in its URL, where logs and proxies
// would keep them (RFC 6749 section 2.3.1). Others are ignored.
func checkQuery(query string) *oauth.Error {
	var f form
	for pair := range strings.SplitSeq(query, "&") {
		name, _, _ := strings.Cut(pair, "=")
		name, err := url.QueryUnescape(name)
		if err != nil {
			continue
		}
		if to, _ := f.field(name); to != nil {
			return oauth.NewError(oauth.ErrMalformedBody, name+" is in the URL, where logs keep it; send it in the body")
		}
	}
	return nil
}

// parseForm reads application/x-www-form-urlencoded. A parameter stands in it once
// at most (RFC 6749 section 3.2), and one without a value counts as left out.
func parseForm(body string) (form, *oauth.Error) {
	var f form
	for pair := range strings.SplitSeq(body, "&") {
		if pair == "" {
			continue
		}
		name, value, _ := strings.Cut(pair, "=")
		name, ok := unescape(name)
		if !ok {
			return form{}, oauth.NewError(oauth.ErrMalformedBody, "")
		}
		value, ok = unescape(value)
		if !ok {
			return form{}, oauth.NewError(oauth.ErrMalformedBody, "")
		}
		to, bit := f.field(name)
		if to == nil {
			if name == parameterRequestID && f.requestID == "" {
				f.requestID = value
			}
			continue
		}
		if f.seen&bit != 0 {
			if name == "resource" { // two resources, which RFC 8707 section 2 calls invalid_target
				return form{}, oauth.NewError(oauth.ErrScopeMismatch, "resource is sent more than once; a token is for one resource: ask for each in a request of its own")
			}
			return form{}, oauth.NewError(oauth.ErrDuplicateParameter, name+" is sent more than once; send it once")
		}
		f.seen |= bit
		*to = value
	}
	if len(f.assertion) > maxAssertion {
		return form{}, oauth.NewError(oauth.ErrBodyTooLarge, "client_assertion has more than 16 KiB")
	}
	if len(f.token) > maxAssertion {
		return form{}, oauth.NewError(oauth.ErrBodyTooLarge, "token has more than 16 KiB")
	}
	return f, nil
}

// unescape decodes a name or value; false if it is no UTF-8 or holds NUL.
func unescape(s string) (string, bool) {
	if strings.ContainsAny(s, "%+") {
		var err error
		if s, err = url.QueryUnescape(s); err != nil {
			return "", false
		}
	}
	return s, utf8.ValidString(s) && strings.IndexByte(s, 0) < 0
}
