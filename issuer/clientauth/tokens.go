package clientauth

import (
	"context"
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"slices"
	"sync"
	"time"

	"github.com/lanyard-dev/lanyard/issuer/jose"
	"github.com/lanyard-dev/lanyard/issuer/rules"
)

// verifiedToken is what a service account token says whose signature, audience and
// form were good. It is shared between requests, and never changed.
type verifiedToken struct {
	workload *rules.Workload
	// thumbprint of the certificate that it names in cnf; empty if it names none.
	thumbprint string

	issuer    string
	key       jose.Key
	algorithm jose.Algorithm
	// Times of the token; zero where it says none but expiry.
	expiry, notBefore, issuedAt time.Time
}

// stillVerified says whether verifying the token again would succeed: the cluster
// still vouches for its issuer and its key, and its time has come and has not passed.
// What it says of a workload is judged at each request all the same.
func (a *Authenticator) stillVerified(ctx context.Context, t *verifiedToken, now time.Time) bool {
	if !now.Before(t.expiry.Add(jose.DefaultLeeway)) ||
		now.Before(t.notBefore.Add(-jose.DefaultLeeway)) ||
		now.Before(t.issuedAt.Add(-jose.DefaultLeeway)) ||
		!slices.Contains(a.Cluster.Issuers(), t.issuer) {
		return false
	}
	keys, err := a.Cluster.Keys(ctx, t.key.Kid)
	if err != nil {
		return false // asked again, and told, where it is verified
	}
	key, ok := keys.Key(t.key.Kid)
	return ok && slices.Contains(key.Algorithms, t.algorithm) && samePublic(key.Public, t.key.Public)
}

func samePublic(a, b crypto.PublicKey) bool {
	if x, ok := a.(*rsa.PublicKey); ok && x != nil {
		if y, ok := b.(*rsa.PublicKey); ok && x == y {
			return true // nearly always: the keys have not been fetched again since
		}
	}
	key, ok := a.(interface{ Equal(x crypto.PublicKey) bool })
	return ok && key.Equal(b)
}

// generation is how many tokens are remembered before the older half of all is
// forgotten: what a pod sends all hour is verified once, for some thousand pods.
const generation = 2048

// tokenDigest stands for a whole assertion: the cache must not hold tokens that work.
type tokenDigest [sha256.Size]byte

func digestOf(assertion string) tokenDigest {
	var few [2048]byte // a service account token fits, so that no copy is left to the collector
	if len(assertion) > len(few) {
		return sha256.Sum256([]byte(assertion))
	}
	return sha256.Sum256(few[:copy(few[:], assertion)])
}

// verifiedTokens remembers tokens in two generations. Forgetting one is harmless: it
// is verified again.
type verifiedTokens struct {
	mu         sync.Mutex
	young, old map[tokenDigest]*verifiedToken
}

func (c *verifiedTokens) get(d tokenDigest) (*verifiedToken, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if t, ok := c.young[d]; ok {
		return t, true
	}
	t, ok := c.old[d]
	if ok {
		c.add(d, t)
	}
	return t, ok
}

func (c *verifiedTokens) put(d tokenDigest, t *verifiedToken) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.add(d, t)
}

func (c *verifiedTokens) add(d tokenDigest, t *verifiedToken) {
	if c.young == nil || len(c.young) >= generation {
		c.young, c.old = make(map[tokenDigest]*verifiedToken, generation), c.young
	}
	c.young[d] = t
}
