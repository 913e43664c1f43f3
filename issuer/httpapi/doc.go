// Package httpapi is the issuer's endpoints: it parses a request once into a
// tokenservice.Request, and writes the answer once.
//
// It is the only place that knows HTTP status codes (status.go), the body of an
// error (answer.go) and the log event of a request (event.go). It decides nothing:
// who asks and what is granted is found out below. What it refuses by itself is
// what never gets that far: another path, method or media type, a body that is too
// large or no form, a parameter twice, too many requests.
//
// The certificate of a client is that of its TLS connection, or what a configured
// proxy says in Client-Cert (proxy.go). Other headers that claim one
// (X-Forwarded-Client-Cert, X-SSL-Cert) are never read.
package httpapi
