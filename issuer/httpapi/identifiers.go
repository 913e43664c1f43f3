package httpapi

import (
	"encoding/hex"
	"io"
	"net/url"
	"strings"
)

const (
	// parameterRequestID is the correlation id that Microsoft's libraries send: in the
	// header, in the query, in the form, or in several of them.
	parameterRequestID = "client-request-id"
	headerRequestID    = "Client-Request-Id"
	maxCorrelation     = 128
)

// identifiers gives x a new trace id, and the caller's correlation id or a new one.
func (a *API) identifiers(x *exchange) {
	var b [32]byte
	// If there is no randomness the ids are zero; a token could not be made either.
	_, _ = io.ReadFull(a.cfg.Random, b[:])
	text := hex.EncodeToString(b[:])
	x.trace, x.correlation = text[:32], text[32:]
	x.correlate(x.r.Header.Get(headerRequestID))
	if !x.echo && strings.Contains(x.r.URL.RawQuery, parameterRequestID) {
		x.correlate(queryValue(x.r.URL.RawQuery, parameterRequestID))
	}
}

// correlate takes id as the correlation id, unless there is one already or it is no
// id: that is no reason to refuse a request.
func (x *exchange) correlate(id string) {
	if x.echo || id == "" || len(id) > maxCorrelation || !printable(id) {
		return
	}
	x.correlation, x.echo = id, true
}

func queryValue(query, name string) string {
	for pair := range strings.SplitSeq(query, "&") {
		if n, value, _ := strings.Cut(pair, "="); n == name {
			value, err := url.QueryUnescape(value)
			if err != nil {
				return ""
			}
			return value
		}
	}
	return ""
}

func printable(s string) bool {
	for i := range len(s) {
		if s[i] < 0x20 || s[i] > 0x7e {
			return false
		}
	}
	return true
}
