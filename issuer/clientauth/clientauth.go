package clientauth

import (
	"context"
	"time"

	"github.com/lanyard-dev/lanyard/api/v1alpha1"
	"github.com/lanyard-dev/lanyard/issuer/jose"
	"github.com/lanyard-dev/lanyard/issuer/oauth"
	"github.com/lanyard-dev/lanyard/issuer/registry"
	"github.com/lanyard-dev/lanyard/issuer/replay"
	"github.com/lanyard-dev/lanyard/issuer/rules"
)

// Client is a client that has proved who it is.
type Client struct {
	Object *v1alpha1.OAuthClient
	// Method that verified.
	Method oauth.AuthMethod
	// Workload is what the service account token said; nil for other methods. It
	// must not be changed.
	Workload *rules.Workload
	// Pin is the thumbprint of the pin whose key signed the assertion; empty for other
	// methods.
	Pin string
	// Secret is the rules.SecretID of the client secret; empty for other methods.
	Secret string
	// Ends is when what the client proved itself with ends, which its token must not
	// outlive: the service account token, the pin whose key signed the assertion, or
	// the secret. Zero for a TLS certificate, which issuer/rules looks at itself.
	Ends time.Time
}

// Seen is what is known of who asked, also where it was refused: for the log alone.
type Seen struct {
	// ClientID of the client that was found; empty if none was.
	ClientID string
	// Workload of a service account token whose signature was good; nil if there is
	// none.
	Workload *rules.Workload
}

// Authenticator finds out who asks. It must not be copied once it is used.
type Authenticator struct {
	Registry  *registry.Registry
	Cluster   Cluster
	Workloads Workloads
	// Audience is what an assertion must be for: the issuer identifier.
	Audience string
	// Replay remembers the jti of assertions. Without one, those that must be used
	// once are refused.
	Replay *replay.Memory
	// Secrets says whether the installation serves client secrets.
	Secrets bool

	tokens verifiedTokens
	// onVerify, if set, is told of each signature of a client's key that was verified.
	// Tests count with it.
	onVerify func(jose.Key, error)
}

// Authenticate verifies the one method that p presents. The refusal is
// ErrIdentity, with a Reason, wherever it depends on who asks. seen is filled in as
// far as it got.
func (a *Authenticator) Authenticate(ctx context.Context, p Presented, now time.Time, seen *Seen) (Client, *oauth.Error) {
	m, refusal := p.method(a.Secrets)
	if refusal != nil {
		return Client{}, refusal
	}
	switch m {
	case byAssertion:
		return a.assertion(ctx, p, now, seen)
	case bySecret:
		return a.secret(p, now, seen)
	case byCertificate:
		return a.certificate(p, now, seen)
	default:
		return Client{}, oauth.NewError(oauth.ErrNoMethod, "")
	}
}

// find returns the client of a client id that may authenticate. The refusal tells
// the log why there is none; whoever asks must not hear it sooner than that of a
// wrong credential.
func (a *Authenticator) find(clientID string, p Presented, seen *Seen) (*v1alpha1.OAuthClient, *oauth.Error) {
	c, ok := a.Registry.ClientByID(clientID)
	if !ok {
		return nil, refuse("unknown_client", nil)
	}
	seen.ClientID = clientID
	if e := works(c, a.Registry.Verdict(c), p); e != nil {
		return nil, e
	}
	return c, nil
}

// works says whether the client may authenticate at all, and here.
func works(c *v1alpha1.OAuthClient, v rules.Verdict, p Presented) *oauth.Error {
	if !v.OK {
		return refuse(v.Reason, nil)
	}
	if p.Tenant != "" && p.Tenant != c.Namespace {
		return refuse("other_tenant", nil)
	}
	return nil
}

// refuse is the one answer to every refusal of identity.
func refuse(reason string, cause error) *oauth.Error {
	e := oauth.NewError(oauth.ErrIdentity, "")
	e.Reason, e.Cause = reason, cause
	return e
}

func cannotTell(what string, cause error) *oauth.Error {
	e := oauth.NewError(oauth.ErrCannotLookUp, "").WithCause(cause)
	e.Reason = what
	return e
}
