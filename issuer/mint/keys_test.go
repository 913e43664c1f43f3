package mint_test

import (
	"bytes"
	"crypto/hkdf"
	"crypto/sha256"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lanyard-dev/lanyard/issuer/jose"
	"github.com/lanyard-dev/lanyard/issuer/keyring"
	"github.com/lanyard-dev/lanyard/issuer/mint"
	"github.com/lanyard-dev/lanyard/issuer/oauth"
)

// do carries out a plan, as the controller does.
func do(t *testing.T, ring keyring.Ring, s keyring.Schedule, c keyring.Commands, at time.Time) keyring.Ring {
	t.Helper()
	for _, step := range keyring.Plan(ring, s, c, at) {
		switch step := step.(type) {
		case keyring.MakeKey:
			key := newKey(t, step.Algorithm, step.SignsFrom)
			key.CreatedAt = at
			ring = ring.With(key, s.KeepAfter)
		case keyring.AdvanceKey:
			ring = ring.Advance(step.ID, step.SignsFrom, s.KeepAfter)
		case keyring.RemoveKey:
			ring = ring.Without(step.ID, s.KeepAfter)
		case keyring.DropKey:
			ring = ring.Without(step.ID, s.KeepAfter)
		}
	}
	return ring
}

// stored is ring as it comes back from the Secret.
func stored(t *testing.T, ring keyring.Ring) keyring.Ring {
	t.Helper()
	data, err := ring.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	if ring, err = keyring.Parse(data); err != nil {
		t.Fatal(err)
	}
	return ring
}

func verify(token string, keys jose.KeySet, at time.Time) error {
	u, err := jose.ParseUnverified(token)
	if err != nil {
		return err
	}
	_, err = u.Verify(keys, jose.Expected{
		Now: at, Issuer: "https://issuer.example", Audiences: []string{"api://orders"}, Types: []string{oauth.TypAccessToken}, RequireLowS: true,
	})
	return err
}

func fetch(t *testing.T, k *mint.Keys, at time.Time) jose.Keys {
	t.Helper()
	body, _ := k.JWKS(at)
	keys, err := jose.ParseJWKS(body)
	if err != nil {
		t.Fatal(err)
	}
	return keys
}

// The algorithm changes three times under a verifier that keeps a JWKS for all of its
// max-age and never asks for a key that it does not know. No token fails.
func TestEveryTokenVerifiesWhileTheAlgorithmChanges(t *testing.T) {
	s := keyring.DefaultSchedule()
	changes := []keyring.Algorithm{keyring.ES256, keyring.RS256, keyring.EdDSA, keyring.PS256}
	const each = 150 * time.Minute
	m, ring := minter(t), keyring.Ring{}
	var verifier jose.Keys
	type issued struct {
		value string
		at    time.Time
	}
	var tokens []issued
	signedWith, together := map[jose.Algorithm]int{}, map[int]bool{}
	for i := range int(time.Duration(len(changes)) * each / time.Minute) {
		at := now.Add(time.Duration(i) * time.Minute)
		s.Algorithm = changes[time.Duration(i)*time.Minute/each]
		ring = do(t, ring, s, keyring.Commands{}, at)
		if err := m.Keys.Set(stored(t, ring)); err != nil {
			t.Fatal(err)
		}
		if i%5 == 0 {
			verifier = fetch(t, m.Keys, at)
		}
		token, err := m.Mint(approvalAt(t, at))
		if err != nil {
			t.Fatal(err)
		}
		tokens = append(slices.DeleteFunc(tokens, func(old issued) bool { return at.Sub(old.at) >= 10*time.Minute }), issued{token.Value, at})
		for _, old := range tokens {
			if err := verify(old.value, verifier, at); err != nil {
				t.Fatalf("%s: a token of %s: %v", at, old.at, err)
			}
			if err := verify(old.value, m.Keys.PublishedKeys(at), at); err != nil {
				t.Fatalf("%s: introspection of a token of %s: %v", at, old.at, err)
			}
		}
		signing, _ := ring.Signing(at)
		signedWith[jose.Algorithm(signing.Algorithm)]++
		together[len(m.Keys.Algorithms(at))] = true
	}
	for _, a := range changes {
		if signedWith[jose.Algorithm(a)] == 0 {
			t.Errorf("nothing was signed with %s", a)
		}
	}
	if !together[2] {
		t.Error("two algorithms were never published together: this test proves nothing")
	}
}

func TestRefusesTokensOfADroppedKey(t *testing.T) {
	s := keyring.DefaultSchedule()
	m := minter(t)
	before := do(t, keyring.Ring{}, s, keyring.Commands{}, now)
	if err := m.Keys.Set(before); err != nil {
		t.Fatal(err)
	}
	token, err := m.Mint(approval(t))
	if err != nil {
		t.Fatal(err)
	}
	_, etag := m.Keys.JWKS(now)
	if err := verify(token.Value, m.Keys.PublishedKeys(now), now); err != nil {
		t.Fatal(err)
	}
	after := do(t, before, s, keyring.Commands{Drop: before.Keys[0].ID}, now)
	if err := m.Keys.Set(stored(t, after)); err != nil {
		t.Fatal(err)
	}
	for who, keys := range map[string]jose.KeySet{"introspection": m.Keys.PublishedKeys(now), "a verifier with a fresh JWKS": fetch(t, m.Keys, now)} {
		if err := verify(token.Value, keys, now); err == nil {
			t.Errorf("%s accepts it", who)
		}
	}
	if body, same := m.Keys.JWKS(now); same == etag || bytes.Contains(body, []byte(before.Keys[0].ID)) {
		t.Errorf("the JWKS is still %s with tag %s", body, same)
	}
	next, err := m.Mint(approval(t))
	if err != nil {
		t.Fatal(err)
	}
	if err := verify(next.Value, fetch(t, m.Keys, now), now); err != nil {
		t.Errorf("a token of the new key: %v", err)
	}
}

