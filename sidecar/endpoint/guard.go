package endpoint

import (
	"net"
	"net/http"
	"slices"
	"strings"
)

// strange says what shows that a request does not come from a program of the pod that
// means this endpoint; empty if nothing does. Another Host is DNS rebinding; an Origin
// is a browser; the others are a proxy that was made to forward.
func (e *endpoint) strange(r *http.Request) string {
	hosts := []string{net.JoinHostPort("127.0.0.1", e.cfg.Port), net.JoinHostPort("localhost", e.cfg.Port), net.JoinHostPort("::1", e.cfg.Port)}
	if !slices.Contains(hosts, strings.ToLower(r.Host)) {
		return "the Host is another than " + strings.Join(hosts, ", ") + "; call one of these directly"
	}
	for name := range r.Header {
		// Some programs read an underscore as a hyphen.
		name = strings.ReplaceAll(strings.ToLower(name), "_", "-")
		if name == "origin" || name == "forwarded" || name == "via" || name == "x-real-ip" || strings.HasPrefix(name, "x-forwarded-") {
			return "the request has the header " + name + ", which browsers and proxies send; call this endpoint directly"
		}
	}
	return ""
}
