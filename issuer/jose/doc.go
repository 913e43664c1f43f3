// Package jose reads and writes JSON Web Tokens (RFC 7519) and JSON Web Key Sets
// (RFC 7517) the strict way. It is the only place where the repository touches
// golang-jwt and go-jose, whose defaults accept more than an issuer should:
// repeated members, names in other letters, keys and algorithms that were not
// meant for each other.
//
// Reading has two stages, so that a caller can choose the key by what the token
// claims to be before anything is believed:
//
//	u, err := jose.ParseUnverified(raw)            // form only; proves nothing
//	t, err := u.Verify(keysOf[u.Claims.Issuer], jose.Expected{...})
//
// Only a *Token, which only the second stage makes, may be acted on.
//
// A key that a token brings along in its header is never used for it. The one
// thing that is verified with its own key is a Proof, which ParseProof reads.
//
// The package knows neither Kubernetes nor HTTP, never fetches anything, and
// takes the time from its caller. No error it returns holds a token, a
// signature or a key.
package jose