// Nobody calls Set when a key begins to sign, or when its last tokens have ended.
func TestKeysChangeByTheClockAlone(t *testing.T) {
	s := keyring.DefaultSchedule()
	ring := keyring.Ring{}.With(newKey(t, keyring.ES256, now), s.KeepAfter).With(newKey(t, keyring.EdDSA, now.Add(time.Hour)), s.KeepAfter)
	k := minter(t, ring.Keys...).Keys
	first, second := ring.Keys[0].ID, ring.Keys[1].ID
	for moment, test := range map[string]struct {
		at        time.Time
		published []string
		nonce     string // whose nonce key is used
	}{
		"long before":              {now.Add(-time.Hour), []string{first, second}, first},
		"at the beginning":         {now, []string{first, second}, first},
		"before the second signs":  {now.Add(time.Hour - 1), []string{first, second}, first},
		"when it signs":            {now.Add(time.Hour), []string{first, second}, second},
		"before the first is over": {now.Add(3*time.Hour - 1), []string{first, second}, second},
		"when it is":               {now.Add(3 * time.Hour), []string{second}, second},
		"long after":               {now.Add(1000 * time.Hour), []string{second}, second},
	} {
		t.Run(moment, func(t *testing.T) {
			var jwks, known []string
			for id := range fetch(t, k, test.at) {
				jwks = append(jwks, id)
			}
			for _, id := range []string{first, second} {
				if _, ok := k.PublishedKeys(test.at).Key(id); ok {
					known = append(known, id)
				}
			}
			slices.Sort(jwks)
			want := slices.Sorted(slices.Values(test.published))
			if diff := cmp.Diff(want, jwks); diff != "" {
				t.Errorf("JWKS (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(test.published, known); diff != "" {
				t.Errorf("introspection (-want +got):\n%s", diff)
			}
			if len(k.Algorithms(test.at)) != len(test.published) {
				t.Errorf("the algorithms are %v", k.Algorithms(test.at))
			}
			nonces := k.NonceKeys(test.at)
			if i := slices.IndexFunc(ring.Keys, func(key keyring.Key) bool { return key.ID == test.nonce }); len(nonces) != len(test.published) || !bytes.Equal(nonces[0], nonceKey(t, ring.Keys[i])) {
				t.Errorf("there are %d nonce keys, or the first one is not of the key that signs", len(nonces))
			}
		})
	}
}

func nonceKey(t *testing.T, key keyring.Key) []byte {
	t.Helper()
	derived, err := hkdf.Key(sha256.New, key.PrivateKeyPKCS8, nil, "lanyard dpop nonce v1", 32)
	if err != nil {
		t.Fatal(err)
	}
	return derived
}

func TestReplicasAgreeOnNonceKeys(t *testing.T) {
	key := newKey(t, keyring.PS256, now)
	one, other := minter(t, key).Keys, minter(t, stored(t, keyring.Ring{Keys: []keyring.Key{key}}).Keys...).Keys
	if diff := cmp.Diff(one.NonceKeys(now), other.NonceKeys(now)); diff != "" || len(one.NonceKeys(now)) != 1 {
		t.Error("two replicas with one ring do not agree")
	}
	if bytes.Contains(key.PrivateKeyPKCS8, one.NonceKeys(now)[0]) {
		t.Error("the nonce key is part of the signing key")
	}
}

func TestWithoutKeysThereIsNothingToPublish(t *testing.T) {
	for name, k := range map[string]*mint.Keys{"never set": mint.NewKeys(), "an empty ring": minter(t).Keys} {
		body, _ := k.JWKS(now)
		if string(body) != `{"keys":[]}` || k.Ready(now) || len(k.NonceKeys(now)) != 0 || len(k.Algorithms(now)) != 0 {
			t.Errorf("%s: ready %v, with %s", name, k.Ready(now), body)
		}
		if _, ok := k.PublishedKeys(now).Key(""); ok {
			t.Errorf("%s: there is a key without a name", name)
		}
	}
}

// It is asked for each token.
func TestLookingUpKeysCostsNoMemory(t *testing.T) {
	k := minter(t, newKey(t, keyring.ES256, now), newKey(t, keyring.ES256, now.Add(time.Hour))).Keys
	if n := testing.AllocsPerRun(100, func() {
		k.PublishedKeys(now).Key("x")
		k.NonceKeys(now)
		k.JWKS(now)
		k.Algorithms(now)
	}); n > 0 {
		t.Errorf("%v allocations", n)
	}
}
