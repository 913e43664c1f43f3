package clientauth

import (
	"context"
	"time"

	"github.com/lanyard-dev/lanyard/api/v1alpha1"
	"github.com/lanyard-dev/lanyard/issuer/jose"
	"github.com/lanyard-dev/lanyard/issuer/oauth"
	"github.com/lanyard-dev/lanyard/issuer/registry"
	"github.com/lanyard-dev/lanyard/issuer/rules"
)

// Cluster holds the keys that this cluster's API server signs service account
// tokens with.
type Cluster interface {
	// Issuers are the values of iss that the cluster's tokens carry; several
	// while it changes its own.
	Issuers() []string
	// Keys returns the keys of the cluster, having asked the API server again, at
	// a bounded rate, if kid is not among those it knew. An error means that they
	// could not be looked up, not that there is no such key.
	Keys(ctx context.Context, kid string) (jose.KeySet, error)
}

// Workloads tells which service accounts and pods live now.
type Workloads interface {
	// ServiceAccount says whether the service account of that name and UID lives.
	// False means that it is gone, or that another has its name now. An error means
	// that it could not be looked up.
	ServiceAccount(ctx context.Context, namespace, name, uid string) (bool, error)
	// Pod returns the living pod of that UID. False means that it is gone, that
	// another has its name, or that it has Succeeded or Failed. An error means that
	// it could not be looked up.
	Pod(ctx context.Context, namespace, name, uid string) (Pod, bool, error)
}

// Pod is what is known of a living pod.
type Pod struct {
	// ServiceAccount that it runs as; empty where only the pod's metadata is known.
	// The API server binds a token to a pod only if they agree.
	ServiceAccount string
	// DeletionTimestamp is when a pod that is being deleted ends, its grace period
	// included; zero if it is not being deleted.
	DeletionTimestamp time.Time
}

// Presented is what a request offers as proof of who it is.
type Presented struct {
	// ClientID is the parameter client_id, or the user of a Basic header; empty if
	// absent.
	ClientID string
	// Assertion and AssertionType are client_assertion and client_assertion_type.
	Assertion, AssertionType string
	// Secret is the client's secret, and SecretMethod how it was sent: empty if none
	// was.
	Secret       string
	SecretMethod oauth.AuthMethod
	// OtherAuthorization is true if there is an Authorization header that cannot be
	// read as a Basic one.
	OtherAuthorization bool
	// Peer is the certificate of the connection.
	Peer rules.Peer
	// Endpoint is the URL that was called, which an assertion of RFC 7523 may name as
	// its audience.
	Endpoint string
	// Tenant is the namespace that the URL names, as Entra's do; empty if it names
	// none.
	Tenant string
	// GrantType is the grant that is asked for; empty at other endpoints than the
	// token endpoint.
	GrantType oauth.GrantType
}

// Client is a client that has proved who it is.
type Client struct {
	Object *v1alpha1.OAuthClient
	// Method that verified.
	Method oauth.AuthMethod
	// Workload is what the service account token said; nil for other methods.
	Workload *rules.Workload
	// Pin is the thumbprint of the pin that signed the assertion; empty for other
	// methods.
	Pin string
	// Ends is when what proved the client ends, and every token with it: the service
	// account token, the pin that signed the assertion, or the secret; zero for a
	// certificate of the connection, which is judged by itself.
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

// Authenticator finds out who asks.
type Authenticator struct {
	Registry  *registry.Registry
	Cluster   Cluster
	Workloads Workloads
	// Audience is what an assertion must be for: the issuer identifier.
	Audience string
}

// Authenticate verifies the one method that p presents. The refusal is
// ErrIdentity, with a Reason, wherever it depends on who asks. seen is filled in as
// far as it got.
func (a *Authenticator) Authenticate(ctx context.Context, p Presented, now time.Time, seen *Seen) (Client, *oauth.Error) {
	switch {
	case p.Assertion == "" && p.AssertionType != "":
		return Client{}, oauth.NewError(oauth.ErrMissingParameter, "client_assertion_type is set and client_assertion is missing; send both")
	case p.Assertion != "" && p.AssertionType == "":
		return Client{}, oauth.NewError(oauth.ErrMissingParameter, "client_assertion_type is missing; send "+oauth.AssertionTypeJWTBearer)
	case p.Assertion != "" && p.secret():
		return Client{}, oauth.NewError(oauth.ErrTwoMethods, "")
	case p.Assertion != "" && p.AssertionType != oauth.AssertionTypeJWTBearer:
		return Client{}, oauth.NewError(oauth.ErrAssertionType, "")
	case p.Assertion != "":
		return a.assertion(ctx, p, now, seen)
	case p.secret() && !p.Peer.IsZero():
		return Client{}, oauth.NewError(oauth.ErrTwoMethods, "a client secret or an Authorization header was sent over a connection with a client certificate; leave one of them out")
	case p.secret():
		return Client{}, oauth.NewError(oauth.ErrNoMethod, "client secrets are not served here; send a client_assertion, or client_id over mutual TLS")
	case p.Peer.IsZero():
		return Client{}, oauth.NewError(oauth.ErrNoMethod, "")
	case p.ClientID == "":
		return Client{}, oauth.NewError(oauth.ErrMissingParameter, "client_id is missing; with mutual TLS it says which client the certificate is for")
	default:
		return a.certificate(p, now, seen)
	}
}

// secret says whether a secret, or something like one, was sent.
func (p Presented) secret() bool { return p.SecretMethod != "" || p.OtherAuthorization }

// works says whether the client may authenticate at all.
func (a *Authenticator) works(c *v1alpha1.OAuthClient) *oauth.Error {
	if v := a.Registry.Verdict(c); !v.OK {
		return refuse(v.Reason, nil)
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
