// Package tokens holds a workload's access tokens, and keeps them fresh.
//
// A [Source] has one token for each resource that it was told of, and the certificate
// that they are bound to. It asks for the next token after about four fifths of the
// life of the last one, one request at a time for a resource, and serves what is still
// valid while the issuer is away. When the certificate is renewed, the tokens for the
// new one are fetched first; then tokens and certificate are switched together. A token
// and a certificate that do not belong together are never handed out.
//
// [Client] is the way to the issuer. The package writes no file and serves nothing.
package tokens
