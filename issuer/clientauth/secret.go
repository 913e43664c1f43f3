package clientauth

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"slices"
	"time"

	"github.com/lanyard-dev/lanyard/api/v1alpha1"
	"github.com/lanyard-dev/lanyard/issuer/oauth"
	"github.com/lanyard-dev/lanyard/issuer/rules"
)

// maxSecrets is how many secrets of a client live at once: one, and its follower.
const maxSecrets = 2

// secret verifies client_secret_basic and client_secret_post (RFC 6749 section
// 2.3.1) with the hashes in the client's status. A client that is not there, or does
// not list the method, costs the comparisons of one that is.
func (a *Authenticator) secret(p Presented, now time.Time, seen *Seen) (Client, *oauth.Error) {
	c, refusal := a.find(p.ClientID, p, seen)
	if refusal == nil && !listsSecret(c, p.SecretMethod) {
		refusal = refuse("client_secret_method_not_listed", nil)
	}
	var live []v1alpha1.ClientSecretStatus
	if refusal == nil {
		live = c.Status.ClientSecrets
	}
	hash := hashOf(p.Secret)
	ends, ok := matchSecret(live, hash, now)
	switch {
	case refusal != nil:
		return Client{}, refusal
	case !ok:
		return Client{}, refuse("client_secret", nil)
	}
	return Client{Object: c, Method: p.SecretMethod, Secret: rules.SecretID(hash), Ends: ends}, nil
}

func listsSecret(c *v1alpha1.OAuthClient, method oauth.AuthMethod) bool {
	credential := c.Spec.Authentication.ClientSecret
	return credential != nil && slices.Contains(credential.Methods, v1alpha1.ClientSecretMethod(method))
}

// matchSecret says when the one of live that has the hash ends. It compares with each,
// in constant time, and with a hash of nothing where there are fewer.
func matchSecret(live []v1alpha1.ClientSecretStatus, hash string, now time.Time) (ends time.Time, ok bool) {
	got := []byte(hash)
	for i := range maxSecrets {
		known := v1alpha1.ClientSecretStatus{Hash: noHash} // it ended long ago
		if i < len(live) {
			known = live[i]
		}
		same := subtle.ConstantTimeCompare(got, []byte(known.Hash)) == 1
		if same && now.Before(known.ExpiresAt.Time) {
			ends, ok = known.ExpiresAt.Time, true
		}
	}
	return ends, ok
}

// noHash is as long as a hash, and none.
const noHash = "sha256:-------------------------------------------"

// hashOf writes the hash of a secret as the status of a client does.
func hashOf(secret string) string {
	sum := sha256.Sum256([]byte(secret))
	return "sha256:" + base64.RawURLEncoding.EncodeToString(sum[:])
}
