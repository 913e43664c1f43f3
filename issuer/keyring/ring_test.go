package keyring_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lanyard-dev/lanyard/issuer/keyring"
)

func twoKeys(t testing.TB) keyring.Ring {
	t.Helper()
	h := &house{}
	h.tend(t, schedule(), start)
	h.tend(t, schedule(), start.Add(30*day-15*time.Minute))
	return h.ring
}

func TestRingWithout(t *testing.T) {
	keep := schedule().KeepAfter
	now := start.Add(30*day + time.Minute)
	t.Run("a compromised key that signs is dropped at once, and the one before it signs on without an end", func(t *testing.T) {
		r := twoKeys(t).Without("key-2", keep)
		k, ok := r.Signing(now)
		if !ok || k.ID != "key-1" || !k.SignsUntil.IsZero() || !k.RemoveAt.IsZero() {
			t.Errorf("got %+v", k)
		}
	})
	t.Run("a key that does not sign yet is dropped, and nothing changes", func(t *testing.T) {
		if k, ok := twoKeys(t).Without("key-2", keep).Signing(start); !ok || k.ID != "key-1" {
			t.Errorf("got %+v", k)
		}
	})
	t.Run("without any key nothing signs, and the plan makes one", func(t *testing.T) {
		r := twoKeys(t).Without("key-2", keep).Without("key-1", keep)
		if k, ok := r.Signing(now); ok {
			t.Errorf("%s signs", k.ID)
		}
		if steps := keyring.Plan(r, schedule(), keyring.Commands{}, now); len(steps) != 1 {
			t.Errorf("plan: %v", steps)
		}
	})
	t.Run("the ring it was called on stays as it was", func(t *testing.T) {
		r := twoKeys(t)
		before := fmt.Sprintf("%+v", r)
		r.Without("key-1", keep)
		r.With(makeKey(t, 9, keyring.MakeKey{Algorithm: keyring.EdDSA, SignsFrom: now}, now), keep)
		if after := fmt.Sprintf("%+v", r); after != before {
			t.Errorf("before %s\nafter  %s", before, after)
		}
	})
}

func TestMarshalAndParse(t *testing.T) {
	want := twoKeys(t)
	data, err := want.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	got, err := keyring.Parse(data)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("ring (-written +read):\n%s", diff)
	}
	if _, err := got.Keys[0].Signer(); err != nil {
		t.Errorf("cannot sign: %v", err)
	}
}

func TestParseRefuses(t *testing.T) {
	good, err := twoKeys(t).Marshal()
	if err != nil {
		t.Fatal(err)
	}
	replace := func(old, with string) string {
		if !strings.Contains(string(good), old) {
			t.Fatalf("%q is not in the ring", old)
		}
		return strings.Replace(string(good), old, with, 1)
	}
	material := base64.StdEncoding.EncodeToString(twoKeys(t).Keys[0].PrivateKeyPKCS8)
	tests := map[string]struct{ data, says string }{
		"nothing":                         {"", "not a JSON object"},
		"what is not JSON":                {material, "not a JSON object"},
		"no version":                      {`{"keys":[]}`, "version 0 is not known"},
		"a version of the future":         {replace(`"version":1`, `"version":2`), "version 2 is not known"},
		"an unknown field":                {replace(`"kid"`, `"`+material+`":1,"kid"`), "not the fields"},
		"data after the end":              {string(good) + `{}`, "not a JSON object"},
		"key material in the wrong field": {replace(`"createdAt":"`, `"createdAt":"`+material), "not the fields"},
		"a key without a name":            {replace(`"kid":"key-1"`, `"kid":""`), "key 1 has no kid"},
		"two keys of one name":            {replace(`"kid":"key-2"`, `"kid":"key-1"`), "key 2 has no kid of its own"},
		"an unknown algorithm":            {replace(`"alg":"EdDSA"`, `"alg":"HS256"`), "key 1 has an algorithm"},
		"a key for another algorithm":     {replace(`"alg":"EdDSA"`, `"alg":"ES256"`), "not one for ES256"},
		"a broken key":                    {replace(material, material[:20]), "not PKCS #8"},
		"a key without a beginning":       {replace(`"signsFrom":"2026-01-01T00:00:00Z"`, `"signsFrom":"0001-01-01T00:00:00Z"`), "lacks signsFrom"},
		"a gap between two keys":          {replace(`"signsUntil":"2026-01-31T00:00:00Z"`, `"signsUntil":"2026-01-30T00:00:00Z"`), "key 1 does not sign until"},
		"a last key with an end":          {replace(`"signsFrom":"2026-01-31T00:00:00Z"`, `"signsFrom":"2026-01-31T00:00:00Z","removeAt":"2027-01-31T00:00:00Z"`), "key 2 is the last"},
	}
	for sentence, test := range tests {
		t.Run(sentence, func(t *testing.T) {
			_, err := keyring.Parse([]byte(test.data))
			if err == nil || !strings.Contains(err.Error(), test.says) {
				t.Fatalf("got %v, want it to say %q", err, test.says)
			}
			refuseMaterial(t, err.Error(), twoKeys(t))
		})
	}
}

