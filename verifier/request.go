package verifier

import (
	"net/http"
	"net/url"
	"strings"
)

// requestOf takes the token and what came with it from the request, each from one
// place only: the certificate from the TLS handshake, never from a header.
func (v *Verifier) requestOf(r *http.Request) (Request, *Refusal) {
	presented, refusal := parseAuthorization(r.Header.Values("Authorization"))
	if refusal != nil {
		return Request{}, refusal
	}
	out := Request{Token: presented.token, Scheme: presented.scheme}
	if r.TLS != nil && len(r.TLS.PeerCertificates) > 0 {
		out.Certificate = r.TLS.PeerCertificates[0]
	}
	if presented.scheme == schemeDPoP {
		out.Proofs, out.Method, out.URLs = r.Header.Values(headerDPoP), r.Method, urlsOf(r, v.urls)
	}
	return out, nil
}

// urlsOf returns the URLs by which the client may have called: its path, as it
// was sent, under each of the bases, or under https and the Host of a TLS request
// if there are none. No header says what the URL is, as a proxy's might: anybody
// could send one.
func urlsOf(r *http.Request, bases []string) []string {
	target := r.URL
	// A router may have cut r.URL. What the client sent stands in RequestURI.
	if sent, err := url.ParseRequestURI(r.RequestURI); err == nil {
		target = sent
	}
	path := target.EscapedPath()
	if path == "" {
		path = "/"
	}
	if !strings.HasPrefix(path, "/") {
		return nil
	}
	if len(bases) == 0 && r.TLS != nil {
		bases = []string{"https://" + r.Host}
	}
	urls := make([]string, 0, len(bases))
	for _, base := range bases {
		urls = append(urls, base+path)
	}
	return urls
}
