package tokenservice

import (
	"time"

	"github.com/lanyard-dev/lanyard/api/v1alpha1"
	"github.com/lanyard-dev/lanyard/issuer/dpop"
	"github.com/lanyard-dev/lanyard/issuer/oauth"
	"github.com/lanyard-dev/lanyard/issuer/replay"
	"github.com/lanyard-dev/lanyard/issuer/rules"
)

// DPoPNonce is what proofs have to hold at now (RFC 9449 section 8). Replicas give out
// the same one.
func (s *Service) DPoPNonce(now time.Time) string { return s.nonces(now).Make(now) }

func (s *Service) nonces(now time.Time) dpop.Nonces {
	return dpop.NewNonces(s.Minter.Keys.NonceKeys(now)...)
}

// readProof reads the DPoP proof of a request to endpoint, and checks what costs
// little; nil if there is none. It comes before authentication: a client that needs a
// nonce first has not used up its assertion.
func (s *Service) readProof(values []string, endpoint string, now time.Time) (*dpop.Proof, *oauth.Error) {
	if len(values) == 0 {
		return nil, nil //nolint:nilnil // no proof is no refusal: whether one is needed is decided later
	}
	proof, err := dpop.ParseHeader(values)
	if err != nil {
		return nil, oauth.NewError(oauth.ErrDPoPProof, err.Error())
	}
	if err := proof.Check(dpop.Expected{Now: now, Method: "POST", URLs: []string{endpoint}}); err != nil {
		return nil, oauth.NewError(oauth.ErrDPoPProof, err.Error())
	}
	if !s.nonces(now).Accepts(proof.Nonce, now) {
		return nil, oauth.NewError(oauth.ErrDPoPNonce, "")
	}
	return proof, nil
}

// prove verifies the proof's signature, and that the client has not used it before.
// It returns the thumbprint of its key, or nothing if there is no proof.
func (s *Service) prove(proof *dpop.Proof, client *v1alpha1.OAuthClient, now time.Time) (jkt string, refusal *oauth.Error) {
	if proof == nil {
		return "", nil
	}
	if err := proof.Verify(); err != nil {
		return "", oauth.NewError(oauth.ErrDPoPProof, err.Error())
	}
	// Apart from the client's assertions: no client id begins like this.
	switch s.Replay.Use(replay.Owner{Tenant: client.Namespace, Client: "dpop\x00" + rules.ClientID(client)}, proof.ID, proof.Ends(), now) {
	case replay.Fresh:
		return proof.Thumbprint, nil
	case replay.Full:
		return "", oauth.NewError(oauth.ErrReplayQuota, "")
	default:
		return "", oauth.NewError(oauth.ErrDPoPProof, "the proof was used before; send a new one with each request")
	}
}
