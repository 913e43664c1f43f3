// Package egress is the way out: for each upstream of a pod's settings a proxy on the loopback
// address that adds the access token and the client certificate which the token is bound to.
// The app speaks plain HTTP with 127.0.0.1, and holds neither.
//
// It owns the connections to the upstreams. A connection is tied to the certificate that it was
// made with: a token that is bound to another one never travels over it, whatever is renewed
// meanwhile. The token goes to the configured host and to no other: redirects are passed on to
// the app and not followed, and no proxy of the environment is asked.
//
// It never fetches a token, never writes one anywhere but into the request, and imports nothing
// of Kubernetes.
package egress
