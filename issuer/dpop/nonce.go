package dpop

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"slices"
	"time"
)

const (
	// NonceSlot is how long one nonce is given out.
	NonceSlot = 5 * time.Minute
	// macBytes is how much of the HMAC stands in a nonce: 128 bits.
	macBytes = 16
	// nonceLabel keeps a nonce from being the HMAC of anything else.
	nonceLabel = "lanyard dpop nonce\x00"
)

// Nonces makes the nonces that a server asks proofs to hold (RFC 9449 section 8),
// so that nobody can make proofs in advance. A nonce is the number of a time slot
// and an HMAC-SHA256 of it, so the server keeps nothing, and replicas with the
// same keys accept each other's. The zero value makes none and accepts none.
type Nonces struct{ keys [][]byte }

// NewNonces returns the Nonces of the given keys, which are secret, random, and not
// changed any more. The first makes nonces, all of them accept.
func NewNonces(keys ...[]byte) Nonces { return Nonces{keys: keys} }

// Make returns the nonce of now: the same for a whole slot.
func (n Nonces) Make(now time.Time) string {
	if len(n.keys) == 0 {
		return ""
	}
	text := binary.BigEndian.AppendUint64(make([]byte, 0, 8+sha256.Size), slotOf(now))
	return base64.RawURLEncoding.EncodeToString(append(text, mac(n.keys[0], text)...))
}

// Accepts reports whether the nonce was made with one of the keys in this slot,
// the one before, or by a clock that is ahead in the next one.
func (n Nonces) Accepts(nonce string, now time.Time) bool {
	var buf [8 + macBytes]byte
	if len(nonce) != base64.RawURLEncoding.EncodedLen(len(buf)) {
		return false
	}
	text, err := base64.RawURLEncoding.Strict().AppendDecode(buf[:0], []byte(nonce))
	if err != nil || len(text) != len(buf) {
		return false
	}
	// Unsigned: what is far away on either side becomes a large number.
	if slot, current := binary.BigEndian.Uint64(text), slotOf(now); slot-(current-1) > 2 {
		return false
	}
	return slices.ContainsFunc(n.keys, func(key []byte) bool { return hmac.Equal(text[8:], mac(key, text[:8])) })
}

func slotOf(now time.Time) uint64 {
	return uint64(max(0, now.Unix())) / uint64(NonceSlot/time.Second)
}

func mac(key, text []byte) []byte {
	h := hmac.New(sha256.New, key)
	h.Write([]byte(nonceLabel))
	h.Write(text)
	return h.Sum(nil)[:macBytes]
}
