package clientauth

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/lanyard-dev/lanyard/api/v1alpha1"
	"github.com/lanyard-dev/lanyard/issuer/jose"
	"github.com/lanyard-dev/lanyard/issuer/oauth"
	"github.com/lanyard-dev/lanyard/issuer/replay"
	"github.com/lanyard-dev/lanyard/issuer/rules"
)

// maxAssertionLife is how far ahead the exp of an assertion may be: as long as its
// jti is remembered.
const maxAssertionLife = 10 * time.Minute

// privateKeyJWT verifies an assertion that the client signed itself (RFC 7523
// section 3) with the key of a certificate that is pinned to it. The header chooses
// among the client's pins; a key or certificate in the header is never read.
func (a *Authenticator) privateKeyJWT(p Presented, u *jose.Unverified, now time.Time, seen *Seen) (Client, *oauth.Error) {
	switch {
	case u.Claims.Subject != u.Claims.Issuer:
		return Client{}, refuse("assertion_of_unknown_issuer", errors.New("iss is neither the cluster's nor equal to sub"))
	case p.ClientID != "" && p.ClientID != u.Claims.Issuer:
		return Client{}, refuse("assertion_of_other_client", nil)
	}
	// Whatever the reason of a refusal, a signature is verified before it is told.
	c, pin, refusal := a.signer(p, u, now, seen)
	key := pin.key
	if refusal != nil {
		key = standIn(u.Header.Algorithm, signatureLength(p.Assertion))
	}
	token, err := a.verify(u, key, jose.Expected{
		Now:          now,
		Issuer:       u.Claims.Issuer, // the client's id: signer found the client by it
		Audiences:    slices.DeleteFunc([]string{a.Audience, p.Endpoint}, func(s string) bool { return s == "" }),
		Types:        []string{"", "JWT", "client-authentication+jwt"},
		MaxRemaining: maxAssertionLife,
	})
	switch {
	case refusal != nil:
		return Client{}, refusal
	case err != nil:
		return Client{}, refuse(verifyReason(err), err)
	}
	thumbprint, err := readConfirmation(token.Payload)
	if err != nil {
		return Client{}, refuse("assertion_claims", err)
	}
	once := c.Spec.Authentication.Certificate.AssertionReuse != v1alpha1.AssertionReuseUntilExpiry
	if once && token.Claims.ID == "" {
		return Client{}, refuse("assertion_without_jti", nil)
	}
	if e := a.possession(c, p, thumbprint, now); e != nil {
		return Client{}, e
	}
	// Last of all: an assertion that is refused is not used.
	if once {
		if e := a.useOnce(c, token, now); e != nil {
			return Client{}, e
		}
	}
	return Client{Object: c, Method: oauth.AuthPrivateKeyJWT, Pin: pin.thumbprint, Ends: pin.ends}, nil
}

// signingPin is a live pin of the client whose key can have signed the assertion.
type signingPin struct {
	key        jose.Key
	thumbprint string
	ends       time.Time
}

// signer finds the client that the assertion says it is of, and its pin.
func (a *Authenticator) signer(p Presented, u *jose.Unverified, now time.Time, seen *Seen) (*v1alpha1.OAuthClient, signingPin, *oauth.Error) {
	none := signingPin{}
	c, refusal := a.find(u.Claims.Issuer, p, seen)
	if refusal != nil {
		return nil, none, refusal
	}
	credential := c.Spec.Authentication.Certificate
	if credential == nil || !slices.Contains(credential.Methods, v1alpha1.MethodPrivateKeyJWT) {
		return nil, none, refuse("private_key_jwt_not_listed", nil)
	}
	hint := rules.KeyHint{X5TS256: u.Header.X5TS256, X5T: u.Header.X5T, KeyID: u.Header.KeyID}
	pin, ok := rules.AssertionPin(c, a.Registry.Certificates(c), hint, now)
	if !ok {
		return nil, none, refuse("assertion_key_not_pinned", nil)
	}
	key, err := jose.NewKey("", pin.Public)
	if err != nil {
		return nil, none, refuse("assertion_key_unusable", err)
	}
	if !usable(key, u.Header.Algorithm, signatureLength(p.Assertion)) {
		return nil, none, refuse("assertion_algorithm", fmt.Errorf("alg is %s; the pinned key is for %v", u.Header.Algorithm, key.Algorithms))
	}
	return c, signingPin{key, pin.Thumbprint, pin.Ends}, nil
}

// verify verifies the signature of a client's own assertion.
func (a *Authenticator) verify(u *jose.Unverified, key jose.Key, want jose.Expected) (*jose.Token, error) {
	token, err := u.VerifyWithKey(key, want)
	if a.onVerify != nil {
		a.onVerify(key, err)
	}
	return token, err
}

// useOnce uses the jti of an assertion. It is remembered as long as the assertion
// would be accepted.
func (a *Authenticator) useOnce(c *v1alpha1.OAuthClient, token *jose.Token, now time.Time) *oauth.Error {
	switch a.Replay.Use(replay.Owner{Tenant: c.Namespace, Client: token.Claims.Issuer}, token.Claims.ID, token.Claims.Expiry.Add(jose.DefaultLeeway), now) {
	case replay.Fresh:
		return nil
	case replay.Full:
		return oauth.NewError(oauth.ErrReplayQuota, "")
	default:
		return refuse("assertion_replayed", nil)
	}
}

// possession is what the assertion type jwt-pop asks for beyond jwt-bearer: that the
// connection's certificate is the client's, and the one that the assertion names if
// it names one. It is told only to a client whose assertion is good.
func (a *Authenticator) possession(c *v1alpha1.OAuthClient, p Presented, thumbprint string, now time.Time) *oauth.Error {
	if p.AssertionType != oauth.AssertionTypeJWTPoP {
		return nil
	}
	if _, ok := rules.LivePin(c, a.Registry.Certificates(c), p.Peer, now); !ok {
		return oauth.NewError(oauth.ErrCertificateNotPinned, "")
	}
	if thumbprint != "" && thumbprint != p.Peer.Thumbprint {
		return oauth.NewError(oauth.ErrAssertionOtherCertificate, "")
	}
	return nil
}

// verifyReason is the fixed word for the log and for metrics.
func verifyReason(err error) string {
	for _, known := range [...]struct {
		err    error
		reason string
	}{
		{jose.ErrUnknownKey, "assertion_unknown_key"},
		{jose.ErrSignature, "assertion_signature"},
		{jose.ErrAlgorithm, "assertion_algorithm"},
		{jose.ErrType, "assertion_type"},
		{jose.ErrAudience, "assertion_audience"},
		{jose.ErrExpired, "assertion_expired"},
		{jose.ErrNotYetValid, "assertion_not_yet_valid"},
		{jose.ErrLifetime, "assertion_lives_too_long"},
	} {
		if errors.Is(err, known.err) {
			return known.reason
		}
	}
	return "assertion_not_valid"
}
