package rules_test

import (
	"crypto/ecdsa"
	"crypto/sha1"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/pem"
	"strings"
	"testing"
	"time"

	"github.com/lanyard-dev/lanyard/api/v1alpha1"
	"github.com/lanyard-dev/lanyard/issuer/rules"
)

// pinOf is the pin of a certificate, with its text.
func pinOf(c *x509.Certificate) v1alpha1.Pin {
	return v1alpha1.Pin{
		Thumbprint:  rules.Thumbprint(c.Raw),
		Certificate: string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Raw})),
		NotBefore:   *at(c.NotBefore), NotAfter: *at(c.NotAfter),
	}
}

func TestAssertionPin(t *testing.T) {
	key, otherKey := newKey(t), newKey(t)
	certificate, other := issue(t, leaf(), key, nil), issue(t, leaf(), otherKey, nil)
	sum := sha1.Sum(certificate.Raw)
	x5t, x5tS256 := base64.RawURLEncoding.EncodeToString(sum[:]), rules.Thumbprint(certificate.Raw)
	with := func(changes ...func(*v1alpha1.ClientCertificate)) *v1alpha1.ClientCertificate {
		return pinned("", append([]func(*v1alpha1.ClientCertificate){func(cc *v1alpha1.ClientCertificate) {
			cc.Status.Pins = []v1alpha1.Pin{pinOf(other), pinOf(certificate)}
		}}, changes...)...)
	}
	named := rules.KeyHint{X5TS256: x5tS256}
	for sentence, test := range map[string]struct {
		hint rules.KeyHint
		cc   *v1alpha1.ClientCertificate
		want bool
	}{
		"by x5t#S256":                           {hint: named, want: true},
		"by x5t":                                {hint: rules.KeyHint{X5T: x5t}, want: true},
		"by both":                               {hint: rules.KeyHint{X5TS256: x5tS256, X5T: x5t}, want: true},
		"by kid in the form of x5t#S256":        {hint: rules.KeyHint{KeyID: x5tS256}, want: true},
		"by kid in the form of x5t":             {hint: rules.KeyHint{KeyID: x5t}, want: true},
		"by kid in hexadecimal":                 {hint: rules.KeyHint{KeyID: hex.EncodeToString(sum[:])}, want: true},
		"by kid in large hexadecimal":           {hint: rules.KeyHint{KeyID: strings.ToUpper(hex.EncodeToString(sum[:]))}, want: true},
		"whatever kid is, beside a thumbprint":  {hint: rules.KeyHint{X5T: x5t, KeyID: "alias"}, want: true},
		"thumbprints of two certificates: none": {hint: rules.KeyHint{X5TS256: x5tS256, X5T: "x"}},
		"no hint: none":                         {},
		"an unknown kid: none":                  {hint: rules.KeyHint{KeyID: "x"}},
		"a pin of another client: none":         {hint: named, cc: with(func(cc *v1alpha1.ClientCertificate) { cc.Spec.ClientRef.Name = "other" })},
		"a pin of another namespace: none":      {hint: named, cc: with(func(cc *v1alpha1.ClientCertificate) { cc.Namespace = "evil" })},
		"a distrusted pin: none": {hint: named, cc: with(func(cc *v1alpha1.ClientCertificate) {
			cc.Spec.Distrust = []v1alpha1.Thumbprint{v1alpha1.Thumbprint(x5tS256)}
		})},
		"an expired pin: none":                     {hint: named, cc: with(func(cc *v1alpha1.ClientCertificate) { cc.Status.Pins[1].NotAfter = *at(noon) })},
		"a pin whose text is another's: none":      {hint: named, cc: with(func(cc *v1alpha1.ClientCertificate) { cc.Status.Pins[1].Certificate = cc.Status.Pins[0].Certificate })},
		"a pin whose text cannot be read: none":    {hint: named, cc: with(func(cc *v1alpha1.ClientCertificate) { cc.Status.Pins[1].Certificate = "x" })},
		"a pin without text, which binds all same": {hint: named, cc: with(func(cc *v1alpha1.ClientCertificate) { cc.Status.Pins[1].Certificate = "" })},
	} {
		t.Run(sentence, func(t *testing.T) {
			if test.cc == nil {
				test.cc = with()
			}
			pin, ok := rules.AssertionPin(client(), read(test.cc), test.hint, noon)
			if ok != test.want {
				t.Fatalf("got %t, want %t", ok, test.want)
			}
			public, _ := pin.Public.(*ecdsa.PublicKey)
			if ok && (pin.Thumbprint != x5tS256 || public == nil || !public.Equal(key.Public()) || !pin.Ends.Equal(noon.Add(time.Hour))) {
				t.Errorf("got %+v", pin)
			}
		})
	}
}

// What is read once does not keep the texts, and does not change what it was given.
func TestReadCertificateKeepsNoText(t *testing.T) {
	ca := newAuthority(t, "ca", nil)
	cc := matching(v1alpha1.SubjectSource{CABundle: ca.pem(), DNS: "a.b"}, func(cc *v1alpha1.ClientCertificate) {
		cc.Status.Pins, cc.Spec.PEM = []v1alpha1.Pin{pinOf(ca.Certificate)}, ca.pem()
	})
	before := cc.DeepCopy()
	c := rules.ReadCertificate(cc)
	if c.Spec.PEM != "" || c.Spec.Subject.CABundle != "" || c.Status.Pins[0].Certificate != "" {
		t.Error("a text was kept")
	}
	if cc.Spec.PEM != before.Spec.PEM || cc.Spec.Subject.CABundle != before.Spec.Subject.CABundle || cc.Status.Pins[0].Certificate != before.Status.Pins[0].Certificate {
		t.Error("the object was changed")
	}
}
