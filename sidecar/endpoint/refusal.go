package endpoint

import (
	"encoding/json"
	"errors"
	"net/http"
	"strings"

	"github.com/lanyard-dev/lanyard/issuer/oauth"
	"github.com/lanyard-dev/lanyard/sidecar/tokens"
)

const invalidRequest = oauth.InvalidRequest

// refusal is an answer without a token.
type refusal struct {
	status      int
	code        oauth.Code
	description string
	number      oauth.Number
	traceID     string
}

func badRequest(code oauth.Code, description string) *refusal {
	return &refusal{status: http.StatusBadRequest, code: code, description: description}
}

// refusalOf turns an error of the Source into an answer. What the issuer refused is
// passed on with its code; it is 400 also for invalid_client, because the caller's
// credentials, of which there are none, are not at fault.
func refusalOf(err error) refusal {
	if n, ok := errors.AsType[*tokens.NotListed](err); ok {
		return refusal{status: http.StatusBadRequest, code: oauth.InvalidTarget, description: n.Error()}
	}
	if r, ok := tokens.AsRefused(err); ok {
		return refusal{status: http.StatusBadRequest, code: r.Code, description: r.Error(), number: r.Number, traceID: r.TraceID}
	}
	return refusal{status: http.StatusServiceUnavailable, code: oauth.TemporarilyUnavailable, description: err.Error()}
}

// refuse answers as RFC 6749 section 5.2 says.
func (e *endpoint) refuse(w http.ResponseWriter, name string, r refusal) {
	e.cfg.Count(name, string(r.code))
	if r.status == http.StatusServiceUnavailable {
		w.Header().Set("Retry-After", "1")
	}
	body := struct {
		Error       oauth.Code     `json:"error"`
		Description string         `json:"error_description"`
		Codes       []oauth.Number `json:"error_codes,omitempty"`
		TraceID     string         `json:"trace_id,omitempty"`
	}{Error: r.code, Description: description(r.description), TraceID: r.traceID}
	if r.number != 0 {
		body.Codes = []oauth.Number{r.number}
	}
	write(w, r.status, body)
}

func (e *endpoint) refuseMethod(w http.ResponseWriter, name, allowed string) {
	w.Header().Set("Allow", allowed)
	e.refuse(w, name, refusal{status: http.StatusMethodNotAllowed, code: invalidRequest, description: "this endpoint answers " + allowed + " alone"})
}

// write sends an answer that no cache keeps (RFC 6749 section 5.1).
func write(w http.ResponseWriter, status int, body any) {
	text, err := json.Marshal(body)
	if err != nil { // strings and numbers: it cannot be
		status, text = http.StatusInternalServerError, nil
	}
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Cache-Control", "no-store")
	h.Set("Pragma", "no-cache")
	w.WriteHeader(status)
	_, _ = w.Write(append(text, '\n')) // the peer may be gone
}

// description is s in the characters that error_description may have (RFC 6749 section
// 5.2).
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
