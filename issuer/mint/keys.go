package mint

import (
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/lanyard-dev/lanyard/issuer/jose"
	"github.com/lanyard-dev/lanyard/issuer/keyring"
)

// Keys is the key ring, ready to sign with and to publish. It is replaced as a
// whole, and read without a lock.
type Keys struct {
	loaded   atomic.Pointer[loaded]
	rendered atomic.Pointer[rendered]
}

type loaded struct {
	ring    keyring.Ring
	signers map[string]*jose.Signer
}

// rendered is the JWKS of one set of keys of one ring.
type rendered struct {
	of   *loaded
	ids  string
	body []byte
	etag string
}

// NewKeys returns Keys that hold none.
func NewKeys() *Keys { return &Keys{} }

// Set replaces the ring. If a key of it cannot be used nothing changes, and the
// error names the key, never its content.
func (k *Keys) Set(ring keyring.Ring) error {
	signers := make(map[string]*jose.Signer, len(ring.Keys))
	for _, key := range ring.Keys {
		private, err := key.Signer()
		if err != nil {
			return fmt.Errorf("mint: key %q: %w", key.ID, err)
		}
		signer, err := jose.NewSigner(key.ID, jose.Algorithm(key.Algorithm), private)
		if err != nil {
			return fmt.Errorf("mint: key %q: %w", key.ID, err)
		}
		signers[key.ID] = signer
	}
	k.loaded.Store(&loaded{ring, signers})
	return nil
}

// Ready says whether there is a key to sign with at now.
func (k *Keys) Ready(now time.Time) bool {
	_, ok := k.signer(now)
	return ok
}

func (k *Keys) signer(now time.Time) (*jose.Signer, bool) {
	l := k.loaded.Load()
	if l == nil {
		return nil, false
	}
	key, ok := l.ring.Signing(now)
	if !ok {
		return nil, false
	}
	signer, ok := l.signers[key.ID]
	return signer, ok
}

// JWKS returns the public keys that are published at now (RFC 7517 section 5), and
// an entity tag for them. It is rendered once for each set of keys.
func (k *Keys) JWKS(now time.Time) (body []byte, etag string) {
	l := k.loaded.Load()
	if l == nil {
		return []byte(`{"keys":[]}`), ""
	}
	published := l.ring.Published(now)
	ids := make([]string, len(published))
	for i, key := range published {
		ids[i] = key.ID
	}
	set := strings.Join(ids, " ")
	if r := k.rendered.Load(); r != nil && r.of == l && r.ids == set {
		return r.body, r.etag
	}
	keys := make([]jose.Key, len(published))
	for i, key := range published {
		keys[i] = l.signers[key.ID].Key()
	}
	body, err := jose.MarshalJWKS(keys)
	if err != nil {
		// NewSigner accepted every one of these keys, so this cannot happen; an
		// empty set would make verifiers forget good keys.
		if r := k.rendered.Load(); r != nil {
			return r.body, r.etag
		}
		return []byte(`{"keys":[]}`), ""
	}
	sum := sha256.Sum256(body)
	r := &rendered{of: l, ids: set, body: body, etag: `"` + base64.RawURLEncoding.EncodeToString(sum[:12]) + `"`}
	k.rendered.Store(r)
	return r.body, r.etag
}

// Algorithms are those of the keys that are published at now.
func (k *Keys) Algorithms(now time.Time) []jose.Algorithm {
	l := k.loaded.Load()
	if l == nil {
		return nil
	}
	var out []jose.Algorithm
	for _, key := range l.ring.Published(now) {
		if a := jose.Algorithm(key.Algorithm); !slices.Contains(out, a) {
			out = append(out, a)
		}
	}
	return out
}
