package tokenservice

import (
	"context"
	"time"

	"github.com/lanyard-dev/lanyard/api/v1alpha1"
	"github.com/lanyard-dev/lanyard/issuer/clientauth"
	"github.com/lanyard-dev/lanyard/issuer/oauth"
	"github.com/lanyard-dev/lanyard/issuer/rules"
)

// IntrospectionRequest asks whether a token is active (RFC 7662 section 2.1).
type IntrospectionRequest struct {
	Presented clientauth.Presented
	Token     string
	// Admit is as in Request.
	Admit func(clientID string) *oauth.Error
}

// Introspection is the answer (RFC 7662 section 2.2). All but Active is empty where the
// token is not active, or none of the caller's business.
type Introspection struct {
	Active                                                      bool
	ClientID, Subject, Audience, Issuer, Scope, TokenID, Tenant string
	TokenType                                                   oauth.TokenType
	Roles                                                       []string
	IssuedAt, NotBefore, Expiry                                 time.Time
	// X5TS256 and JKT are the token's cnf.
	X5TS256, JKT string
}

// Introspect says whether a token is active at this moment: not only valid, but with
// everything in place that it was issued for. The caller authenticates like a client,
// and learns of tokens for the resources of its own namespace, and of its own.
func (s *Service) Introspect(ctx context.Context, r IntrospectionRequest, event *Event) (Introspection, *oauth.Error) {
	now := s.Now()
	if r.Token == "" {
		return Introspection{}, oauth.NewError(oauth.ErrMissingParameter, "token is missing; send the access token in the body")
	}
	caller, refusal := s.caller(ctx, r.Presented, r.Admit, now, event)
	if refusal != nil {
		return Introspection{}, refusal
	}
	token, ok := s.read(r.Token, now)
	if !ok {
		event.Inactive = "token_not_valid"
		return Introspection{}, nil
	}
	event.Audience, event.TokenID, event.ExpiresAt = token.Audience, token.ID, token.Expiry
	c, ok := s.Registry.ClientByID(token.ClientID)
	if !ok {
		event.Inactive = "client_gone"
		return Introspection{}, nil
	}
	facts := s.Registry.Facts(c, token.Audience)
	if !concerns(caller.Object, token, facts) {
		event.Inactive = "token_of_others"
		return Introspection{}, nil
	}
	if refusal := s.holds(ctx, token, facts, now, event); refusal != nil || event.Inactive != "" {
		return Introspection{}, refusal
	}
	event.Roles = token.Roles
	answer := Introspection{
		Active:   true,
		ClientID: token.ClientID, Subject: token.Subject, Audience: token.Audience, Issuer: s.Minter.Issuer,
		Scope: token.Scope, TokenID: token.ID, Tenant: token.Tenant, Roles: token.Roles,
		TokenType: oauth.TokenBearer,
		IssuedAt:  token.IssuedAt, NotBefore: token.NotBefore, Expiry: token.Expiry,
		X5TS256: token.Thumbprint, JKT: token.JKT,
	}
	if token.JKT != "" {
		answer.TokenType = oauth.TokenDPoP
	}
	return answer, nil
}

// concerns says whether the caller may know of the token.
func concerns(caller *v1alpha1.OAuthClient, token *issued, f rules.Facts) bool {
	return token.ClientID == rules.ClientID(caller) || f.Resource != nil && f.Resource.Namespace == caller.Namespace
}

// holds says in event why the token does not hold any more, if it does not. The refusal
// is that this could not be looked up.
func (s *Service) holds(ctx context.Context, token *issued, f rules.Facts, now time.Time, event *Event) *oauth.Error {
	if s.Registry.Revoked(token.ID) {
		event.Inactive = "revoked"
		return nil
	}
	if gone, ok := rules.Holds(f, token.Issued, now); !ok {
		event.Inactive = gone + "_gone"
		return nil
	}
	if token.Workload == nil {
		return nil
	}
	switch e := s.Authenticator.LivesFor(ctx, f.Client, token.Workload, now); {
	case e == nil:
		return nil
	case e.Number == oauth.ErrIdentity:
		event.Inactive = e.Reason
		return nil
	default:
		return e
	}
}
