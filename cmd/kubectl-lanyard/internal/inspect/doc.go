// Package inspect is `kubectl lanyard inspect`: what a token and a certificate say,
// whether they belong together, and whether an API would accept them now.
//
// Read finds what was given, Decode shows what can be shown of it, also of a token
// that is bad, and Judge says what stands against it, with the strict parser that
// the verifier uses. All of it is pure; only the command reads files, standard input
// and, where it was told to, the issuer's keys.
//
// What comes out of a token is somebody else's text: it is escaped before it reaches
// the terminal. The token itself, its signature, and a private key that somebody
// passed by mistake are never printed.
package inspect
