package clientcertificate

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/lanyard-dev/lanyard/api/v1alpha1"
	"github.com/lanyard-dev/lanyard/issuer/rules"
)

// authority is a CA's certificate that is valid from noon+from to noon+to.
func authority(t *testing.T, name string, from, to time.Duration) string {
	t.Helper()
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, NotBefore: noon.Add(from), NotAfter: noon.Add(to),
		BasicConstraintsValid: true, IsCA: true, KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, public, private)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
}

// matched is a namespace whose ClientCertificate names its certificates by subject.
func matched(s v1alpha1.SubjectSource) *observation {
	o := observed()
	o.certificate, o.namespace, o.certManager = nil, nil, false
	o.object.Spec.Issuance, o.object.Spec.Subject = nil, &s
	return o
}

func TestConcludesOfASubject(t *testing.T) {
	const day = 24 * time.Hour
	good := authority(t, "good", -365*day, 365*day)
	soon := authority(t, "soon", -365*day, 10*day)
	short := authority(t, "short", -12*time.Hour, 12*time.Hour)
	gone := authority(t, "gone", -365*day, -day)
	early := authority(t, "early", time.Hour, 365*day)
	uri := "spiffe://cluster.local/ns/shop/sa/checkout"
	tests := map[string]struct {
		subject v1alpha1.SubjectSource
		reason  string
		says    []string
		warns   []string
		next    time.Duration
	}{
		"one CA": {
			v1alpha1.SubjectSource{CABundle: good, URI: uri},
			v1alpha1.ReasonReady,
			[]string{`the URI "` + uri + `"`, "1 of 1", "clientAuth"},
			nil, 335 * day,
		},
		"a CA that ends soon": {
			v1alpha1.SubjectSource{CABundle: good + soon, DNS: "checkout.shop.svc"},
			v1alpha1.ReasonReady,
			[]string{`the DNS name "checkout.shop.svc"`, "2 of 2"},
			[]string{`certificate 2 ("CN=soon") expires at`},
			10 * day,
		},
		"a CA that lives shortly is not warned of all its life": {
			v1alpha1.SubjectSource{CABundle: short, IP: "10.1.2.3"}, v1alpha1.ReasonReady, []string{`the IP address "10.1.2.3"`}, nil, 4 * time.Hour,
		},
		"one of two has expired": {
			v1alpha1.SubjectSource{CABundle: gone + good, Email: "checkout@shop.example"},
			v1alpha1.ReasonReady,
			[]string{`the e-mail address "checkout@shop.example"`, "1 of 2"},
			[]string{`certificate 1 ("CN=gone") expired at`},
			335 * day,
		},
		"all have expired": {
			v1alpha1.SubjectSource{CABundle: gone, DN: "CN=checkout,O=Shop"},
			v1alpha1.ReasonCertificateExpired,
			[]string{noon.Add(-day).Format(time.RFC3339), "of the CA that issues now"},
			nil, 0,
		},
		"the only one is to come": {
			v1alpha1.SubjectSource{CABundle: gone + early, DN: "CN=checkout,O=Shop"},
			v1alpha1.ReasonCertificateNotYetValid,
			[]string{noon.Add(time.Hour).Format(time.RFC3339)},
			nil, time.Hour,
		},
		"no CA": {
			v1alpha1.SubjectSource{CABundle: madePEM(t, -time.Hour, time.Hour), DNS: "checkout"},
			v1alpha1.ReasonSubjectInvalid,
			[]string{"spec.subject.caBundle", "not a CA's"},
			nil, 0,
		},
		"a wildcard": {
			v1alpha1.SubjectSource{CABundle: good, DNS: "*.shop.svc"}, v1alpha1.ReasonSubjectInvalid, []string{"spec.subject.dns", "write one DNS name"}, nil, 0,
		},
		"two names": {
			v1alpha1.SubjectSource{CABundle: good, DNS: "checkout", IP: "10.1.2.3"}, v1alpha1.ReasonSubjectInvalid, []string{"exactly one"}, nil, 0,
		},
	}
	for sentence, test := range tests {
		t.Run(sentence, func(t *testing.T) {
			o := matched(test.subject)
			s := policy.see(o)
			end := conclude(o, s, policy.decide(o), rules.Verdict{})
			ready := readyOf(end.status)
			if ready.Reason != test.reason || (ready.Status == metav1.ConditionTrue) != (test.reason == v1alpha1.ReasonReady) {
				t.Errorf("Ready is %s, %s: %s", ready.Status, ready.Reason, ready.Message)
			}
			for _, part := range append(test.says, test.warns...) {
				if !strings.Contains(ready.Message, part) {
					t.Errorf("the message %q does not say %q", ready.Message, part)
				}
			}
			if (s.matching.warning != "") != (test.warns != nil) {
				t.Errorf("the warning is %q", s.matching.warning)
			}
			var next time.Duration
			if !end.next.IsZero() {
				next = end.next.Sub(noon)
			}
			if next != test.next {
				t.Errorf("looks again after %s; want %s", next, test.next)
			}
			if len(end.status.Pins) != 0 || end.status.SecretName != "" {
				t.Errorf("pins %v, Secret %q; want none", end.status.Pins, end.status.SecretName)
			}
		})
	}
}

func TestPinsOfAnEarlierSourceRetireBesideASubject(t *testing.T) {
	o := matched(v1alpha1.SubjectSource{CABundle: authority(t, "ca", -time.Hour, time.Hour), DNS: "checkout"})
	pin := leafOf(t, madePEM(t, -time.Hour, time.Hour)).pin(v1alpha1.PinCurrent, 0)
	o.object.Status.Pins = []v1alpha1.Pin{pin}
	pins := keepPins(o, policy.see(o))
	if len(pins) != 1 || pins[0].State != v1alpha1.PinPrevious || !pins[0].RetiresAt.Time.Equal(noon.Add(15*time.Minute)) {
		t.Errorf("pins: %+v; want the one as Previous, which ends after the overlap", pins)
	}
}

func TestASubjectNeedsItsClient(t *testing.T) {
	o := matched(v1alpha1.SubjectSource{CABundle: authority(t, "ca", -time.Hour, time.Hour), DNS: "checkout"})
	o.client = nil
	end := conclude(o, policy.see(o), policy.decide(o), rules.Verdict{})
	if ready := readyOf(end.status); ready.Reason != v1alpha1.ReasonClientNotFound {
		t.Errorf("Ready: %s: %s", ready.Reason, ready.Message)
	}
}
