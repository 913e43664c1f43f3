package jose_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/asn1"
	"encoding/base64"
	"io"
	"math/big"
	"strings"
	"testing"

	"github.com/lanyard-dev/lanyard/issuer/jose"
)

// hardware is a private key whose signatures are what the test says.
type hardware struct {
	*ecdsa.PrivateKey
	sign func(digest []byte) []byte
}

func (h hardware) Sign(_ io.Reader, digest []byte, _ crypto.SignerOpts) ([]byte, error) {
	return h.sign(digest), nil
}

func der(r, s *big.Int) []byte {
	data, err := asn1.Marshal(struct{ R, S *big.Int }{r, s})
	if err != nil {
		panic(err)
	}
	return data
}

// Both s and n-s are good; whichever the key gives, the lower one stands in the
// token, and numbers that are shorter than the curve's order at full length.
func TestSignsWithTheLowerS(t *testing.T) {
	for a, curve := range map[jose.Algorithm]elliptic.Curve{jose.ES256: elliptic.P256(), jose.ES384: elliptic.P384()} {
		key, err := ecdsa.GenerateKey(curve, rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		n := curve.Params().N
		half, size := new(big.Int).Rsh(n, 1), (n.BitLen()+7)/8
		numbers := map[string]*big.Int{
			"1": big.NewInt(1), "half": half, "half and 1": new(big.Int).Add(half, big.NewInt(1)), "n-1": new(big.Int).Sub(n, big.NewInt(1)),
			"of a bit less": new(big.Int).Rsh(n, 9), "with its highest bit": new(big.Int).Lsh(big.NewInt(1), uint(n.BitLen()-1)),
		}
		for name, s := range numbers {
			t.Run(string(a)+" "+name, func(t *testing.T) {
				r := new(big.Int).Sub(n, s)
				signer, err := jose.NewSigner("k", a, hardware{key, func([]byte) []byte { return der(r, s) }})
				if err != nil {
					t.Fatal(err)
				}
				raw, err := signer.Sign("at+jwt", good())
				if err != nil {
					t.Fatal(err)
				}
				got, err := base64.RawURLEncoding.DecodeString(raw[strings.LastIndexByte(raw, '.')+1:])
				if err != nil || len(got) != 2*size {
					t.Fatalf("a signature of %d bytes, %v", len(got), err)
				}
				want := s
				if s.Cmp(half) > 0 {
					want = new(big.Int).Sub(n, s)
				}
				if new(big.Int).SetBytes(got[:size]).Cmp(r) != 0 || new(big.Int).SetBytes(got[size:]).Cmp(want) != 0 {
					t.Errorf("got %x", got)
				}
			})
		}
		// And the mathematics agree, either way round.
		for _, turn := range []bool{false, true} {
			signer, err := jose.NewSigner("k", a, hardware{key, func(digest []byte) []byte {
				r, s, err := ecdsa.Sign(rand.Reader, key, digest)
				if err != nil {
					t.Fatal(err)
				}
				if low := s.Cmp(half) <= 0; low == turn {
					s.Sub(n, s)
				}
				return der(r, s)
			}})
			if err != nil {
				t.Fatal(err)
			}
			raw, err := signer.Sign("at+jwt", good())
			if err != nil {
				t.Fatal(err)
			}
			u, err := jose.ParseUnverified(raw)
			if err != nil {
				t.Fatal(err)
			}
			want := expected()
			want.RequireLowS = true
			if _, err := u.Verify(jose.Keys{"k": signer.Key()}, want); err != nil {
				t.Errorf("%s, high s: %v: %v", a, turn, err)
			}
		}
	}
}

func TestRefusesToGiveOutBrokenSignatures(t *testing.T) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	one, n := big.NewInt(1), key.Params().N
	for name, signature := range map[string][]byte{
		"nothing":         nil,
		"text":            []byte("signature"),
		"data behind":     append(der(one, one), 0),
		"r alone":         {0x30, 3, 2, 1, 1},
		"three numbers":   {0x30, 9, 2, 1, 1, 2, 1, 1, 2, 1, 1},
		"a negative r":    der(big.NewInt(-1), one),
		"r of zero":       der(new(big.Int), one),
		"s of zero":       der(one, new(big.Int)),
		"s of the order":  der(one, n),
		"r of the order":  der(n, one),
		"a longer number": der(new(big.Int).Lsh(n, 8), one),
	} {
		t.Run(name, func(t *testing.T) {
			signer, err := jose.NewSigner("k", jose.ES256, hardware{key, func([]byte) []byte { return signature }})
			if err != nil {
				t.Fatal(err)
			}
			if raw, err := signer.Sign("at+jwt", good()); err == nil {
				t.Errorf("got the token %s", raw)
			}
		})
	}
}

// The key is asked to sign the digest that the algorithm prescribes.
func TestSignsTheDigestOfTheAlgorithm(t *testing.T) {
	for a, curve := range map[jose.Algorithm]elliptic.Curve{jose.ES256: elliptic.P256(), jose.ES384: elliptic.P384()} {
		key, err := ecdsa.GenerateKey(curve, rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		var seen []byte
		signer, err := jose.NewSigner("k", a, hardware{key, func(digest []byte) []byte {
			seen = digest
			return der(big.NewInt(1), big.NewInt(1))
		}})
		if err != nil {
			t.Fatal(err)
		}
		raw, err := signer.Sign("at+jwt", good())
		if err != nil {
			t.Fatal(err)
		}
		text := []byte(raw[:strings.LastIndexByte(raw, '.')])
		want256, want384 := sha256.Sum256(text), sha512.Sum384(text)
		if want := map[jose.Algorithm]string{jose.ES256: string(want256[:]), jose.ES384: string(want384[:])}[a]; string(seen) != want {
			t.Errorf("%s: signed %x", a, seen)
		}
	}
}
