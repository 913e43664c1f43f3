package mint

import (
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"slices"
	"sync/atomic"
	"time"

	"github.com/lanyard-dev/lanyard/issuer/jose"
	"github.com/lanyard-dev/lanyard/issuer/keyring"
)

// Keys is the key ring, ready to sign with, to verify with and to publish. It is
// replaced as a whole, and read without a lock. What a ring says changes at a few
// moments only, so that everything is made in Set, once for each of them.
type Keys struct {
	spans atomic.Pointer[[]span]
}

// span is what holds from one moment of a ring until the next one.
type span struct {
	from       time.Time
	signer     *jose.Signer // nil: the ring is empty
	published  jose.Keys
	algorithms []jose.Algorithm
	jwks       []byte
	etag       string
	nonceKeys  [][]byte
}

// empty is what holds while there is no key.
var empty = span{jwks: []byte(`{"keys":[]}`)}

// NewKeys returns Keys that hold none.
func NewKeys() *Keys { return &Keys{} }

// Set replaces the ring. A key that is not in it any more neither signs nor verifies
// from then on. If a key of it cannot be used nothing changes, and the error names the
// key, never its content.
func (k *Keys) Set(ring keyring.Ring) error {
	ready := make(map[string]readyKey, len(ring.Keys))
	// Before the first moment the ring says something too.
	moments := []time.Time{{}}
	for _, key := range ring.Keys {
		r, err := prepare(key)
		if err != nil {
			return fmt.Errorf("mint: key %q: %w", key.ID, err)
		}
		ready[key.ID] = r
		moments = append(moments, key.SignsFrom, key.RemoveAt)
	}
	slices.SortFunc(moments, time.Time.Compare)
	var spans []span
	for _, from := range slices.CompactFunc(moments, time.Time.Equal) {
		s, err := spanOf(ring, ready, from)
		if err != nil {
			return fmt.Errorf("mint: the keys cannot be published: %w", err)
		}
		spans = append(spans, s)
	}
	k.spans.Store(&spans)
	return nil
}

// readyKey is one key of the ring, and the secret that is derived from it.
type readyKey struct {
	signer   *jose.Signer
	nonceKey []byte
}

// nonceLabel separates what is derived for nonces from anything else that may be
// derived from a signing key one day.
const nonceLabel = "lanyard dpop nonce v1"

func prepare(key keyring.Key) (readyKey, error) {
	private, err := key.Signer()
	if err != nil {
		return readyKey{}, err
	}
	signer, err := jose.NewSigner(key.ID, jose.Algorithm(key.Algorithm), private)
	if err != nil {
		return readyKey{}, err
	}
	nonceKey, err := hkdf.Key(sha256.New, key.PrivateKeyPKCS8, nil, nonceLabel, sha256.Size)
	return readyKey{signer, nonceKey}, err
}

func spanOf(ring keyring.Ring, ready map[string]readyKey, from time.Time) (span, error) {
	s := span{from: from, published: jose.Keys{}}
	signing, ok := ring.Signing(from)
	if ok {
		s.signer = ready[signing.ID].signer
		s.nonceKeys = [][]byte{ready[signing.ID].nonceKey}
	}
	var keys []jose.Key
	for _, key := range ring.Published(from) {
		public := ready[key.ID].signer.Key()
		keys = append(keys, public)
		s.published[key.ID] = public
		if a := jose.Algorithm(key.Algorithm); !slices.Contains(s.algorithms, a) {
			s.algorithms = append(s.algorithms, a)
		}
		if key.ID != signing.ID {
			s.nonceKeys = append(s.nonceKeys, ready[key.ID].nonceKey)
		}
	}
	var err error
	if s.jwks, err = jose.MarshalJWKS(keys); err != nil {
		return span{}, err
	}
	sum := sha256.Sum256(s.jwks)
	s.etag = `"` + base64.RawURLEncoding.EncodeToString(sum[:12]) + `"`
	return s, nil
}

// at returns what holds at now.
func (k *Keys) at(now time.Time) *span {
	spans := k.spans.Load()
	if spans == nil {
		return &empty
	}
	i := len(*spans) - 1
	for i > 0 && now.Before((*spans)[i].from) {
		i--
	}
	return &(*spans)[i]
}

// Ready says whether there is a key to sign with at now.
func (k *Keys) Ready(now time.Time) bool { return k.at(now).signer != nil }

// JWKS returns the public keys that are published at now (RFC 7517 section 5), and
// an entity tag for them.
func (k *Keys) JWKS(now time.Time) (body []byte, etag string) {
	s := k.at(now)
	return s.jwks, s.etag
}

// Algorithms are those of the keys that are published at now. The slice is not to be
// changed.
func (k *Keys) Algorithms(now time.Time) []jose.Algorithm { return k.at(now).algorithms }

// PublishedKeys are the keys that verify the issuer's own tokens at now: those that
// the JWKS of the same moment holds, so that introspection says of a token what every
// verifier would find.
func (k *Keys) PublishedKeys(now time.Time) jose.KeySet { return k.at(now).published }

// NonceKeys are secrets for the nonces of DPoP (RFC 9449 section 8), one of each key
// that is published at now, that of the signing key first: make nonces with the first
// one and accept those of all. They are derived from the signing keys (HKDF, RFC 5869),
// so that replicas agree on them without a secret of their own. The slices are not to
// be changed.
func (k *Keys) NonceKeys(now time.Time) [][]byte { return k.at(now).nonceKeys }
