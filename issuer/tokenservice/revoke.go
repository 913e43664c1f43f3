package tokenservice

import (
	"context"
	"time"

	"github.com/lanyard-dev/lanyard/issuer/clientauth"
	"github.com/lanyard-dev/lanyard/issuer/oauth"
	"github.com/lanyard-dev/lanyard/issuer/rules"
)

// RevocationRequest asks that a token end now (RFC 7009 section 2.1).
type RevocationRequest struct {
	Presented clientauth.Presented
	Token     string
	// Admit is as in Request.
	Admit func(clientID string) *oauth.Error
}

// RevokedToken is a token that ended before its time.
type RevokedToken struct {
	// ClientID and Namespace of the client that it was given to.
	ClientID, Namespace string
	// ID is its jti.
	ID        string
	ExpiresAt time.Time
}

// Revocations stores what is revoked, for all replicas.
type Revocations interface {
	// Revoke returns true once the revocation is stored, and false if it is not to be:
	// the client has quota revoked tokens already, counting what waits to be stored. The
	// error means that it may not be stored.
	Revoke(ctx context.Context, t RevokedToken, quota int) (bool, error)
}

// Revoke ends a token of the client that asks. A token that is none, or has ended, is
// no error (RFC 7009 section 2.2): it is what the client wanted.
func (s *Service) Revoke(ctx context.Context, r RevocationRequest, event *Event) *oauth.Error {
	now := s.Now()
	if r.Token == "" {
		return oauth.NewError(oauth.ErrMissingParameter, "token is missing; send the access token in the body")
	}
	caller, refusal := s.caller(ctx, r.Presented, r.Admit, now, event)
	if refusal != nil {
		return refusal
	}
	token, ok := s.read(r.Token, now)
	if !ok {
		event.Inactive = "token_not_valid"
		return nil
	}
	clientID := rules.ClientID(caller.Object)
	if token.ClientID != clientID {
		return oauth.NewError(oauth.ErrNotOwnToken, "")
	}
	event.Audience, event.TokenID, event.ExpiresAt = token.Audience, token.ID, token.Expiry
	if s.Registry.Revoked(token.ID) {
		event.Inactive = "revoked"
		return nil
	}
	stored, err := s.Revocations.Revoke(ctx, RevokedToken{
		ClientID: clientID, Namespace: caller.Object.Namespace, ID: token.ID, ExpiresAt: token.Expiry,
	}, s.RevocationQuota)
	switch {
	case err != nil:
		e := oauth.NewError(oauth.ErrCannotLookUp, "the revocation could not be stored; try again").WithCause(err)
		e.Reason = "revocation_not_stored"
		return e
	case !stored:
		return oauth.NewError(oauth.ErrRevocationQuota, "")
	default:
		return nil
	}
}
