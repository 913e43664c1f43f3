package verifier

import (
	"errors"
	"fmt"

	"github.com/lanyard-dev/lanyard/issuer/dpop"
	"github.com/lanyard-dev/lanyard/issuer/jose"
	"github.com/lanyard-dev/lanyard/issuer/oauth"
	"github.com/lanyard-dev/lanyard/issuer/replay"
)

// confirmation reads cnf (RFC 7800 section 3.1): absent, or the thumbprint of
// either a certificate or a DPoP key, and nothing else. What is not understood is
// a binding that would not be checked, and is refused.
func confirmation(cnf map[string]any) (x5tS256, jkt string, refusal *Refusal) {
	if cnf == nil {
		return "", "", nil
	}
	x5tS256, _ = cnf["x5t#S256"].(string)
	jkt, _ = cnf["jkt"].(string)
	if len(cnf) != 1 || x5tS256 == "" && jkt == "" {
		return "", "", notAccepted("the token is bound in a way that is not known here; its cnf must have either x5t#S256 or jkt", nil)
	}
	return x5tS256, jkt, nil
}

// checkBinding judges whether what the token is bound to is what came with it:
// its certificate is that of the connection (RFC 8705 section 3). Of a DPoP key it
// judges only that there is a proof; checkProof does the rest.
func checkBinding(t *Token, r Request, allowUnbound bool) *Refusal {
	scheme := knownScheme(r.Scheme)
	switch {
	case r.Scheme != "" && scheme == "":
		return &Refusal{Code: oauth.InvalidRequest, Description: "the scheme is not served; use Bearer, MTLS_POP or DPoP"}
	case t.JKT != "" && scheme != "" && scheme != schemeDPoP:
		return invalidToken(oauth.ErrTokenNeedsProof, "the token is bound to a DPoP key; send it with the scheme DPoP and a proof")
	case t.JKT != "" && len(r.Proofs) == 0:
		return invalidToken(oauth.ErrTokenNeedsProof, "the token is bound to a DPoP key; send a proof in the header DPoP")
	case t.JKT != "":
		return nil
	case t.Thumbprint != "" && scheme == schemeDPoP:
		return invalidToken(oauth.ErrTokenNeedsCertificate, "the token is bound to a certificate and not to a DPoP key; connect with it over mutual TLS and use the scheme Bearer")
	case t.Thumbprint != "" && r.Certificate == nil:
		return invalidToken(oauth.ErrTokenNeedsCertificate, "the token is bound to a certificate; connect with it over mutual TLS")
	case t.Thumbprint != "" && jose.X5TS256(r.Certificate.Raw) != t.Thumbprint:
		return invalidToken(oauth.ErrTokenOtherCertificate, "the token is bound to another certificate than that of the connection")
	case t.Thumbprint != "":
		return nil
	case scheme == schemeMTLSPoP:
		return invalidToken(oauth.ErrTokenNotBound, "the scheme MTLS_POP is for tokens that are bound to a certificate; this one is not")
	case scheme == schemeDPoP:
		return invalidToken(oauth.ErrTokenNotBound, "the scheme DPoP is for tokens that are bound to a DPoP key; this one is not")
	case !allowUnbound:
		return invalidToken(oauth.ErrTokenNotBound, "the token is bound to nothing, and this resource accepts bound tokens only; ask for one that is bound to a certificate or a DPoP key")
	}
	return nil
}

// checkProof judges the DPoP proof of a token (RFC 9449 section 7.1), the costly
// signature last but for the memory, which only a proof of the token's own key
// may fill. The error is a *Refusal, or ErrUnavailable if the memory is full.
func (v *Verifier) checkProof(t *Token, r Request) (*dpop.Proof, error) {
	now := v.now()
	proof, err := dpop.ParseHeader(r.Proofs)
	if err != nil {
		return nil, refuseProof(err)
	}
	if proof.Thumbprint != t.JKT {
		// The RFC's example: another token may heal it, another proof does not.
		return nil, invalidToken(oauth.ErrTokenOtherProof, "the token is bound to another key than that of the DPoP proof")
	}
	if err := proof.Check(dpop.Expected{Now: now, Method: r.Method, URLs: r.URLs, AccessToken: r.Token}); err != nil {
		return nil, refuseProof(err)
	}
	if v.asksForNonces && !v.nonces.Accepts(proof.Nonce, now) {
		return nil, &Refusal{
			Code: oauth.UseDPoPNonce, Number: oauth.ErrTokenProofNonce,
			Description: "the DPoP proof must have the nonce of the header DPoP-Nonce",
		}
	}
	if err := proof.Verify(); err != nil {
		return nil, refuseProof(err)
	}
	switch v.proofs.Use(replay.Owner{Tenant: t.Tenant, Client: t.ClientID}, proof.ID, proof.Ends(), now) {
	case replay.Fresh:
		return proof, nil
	case replay.Replayed:
		return nil, refuseProof(errors.New("the DPoP proof was used before; make a new one, with a new jti, for each request"))
	case replay.Full:
	}
	return nil, fmt.Errorf("%w: there is no room to remember another DPoP proof", ErrUnavailable)
}

// refuseProof tells whoever made the proof what is wrong with it.
func refuseProof(err error) *Refusal {
	return &Refusal{Code: oauth.InvalidDPoPProof, Number: oauth.ErrTokenOtherProof, Description: err.Error()}
}

// DPoPNonce returns the nonce that proofs must have now (Config.NonceKeys), to be
// sent in the header DPoP-Nonce. It is empty if none is asked for.
func (v *Verifier) DPoPNonce() string { return v.nonces.Make(v.now()) }
