package dpop_test

import (
	"bytes"
	"testing"
	"time"

	"github.com/lanyard-dev/lanyard/issuer/dpop"
)

func key(b byte) []byte { return bytes.Repeat([]byte{b}, 32) }

func TestNonceServesItsSlotAndTheNeighbours(t *testing.T) {
	nonces := dpop.NewNonces(key(1))
	start := now.Truncate(dpop.NonceSlot)
	nonce := nonces.Make(start)
	if again := nonces.Make(start.Add(dpop.NonceSlot - time.Second)); again != nonce {
		t.Error("another nonce within the slot")
	}
	if next := nonces.Make(start.Add(dpop.NonceSlot)); next == nonce {
		t.Error("the same nonce in the next slot")
	}
	for at, want := range map[time.Duration]bool{
		-dpop.NonceSlot - time.Second:  false,
		-dpop.NonceSlot:                true, // a replica whose clock is ahead made it
		0:                              true,
		2*dpop.NonceSlot - time.Second: true,
		2 * dpop.NonceSlot:             false,
		1000 * time.Hour:               false,
	} {
		if got := nonces.Accepts(nonce, start.Add(at)); got != want {
			t.Errorf("%s after: got %v, want %v", at, got, want)
		}
	}
}

func TestNoncesOfOtherKeys(t *testing.T) {
	old, both, other := dpop.NewNonces(key(1)), dpop.NewNonces(key(2), key(1)), dpop.NewNonces(key(3))
	if !both.Accepts(old.Make(now), now) {
		t.Error("a nonce of the key before is refused")
	}
	if old.Accepts(both.Make(now), now) {
		t.Error("the first key does not make the nonce")
	}
	if other.Accepts(old.Make(now), now) {
		t.Error("a nonce of another key is accepted")
	}
}

func TestRefusesForgedNonces(t *testing.T) {
	nonces := dpop.NewNonces(key(1))
	good := nonces.Make(now)
	for name, nonce := range map[string]string{
		"none":                 "",
		"text":                 "nonce",
		"one that was cut":     good[:len(good)-1],
		"one with more behind": good + "A",
		"a line break":         good[:len(good)-1] + "\n",
		"another MAC":          good[:len(good)-2] + "AA",
		"the next slot's name": dpop.NewNonces(key(9)).Make(now.Add(dpop.NonceSlot))[:11] + good[11:],
		"without any key":      dpop.NewNonces().Make(now),
		"of an empty key":      dpop.NewNonces(nil).Make(now),
	} {
		if nonces.Accepts(nonce, now) {
			t.Errorf("%s: accepted", name)
		}
	}
	var none dpop.Nonces
	if none.Make(now) != "" || none.Accepts(good, now) || none.Accepts("", now) {
		t.Error("the zero value makes or accepts a nonce")
	}
	early := time.Unix(0, 0)
	if !nonces.Accepts(nonces.Make(early), early) {
		t.Error("the first slot of all is refused")
	}
}
