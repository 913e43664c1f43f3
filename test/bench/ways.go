package main

import (
	"fmt"
	"net/url"
)

// The servers: one process each, on the same core, idle while another is measured.
const (
	serverFloor  = "floor"
	serverIssuer = "issuer"
)

// contender is one thing that is measured in every round: which server and path
// are asked, and with what.
type contender struct {
	name   string
	server string
	path   string
	// connections makes n peers and what they send.
	connections func(f fixture, path string, n int) []connection
	// bound says that the tokens must be bound to the peers' certificates.
	bound bool
}

// contenders in the order of a round. What is compared stands side by side. A new
// way to get a token is one line here and one in comparisons.
func contenders() []contender {
	return []contender{
		{name: "verify and sign", server: serverFloor, path: pathVerifyAndSign, connections: assertionsOverMTLS},
		{name: "federated", server: serverIssuer, path: "/oauth2/token", connections: assertionsOverMTLS, bound: true},
		{name: "federated, bearer", server: serverIssuer, path: "/oauth2/token", connections: assertions},
		{name: "sign", server: serverFloor, path: pathSign, connections: certificates},
		{name: "mtls", server: serverIssuer, path: "/oauth2/token", connections: certificates, bound: true},
	}
}

// comparison sets one contender beside another.
type comparison struct {
	name        string
	ours, floor string
	// goal is the least ratio of tokens per second; zero: there is none.
	goal float64
	// rateOnly leaves out latency and processor time.
	rateOnly bool
}

func comparisons() []comparison {
	return []comparison{
		{name: "federated", ours: "federated", floor: "verify and sign", goal: 0.6},
		{name: "federated, bearer", ours: "federated, bearer", floor: "verify and sign"},
		{name: "mtls", ours: "mtls", floor: "sign"},
		{name: "mtls beside verify and sign", ours: "mtls", floor: "verify and sign", rateOnly: true},
	}
}

// assertionsOverMTLS: each peer is a client with its certificate, and sends the
// service account tokens of its pods in turn. Its tokens are bound: the default.
func assertionsOverMTLS(f fixture, path string, n int) []connection {
	var out []connection
	for _, c := range f.some(n, true) {
		out = append(out, connection{Certificate: &c.Certificate, Requests: assertionRequests(c, boundResource, path)})
	}
	return out
}

// assertions: the same without a certificate, by clients whose tokens are not bound.
func assertions(f fixture, path string, n int) []connection {
	var out []connection
	for _, c := range f.some(n, false) {
		out = append(out, connection{Requests: assertionRequests(c, openResource, path)})
	}
	return out
}

// certificates: each peer authenticates by its certificate and its client_id alone
// (RFC 8705 section 2).
func certificates(f fixture, path string, n int) []connection {
	var out []connection
	for _, c := range f.some(n, true) {
		out = append(out, connection{Certificate: &c.Certificate, Requests: [][]byte{post(path, url.Values{
			"grant_type": {"client_credentials"},
			"client_id":  {c.ID()},
			"scope":      {boundResource + "/.default"},
		})}})
	}
	return out
}

// some returns n clients that are bound or not, the same at each call, and again
// from the first where there are too few.
func (f fixture) some(n int, bound bool) []client {
	var fit []client
	for _, c := range f.Clients {
		if c.Bound == bound {
			fit = append(fit, c)
		}
	}
	out := make([]client, n)
	for i := range out {
		out[i] = fit[i%len(fit)]
	}
	return out
}

func assertionRequests(c client, resource, path string) [][]byte {
	var out [][]byte
	for _, p := range c.Pods {
		out = append(out, post(path, url.Values{
			"grant_type":            {"client_credentials"},
			"client_assertion_type": {"urn:ietf:params:oauth:client-assertion-type:jwt-bearer"},
			"client_assertion":      {p.Assertion},
			"scope":                 {resource + "/.default"},
		}))
	}
	return out
}

// post is a whole request of HTTP/1.1.
func post(path string, form url.Values) []byte {
	body := form.Encode()
	return fmt.Appendf(nil, "POST %s HTTP/1.1\r\nHost: lanyard-issuer.lanyard-system.svc\r\nUser-Agent: lanyard-bench\r\n"+
		"Accept: application/json\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: %d\r\n\r\n%s", path, len(body), body)
}
