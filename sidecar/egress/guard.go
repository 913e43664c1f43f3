package egress

import (
	"net"
	"net/http"
	"strings"
)

// foreign says why a request is not the app's own, in a sentence; empty if it may be.
//
// Whoever reaches the port acts with the pod's token. In the pod that is meant. A browser in the
// pod (one that renders pages to PDF, say) would lend it to the pages that it shows: by a name
// that the page's owner points to 127.0.0.1 (DNS rebinding), which shows in Host, or straight
// from the page, which shows in Origin, or in Sec-Fetch-Site where a browser sends no Origin.
// HTTP libraries send neither; those that send an Origin with a WebSocket send that of the URL.
//
// Forwarded headers are no reason: a reverse proxy is an app like any other. An app that can be
// led to fetch any URL calls the upstream with it; no header can be asked for here, since plain
// clients must work.
func foreign(r *http.Request) string {
	if r.Method == http.MethodConnect {
		return "this is no forward proxy; call the paths of the upstream here"
	}
	if !isLoopback(r.Host) {
		return "the Host is not this proxy's; call it as http://127.0.0.1 or http://localhost with the upstream's port"
	}
	for _, origin := range r.Header.Values("Origin") {
		if !strings.EqualFold(origin, "http://"+r.Host) {
			return "the request has an Origin, as a browser's have; pages may not call the upstream through this proxy"
		}
	}
	if len(r.Header.Values("Sec-Fetch-Site")) > 0 {
		return "the request has a Sec-Fetch-Site, as a browser's have; pages may not call the upstream through this proxy"
	}
	return ""
}

// isLoopback reports whether the Host header names this machine's loopback, with any port or none.
func isLoopback(host string) bool {
	name, _, err := net.SplitHostPort(host)
	if err != nil {
		name = strings.TrimSuffix(strings.TrimPrefix(host, "["), "]")
	}
	return name == "127.0.0.1" || name == "::1" || strings.EqualFold(name, "localhost")
}
