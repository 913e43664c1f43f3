// Package dpop judges DPoP proofs (RFC 9449): small JWTs by which a caller shows,
// for one request, that it holds the private key which its token is bound to.
//
// Section 4.3 of the RFC lists twelve checks. They are made in the order of what
// they cost:
//
//	p, err := dpop.ParseHeader(r.Header.Values("DPoP")) // checks 1 to 5, and 7
//	err = p.Check(dpop.Expected{...})                   // 8, 9, 11, and ath of 12
//	ok := nonces.Accepts(p.Nonce, now)                  // 10, where nonces are asked for
//	err = p.Verify()                                    // 6, the signature
//
// Two things are left to the caller: that p.Thumbprint is the one in the token's
// cnf (12), and that no proof is used twice (section 11.1), for which it remembers
// p.ID until p.Ends.
//
// A proof is the one thing that is verified with the key in its own header. It
// says that its maker has that key, never who that is.
//
// The package takes the time from its caller and keeps nothing. Its errors are
// written for whoever made the proof, and hold neither token nor signature.
package dpop
