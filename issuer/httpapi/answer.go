package httpapi

import (
	"errors"
	"net/http"
	"runtime"
	"strconv"
	"strings"
	"time"

	"github.com/lanyard-dev/lanyard/issuer/oauth"
	"github.com/lanyard-dev/lanyard/issuer/tokenservice"
)

// Values of headers, made once. Nobody changes them.
//
//nolint:gochecknoglobals // constants that Go cannot write as such
var (
	headerJSON    = []string{"application/json"}
	headerNoStore = []string{"no-store"}
	headerNoCache = []string{"no-cache"}
	headerClose   = []string{"close"}
	headerPublic  = []string{"public, max-age=300"}
)

// begin sends the headers.
func (x *exchange) begin(status int) {
	x.leaveBody()
	if x.echo {
		x.w.Header()[headerRequestID] = []string{x.correlation}
	}
	x.status = status
	x.w.WriteHeader(status)
}

// write sends one whole answer.
func (x *exchange) write(status int, body []byte) {
	h := x.w.Header()
	h["Content-Type"] = headerJSON
	h["Content-Length"] = []string{strconv.Itoa(len(body))}
	x.begin(status)
	// An error means that the peer is gone; there is nobody to tell.
	_, _ = x.w.Write(body)
}

// private keeps the answer out of every cache (RFC 6749 section 5.1).
func (x *exchange) private() {
	h := x.w.Header()
	h["Cache-Control"] = headerNoStore
	h["Pragma"] = headerNoCache
}

// answer sends a token (RFC 6749 section 5.1).
func (x *exchange) answer(a tokenservice.Answer) {
	b := make([]byte, 0, len(a.AccessToken)+len(a.Scope)+128)
	b = append(b, `{"access_token":`...)
	b = appendString(b, a.AccessToken)
	b = append(b, `,"token_type":`...)
	b = appendString(b, string(a.TokenType))
	b = append(b, `,"expires_in":`...)
	b = strconv.AppendInt(b, int64(a.ExpiresIn/time.Second), 10)
	b = append(b, `,"scope":`...)
	b = appendString(b, a.Scope)
	b = append(b, "}\n"...)
	x.private()
	x.write(http.StatusOK, b)
}

// refuse sends a refusal (RFC 6749 section 5.2, with what Entra's libraries read).
func (x *exchange) refuse(e *oauth.Error) {
	x.refusal = e
	status := statusOf(e.Number)
	x.private()
	h := x.w.Header()
	if s := retryAfter(e.Number); s != "" {
		h.Set("Retry-After", s)
	}
	if status == http.StatusUnauthorized {
		h.Set("WWW-Authenticate", x.challenge())
		if x.event.Thumbprint != "" && !x.proxied {
			// A certificate cannot be changed on a connection: the next attempt needs another.
			h["Connection"] = headerClose
		}
	}
	x.write(status, x.errorBody(e))
}

// challenge is the value of WWW-Authenticate, which a 401 must have (RFC 9110
// section 15.5.2). Who tried with an Authorization header is answered with its
// scheme (RFC 6749 section 5.2). For the other methods that are served HTTP has no
// schemes; they are named as the metadata names them, and a client that does not
// know them ignores them.
func (x *exchange) challenge() string {
	const basic, methods = `Basic realm="lanyard"`, `private_key_jwt, tls_client_auth, self_signed_tls_client_auth`
	scheme, _, _ := strings.Cut(x.r.Header.Get("Authorization"), " ")
	switch {
	case x.api.cfg.Secrets:
		return basic + ", " + methods
	case strings.EqualFold(scheme, "Basic"):
		return basic
	default:
		return methods
	}
}

func (x *exchange) errorBody(e *oauth.Error) []byte {
	b := make([]byte, 0, 512)
	b = append(b, `{"error":`...)
	b = appendString(b, string(e.Code()))
	b = append(b, `,"error_description":`...)
	b = appendString(b, description(e.Description()))
	b = append(b, `,"error_codes":[`...)
	b = strconv.AppendInt(b, int64(e.Number), 10)
	b = append(b, `],"timestamp":"`...)
	b = x.start.UTC().AppendFormat(b, time.RFC3339)
	b = append(b, `","trace_id":`...)
	b = appendString(b, x.trace)
	b = append(b, `,"correlation_id":`...)
	b = appendString(b, x.correlation)
	return append(b, "}\n"...)
}

// description is s in the characters that error_description may have (RFC 6749
// section 5.2): printable ASCII without the quotation mark and the backslash.
func description(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '"':
			return '\''
		case r < 0x20 || r > 0x7e || r == '\\':
			return '?'
		}
		return r
	}, s)
}

// appendString appends s as a JSON string. s is printable ASCII: tokens, scopes and
// our own texts are, and correlation ids were checked. Anything else becomes "?"
// rather than an answer that cannot be read.
func appendString(b []byte, s string) []byte {
	b = append(b, '"')
	if plain(s) { // as tokens are, which are long
		return append(append(b, s...), '"')
	}
	for i := range len(s) {
		switch c := s[i]; {
		case c == '"' || c == '\\':
			b = append(b, '\\', c)
		case c < 0x20 || c > 0x7e:
			b = append(b, '?')
		default:
			b = append(b, c)
		}
	}
	return append(b, '"')
}

// plain says whether s stands in a JSON string, and in a header, as it is.
func plain(s string) bool {
	for i := range len(s) {
		if c := s[i]; c < 0x20 || c > 0x7e || c == '"' || c == '\\' {
			return false
		}
	}
	return true
}

// panicked answers a request whose handling panicked. What the panic said may hold
// anything, so that only its kind and its place are told.
func (x *exchange) panicked(p any) {
	var b strings.Builder
	b.WriteString("panic")
	if err, ok := p.(error); ok {
		if e, ok := errors.AsType[runtime.Error](err); ok {
			b.WriteString(": " + e.Error())
		}
	}
	var pcs [24]uintptr
	frames := runtime.CallersFrames(pcs[:runtime.Callers(3, pcs[:])])
	for more := true; more; {
		var f runtime.Frame
		f, more = frames.Next()
		b.WriteString(" < " + f.Function + ":" + strconv.Itoa(f.Line))
	}
	e := oauth.NewError(oauth.ErrInternal, "").WithCause(errors.New(b.String()))
	e.Reason = "panic"
	if x.status != 0 {
		x.refusal = e // the answer is on its way already
		return
	}
	x.refuse(e)
}
