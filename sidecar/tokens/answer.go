package tokens

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/lanyard-dev/lanyard/issuer/oauth"
)

// maxLife bounds what an answer may say of a token's life.
const maxLife = 24 * time.Hour

// Grant is the issuer's "yes".
type Grant struct {
	AccessToken, TokenType, Scope string
	ExpiresIn                     time.Duration
	// Thumbprint is the cnf of the token, if it is bound to a certificate.
	Thumbprint string
}

// parseAnswer reads the issuer's answer to a request for a token (RFC 6749 sections 5.1
// and 5.2). What it cannot read it does not quote: nobody knows what it holds.
func parseAnswer(resource string, status int, header http.Header, body []byte) (Grant, error) {
	var a struct {
		AccessToken string         `json:"access_token"`
		TokenType   string         `json:"token_type"`
		ExpiresIn   int64          `json:"expires_in"`
		Scope       string         `json:"scope"`
		Error       string         `json:"error"`
		Description string         `json:"error_description"`
		Codes       []oauth.Number `json:"error_codes"`
		TraceID     string         `json:"trace_id"`
	}
	unavailable := func(cause error) (Grant, error) {
		seconds, _ := strconv.Atoi(header.Get("Retry-After")) // a date, or nothing, is zero
		return Grant{}, &Unavailable{Resource: resource, Cause: cause, RetryAfter: time.Duration(min(max(seconds, 0), 3600)) * time.Second}
	}
	if err := json.Unmarshal(body, &a); err != nil || (a.AccessToken == "") == (a.Error == "") {
		return unavailable(fmt.Errorf("what answers there is no issuer of Lanyard, or one in trouble: it says %d, with neither a token nor an error; is --issuer right?", status))
	}
	if a.Error != "" {
		r := &Refused{
			Resource: resource, Code: oauth.Code(printable(a.Error, 64)), Description: printable(a.Description, 512), TraceID: printable(a.TraceID, 128),
		}
		if len(a.Codes) > 0 {
			r.Number = a.Codes[0]
		}
		if status >= http.StatusInternalServerError || status == http.StatusTooManyRequests {
			return unavailable(r)
		}
		return Grant{}, r
	}
	life := time.Duration(min(a.ExpiresIn, int64(maxLife/time.Second))) * time.Second
	if life <= 0 || status != http.StatusOK || !tokenText(a.AccessToken) {
		return unavailable(errors.New("the issuer's answer cannot be used: a token with expires_in is expected"))
	}
	return Grant{
		AccessToken: a.AccessToken, TokenType: printable(a.TokenType, 32), Scope: printable(a.Scope, 16<<10), ExpiresIn: life,
		Thumbprint: confirmation(a.AccessToken),
	}, nil
}

// confirmation is the x5t#S256 in the cnf of a JWT (RFC 8705 section 3.1). It is read
// unverified: the issuer, which is known by its certificate, has just given it. A token
// that is no JWT, or names none, is bound to none.
func confirmation(token string) string {
	_, rest, _ := strings.Cut(token, ".")
	payload, _, _ := strings.Cut(rest, ".")
	text, err := base64.RawURLEncoding.DecodeString(payload)
	if err != nil {
		return ""
	}
	var claims struct {
		Cnf struct {
			Thumbprint string `json:"x5t#S256"`
		} `json:"cnf"`
	}
	if json.Unmarshal(text, &claims) != nil {
		return ""
	}
	return claims.Cnf.Thumbprint
}

// tokenText says whether s can be written into a header (RFC 6750 section 2.1) and into
// a line of a file.
func tokenText(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r <= 0x20 || r > 0x7e || r == '"' || r == '\\' })
}

// printable is s, at most so long, in the characters that error_description may have
// (RFC 6749 section 5.2): it goes to logs and to other people's programs.
func printable(s string, most int) string {
	return strings.Map(func(r rune) rune {
		if r < 0x20 || r > 0x7e || r == '"' || r == '\\' {
			return '?'
		}
		return r
	}, s[:min(len(s), most)])
}
