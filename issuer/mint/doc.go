// Package mint makes access tokens (RFC 9068). It is the only caller of the signer
// in issuer/jose, and it signs nothing but a rules.Approval: that no token is
// without a decision is a fact of the types.
package mint
