// Package verifier lets a resource server accept Lanyard's access tokens: JWTs of
// RFC 9068 that are bound to the client's certificate as RFC 8705 section 3 says,
// or to a key of the client as RFC 9449 says (DPoP).
//
// A server needs two things: the middleware, and a TLS configuration that asks
// for client certificates.
//
//	v, err := verifier.New(verifier.Config{
//		Issuer:   "https://lanyard-issuer.lanyard-system.svc",
//		Audience: "api://orders",
//		RootCAs:  roots, // who signed the issuer's own certificate
//	})
//	...
//	mux := http.NewServeMux()
//	mux.Handle("GET /orders", v.RequireRole("Orders.Read.All")(list))
//	server := &http.Server{Handler: mux, TLSConfig: verifier.TLSConfig(nil)}
//	server.ListenAndServeTLS("tls.crt", "tls.key")
//
// Within a handler, FromContext says who calls. A server that does not speak
// net/http calls Verify with the token and the certificate of the connection, or
// VerifyRequest with all that came with the token.
//
// A token is accepted if it is signed with a key that the issuer publishes, is an
// access token of that issuer for exactly this audience, is in time, names its
// client, and if what it is bound to came with it.
//
// # Tokens bound to a certificate
//
// They come with the scheme Bearer or MTLS_POP, over a connection that was made
// with the certificate. The certificate is taken from the TLS handshake alone: a header that
// claims to carry one is never read, so a server behind a proxy that ends TLS
// cannot check the binding. The client's certificate authority need not be known:
// the handshake proves that the caller has the key, and the thumbprint in the
// token says which key it must be.
//
// # Tokens bound to a DPoP key
//
// They come with the scheme DPoP and one proof in the header DPoP: a JWT, made for
// this request and signed with the key. It is compared with method, URL, time and
// token, and accepted once. This works behind a proxy that ends TLS, which Config
// must then be told of:
//
//	Config{URLs: []string{"https://orders.example.com"}, ...}
//
// Each process remembers the proofs it has seen. To replicas that share an address
// a proof can be sent once each, for a minute and a half. Config.NonceKeys adds that
// nobody can make proofs in advance, at the price of one more round trip when a
// client begins.
//
// # Refusals
//
// A refusal is answered with WWW-Authenticate and a JSON body whose error_codes
// name a page of the documentation.
//
// The issuer is asked for its keys only: at first use, every five minutes, and
// for an unknown key id at most every ten seconds. While it is down, the keys of
// up to a day ago serve. A token is accepted until it expires, also if its client
// was suspended meanwhile: tokens live for minutes.
//
// The package imports nothing of Kubernetes.
package verifier