func TestSignerRefusesKeysThatDoNotFit(t *testing.T) {
	weak, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	p384, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	for name, private := range map[string]any{"RS256 with 1024 bits": weak, "ES256 on P-384": p384} {
		der, err := x509.MarshalPKCS8PrivateKey(private)
		if err != nil {
			t.Fatal(err)
		}
		alg, _, _ := strings.Cut(name, " ")
		if _, err := (keyring.Key{Algorithm: keyring.Algorithm(alg), PrivateKeyPKCS8: der}).Signer(); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

// refuseMaterial fails if text holds any of the ring's private keys in a form that
// somebody could print it in.
func refuseMaterial(t *testing.T, text string, r keyring.Ring) {
	t.Helper()
	for _, k := range r.Keys {
		secret := []byte(k.PrivateKeyPKCS8)
		tail := secret[len(secret)-12:] // the head of PKCS #8 is the same in every key
		for form, s := range map[string]string{
			"raw": string(tail), "hexadecimal": hex.EncodeToString(tail), "numbers": strings.Trim(fmt.Sprintf("%d", tail), "[]"),
			"base64":    base64.StdEncoding.EncodeToString(secret)[len(secret)/3*4-12:],
			"Go syntax": strings.TrimSuffix(strings.TrimPrefix(fmt.Sprintf("%#v", tail), "[]byte{"), "}"),
		} {
			if strings.Contains(strings.ToLower(text), strings.ToLower(s)) {
				t.Errorf("a private key is printed in %s: %q", form, text)
			}
		}
	}
}

func TestPrivateKeysAreNeverPrinted(t *testing.T) {
	r := twoKeys(t)
	var out bytes.Buffer
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d"} {
		fmt.Fprintf(&out, verb+"\n"+verb+"\n"+verb+"\n", r, &r, r.Keys[0].PrivateKeyPKCS8)
	}
	for _, logger := range []*slog.Logger{slog.New(slog.NewTextHandler(&out, nil)), slog.New(slog.NewJSONHandler(&out, nil))} {
		logger.Info("ring", "ring", r, "key", r.Keys[0], "private", r.Keys[0].PrivateKeyPKCS8)
	}
	if err := json.NewEncoder(&out).Encode(r); err != nil {
		t.Fatal(err)
	}
	refuseMaterial(t, out.String(), r)
	if !strings.Contains(out.String(), "[private key]") {
		t.Error("nothing stands in its place")
	}
	data, err := r.Marshal()
	if err != nil || !bytes.Contains(data, []byte(base64.StdEncoding.EncodeToString(r.Keys[0].PrivateKeyPKCS8))) {
		t.Error("Marshal does not write the key: this test proves nothing")
	}
}

func FuzzParse(f *testing.F) {
	good, err := twoKeys(f).Marshal()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	f.Add([]byte(`{"version":1,"keys":[]}`))
	f.Add([]byte(`{"version":2}`))
	f.Add([]byte(`{"version":1,"keys":[{"kid":"a"}]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		r, err := keyring.Parse(data)
		if err != nil {
			return
		}
		written, err := r.Marshal()
		if err != nil {
			t.Fatal(err)
		}
		again, err := keyring.Parse(written)
		if err != nil {
			t.Fatalf("what was written cannot be read: %v", err)
		}
		if diff := cmp.Diff(r, again); diff != "" {
			t.Fatalf("ring (-first +second):\n%s", diff)
		}
		if len(r.Keys) > 0 {
			if _, ok := r.Signing(start); !ok {
				t.Fatal("a ring with keys has none that signs")
			}
		}
	})
}
