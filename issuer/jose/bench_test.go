package jose_test

import (
	"testing"

	"github.com/lanyard-dev/lanyard/issuer/jose"
)

// The benchmarks are of one request's work: one assertion verified, one token
// signed. Parse alone is what this package adds to the mathematics.

func kubernetesClaims() payload {
	return good().with("aud", []string{audience}).with("kubernetes.io", payload{
		"namespace":      "shop",
		"node":           payload{"name": "node-1", "uid": "0bd5b1d9-6a5b-4a5f-8f0b-6d1f6c3f3a11"},
		"pod":            payload{"name": "checkout-6d5f9c7b8d-x2x4z", "uid": "0bd5b1d9-6a5b-4a5f-8f0b-6d1f6c3f3a12"},
		"serviceaccount": payload{"name": "checkout", "uid": "0bd5b1d9-6a5b-4a5f-8f0b-6d1f6c3f3a13"},
		"warnafter":      1777640007,
	})
}

func BenchmarkVerify(b *testing.B) {
	for _, a := range []jose.Algorithm{jose.RS256, jose.ES256} {
		b.Run(string(a), func(b *testing.B) {
			raw, err := newSigner(b, a).Sign("at+jwt", kubernetesClaims())
			if err != nil {
				b.Fatal(err)
			}
			set, want := keySet(b), expected()
			b.ReportAllocs()
			for b.Loop() {
				u, err := jose.ParseUnverified(raw)
				if err != nil {
					b.Fatal(err)
				}
				if _, err := u.Verify(set, want); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkParse(b *testing.B) {
	raw, err := newSigner(b, jose.RS256).Sign("at+jwt", kubernetesClaims())
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := jose.ParseUnverified(raw); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkDecodeClaims(b *testing.B) {
	data := []byte(kubernetesClaims().json(b))
	type object struct {
		Name string `json:"name"`
		UID  string `json:"uid"`
	}
	b.ReportAllocs()
	for b.Loop() {
		var v struct {
			Kubernetes struct {
				Namespace      string `json:"namespace"`
				Pod            object `json:"pod"`
				ServiceAccount object `json:"serviceaccount"`
			} `json:"kubernetes.io"`
		}
		if err := jose.DecodeClaims(data, &v); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkSign(b *testing.B) {
	claims := kubernetesClaims()
	for _, a := range []jose.Algorithm{jose.ES256, jose.RS256} {
		b.Run(string(a), func(b *testing.B) {
			signer := newSigner(b, a)
			b.ReportAllocs()
			for b.Loop() {
				if _, err := signer.Sign("at+jwt", claims); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
