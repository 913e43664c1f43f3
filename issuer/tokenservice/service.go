// Package tokenservice is the token endpoint without HTTP: authenticate, decide,
// mint. It reads like the specification, and is what every form of the endpoint
// calls, so that no second endpoint can forget a rule of the first. Introspection and
// revocation stand beside it, and authenticate their callers by the same code.
package tokenservice

import (
	"context"
	"time"

	"github.com/lanyard-dev/lanyard/issuer/clientauth"
	"github.com/lanyard-dev/lanyard/issuer/mint"
	"github.com/lanyard-dev/lanyard/issuer/oauth"
	"github.com/lanyard-dev/lanyard/issuer/registry"
	"github.com/lanyard-dev/lanyard/issuer/replay"
	"github.com/lanyard-dev/lanyard/issuer/rules"
)

// Request is a token request (RFC 6749 section 4.4.2), parsed once.
type Request struct {
	GrantType oauth.GrantType
	Presented clientauth.Presented
	// Scope and Resource are the parameters as sent; empty if absent.
	Scope, Resource string
	// TokenType is the parameter token_type; empty if absent.
	TokenType string
	// DPoP are the values of the header of that name (RFC 9449 section 4.1).
	DPoP []string
	// Admit is asked once the client has authenticated, before anything costly is
	// done for it: a stranger cannot use up what belongs to somebody else. Nil
	// admits everybody.
	Admit func(clientID string) *oauth.Error
}

// Answer is a successful answer (RFC 6749 section 5.1).
type Answer struct {
	AccessToken string
	TokenType   oauth.TokenType
	// ExpiresIn is the token's remaining life, in whole seconds.
	ExpiresIn time.Duration
	Scope     string
}

// Event is what an operator wants to know of a request. It is filled in as things
// are learned, also of a request that is refused, and holds nothing secret.
type Event struct {
	ClientID   string
	Method     oauth.AuthMethod
	Thumbprint string
	Workload   *rules.Workload
	Audience   string
	Roles      []string
	// TokenID is the token's jti.
	TokenID   string
	ExpiresAt time.Time
	// Inactive is why introspection found a token inactive, or revocation one that
	// needs none: a fixed word.
	Inactive string
}

// Service issues tokens.
type Service struct {
	Authenticator *clientauth.Authenticator
	Registry      *registry.Registry
	Minter        *mint.Minter
	// Replay remembers the DPoP proofs that were used.
	Replay *replay.Memory
	// Revocations stores what is revoked, and RevocationQuota is how many tokens one
	// client may have revoked at a time.
	Revocations     Revocations
	RevocationQuota int
	// Now is the clock.
	Now func() time.Time
}

// Issue answers one token request. event is filled in also where the answer is a
// refusal.
func (s *Service) Issue(ctx context.Context, r Request, event *Event) (Answer, *oauth.Error) {
	now := s.Now()
	event.ClientID, event.Thumbprint = r.Presented.ClientID, r.Presented.Peer.Thumbprint

	// What needs no look-up comes first, so that garbage costs little.
	ask, refusal := parse(r)
	if refusal != nil {
		return Answer{}, refusal
	}
	proof, refusal := s.readProof(r.DPoP, r.Presented.Endpoint, now)
	if refusal != nil {
		return Answer{}, refusal
	}
	// 1. Who asks?
	client, refusal := s.authenticate(ctx, r.Presented, r.Admit, now, event)
	if refusal != nil {
		return Answer{}, refusal
	}
	jkt, refusal := s.prove(proof, client.Object, now)
	if refusal != nil {
		return Answer{}, refusal
	}

	// 2. For what? Without a name, for the client's only resource.
	if ask.Identifier == "" {
		only, ok := s.Registry.OnlyResource(client.Object)
		if !ok {
			return Answer{}, oauth.NewError(oauth.ErrNoScope, "")
		}
		ask.Identifier = only
	}
	event.Audience = ask.Identifier

	// 3. May it?
	approval, refusal := rules.Decide(s.Registry.Facts(client.Object, ask.Identifier), rules.Request{
		GrantType:      r.GrantType,
		Ask:            ask,
		TokenType:      oauth.TokenType(r.TokenType),
		Peer:           r.Presented.Peer,
		Method:         client.Method,
		DPoP:           jkt,
		Pin:            client.Pin,
		Secret:         client.Secret,
		CredentialEnds: client.Ends,
		Workload:       client.Workload,
	}, now)
	if refusal != nil {
		return Answer{}, refusal
	}
	// 4. Sign what was decided, and nothing else.
	token, err := s.Minter.Mint(approval)
	if err != nil {
		return Answer{}, oauth.AsError(err)
	}
	event.Roles, event.TokenID, event.ExpiresAt = approval.Roles(), token.ID, approval.ExpiresAt()
	return Answer{
		AccessToken: token.Value,
		TokenType:   approval.TokenType(),
		ExpiresIn:   approval.Lifetime(),
		Scope:       approval.Scope(),
	}, nil
}

// authenticate finds out who asks, and whether it may ask now.
func (s *Service) authenticate(ctx context.Context, p clientauth.Presented, admit func(string) *oauth.Error, now time.Time, event *Event) (clientauth.Client, *oauth.Error) {
	var seen clientauth.Seen
	client, refusal := s.Authenticator.Authenticate(ctx, p, now, &seen)
	if seen.ClientID != "" {
		event.ClientID = seen.ClientID
	}
	event.Workload = seen.Workload
	if refusal != nil {
		return clientauth.Client{}, refusal
	}
	event.Method = client.Method
	if admit != nil {
		if refusal := admit(event.ClientID); refusal != nil {
			return clientauth.Client{}, refusal
		}
	}
	return client, nil
}

// caller authenticates who asks about a token. Here, too, a certificate that is not
// the client's is never passed over.
func (s *Service) caller(ctx context.Context, p clientauth.Presented, admit func(string) *oauth.Error, now time.Time, event *Event) (clientauth.Client, *oauth.Error) {
	event.ClientID, event.Thumbprint = p.ClientID, p.Peer.Thumbprint
	client, refusal := s.authenticate(ctx, p, admit, now, event)
	if refusal != nil || p.Peer.IsZero() {
		return client, refusal
	}
	if _, ok := rules.LivePin(client.Object, s.Registry.Certificates(client.Object), p.Peer, now); !ok {
		return clientauth.Client{}, oauth.NewError(oauth.ErrCertificateNotPinned, "")
	}
	return client, nil
}

// parse checks the parameters that no look-up is needed for.
func parse(r Request) (rules.Ask, *oauth.Error) {
	switch {
	case r.GrantType == "":
		return rules.Ask{}, oauth.NewError(oauth.ErrMissingParameter, "grant_type is missing; send grant_type="+string(oauth.GrantClientCredentials))
	case r.GrantType != oauth.GrantClientCredentials && r.GrantType != oauth.GrantTLSClientAuth:
		return rules.Ask{}, oauth.NewError(oauth.ErrUnsupportedGrantType, "")
	}
	switch oauth.TokenType(r.TokenType) {
	case "", oauth.TokenBearer, oauth.TokenMTLSPoP:
	default:
		return rules.Ask{}, oauth.NewError(oauth.ErrTokenType, "")
	}
	return rules.ParseScope(r.Scope, r.Resource)
}
