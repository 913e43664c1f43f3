package clientcertificate_test

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"fmt"
	"strings"
	"testing"
	"time"

	eventsv1 "k8s.io/api/events/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/lanyard-dev/lanyard/api/v1alpha1"
	"github.com/lanyard-dev/lanyard/test/testenv"
)

// hasEvent waits for an event about the ClientCertificate of that name.
func (w world) hasEvent(name, eventType, reason, part string) {
	w.Helper()
	testenv.Eventually(w.T, func(ctx context.Context) error {
		var list eventsv1.EventList
		if err := w.env.Client.List(ctx, &list, client.InNamespace(w.namespace)); err != nil {
			return err
		}
		var seen []string
		for _, e := range list.Items {
			if e.Regarding.Name == name && e.Type == eventType && e.Reason == reason && strings.Contains(e.Note, part) {
				return nil
			}
			seen = append(seen, fmt.Sprintf("%s %s %s: %s", e.Regarding.Name, e.Type, e.Reason, e.Note))
		}
		return fmt.Errorf("events:\n%s", strings.Join(seen, "\n"))
	})
}

func TestPinsPEMAndKeepsTheReplacedOneForItsOverlap(t *testing.T) {
	w := newWorld(t, nil)
	c := w.withPEM("checkout", certificatePEM(t, nil))
	w.create(c)
	w.becomes(c, v1alpha1.ReasonReady)
	first := pin(c, v1alpha1.PinCurrent)
	if first.Certificate != c.Spec.PEM {
		t.Errorf("pinned:\n%s\nwant:\n%s", first.Certificate, c.Spec.PEM)
	}
	change(w, c, func(c *v1alpha1.ClientCertificate) { c.Spec.PEM = certificatePEM(t, nil) })
	w.becomes(c, v1alpha1.ReasonReady)
	previous := pin(c, v1alpha1.PinPrevious)
	if previous.Thumbprint != first.Thumbprint || previous.RetiresAt == nil {
		t.Errorf("pins: %s; want the first one as Previous, with its end", states(c))
	}
}

// Nobody touches the object: the certificate begins to work, and ends, by itself.
func TestCertificateBeginsAndEndsByItself(t *testing.T) {
	w := newWorld(t, nil)
	var c, d *v1alpha1.ClientCertificate
	for try := 0; ; try++ {
		works := time.Now().Add(long(try)).Truncate(time.Second)
		begins := works.Add(30 * time.Second) // the leeway
		c = w.withPEM(fmt.Sprint("early-", try), certificatePEM(t, func(x *x509.Certificate) { x.NotBefore, x.NotAfter = begins, begins.Add(time.Hour) }))
		w.create(c)
		if w.sees(c, v1alpha1.ReasonCertificateNotYetValid, v1alpha1.ReasonReady, works) {
			w.says(ready(c).Message, begins.UTC().Format(time.RFC3339))
			break
		}
	}
	for try := 0; ; try++ {
		ends := time.Now().Add(long(try)).Truncate(time.Second)
		d = w.withPEM(fmt.Sprint("short-", try), certificatePEM(t, func(x *x509.Certificate) { x.NotAfter = ends }))
		w.create(d)
		if w.sees(d, v1alpha1.ReasonReady, v1alpha1.ReasonCertificateExpired, ends) {
			break
		}
	}
	w.becomes(c, v1alpha1.ReasonReady)
	w.says(w.becomes(d, v1alpha1.ReasonCertificateExpired), "replace spec.pem")
	if len(d.Status.Pins) != 0 {
		t.Errorf("pins: %s; want none after the end", states(d))
	}
}

func TestBrokenPEMShowsWhatIsWrongAndHeals(t *testing.T) {
	w := newWorld(t, nil)
	key, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	good := certificatePEM(t, nil)
	tests := map[string]struct {
		pem, reason, says string
	}{
		"two":      {good + certificatePEM(t, nil), v1alpha1.ReasonInvalidPEM, "second PEM block"},
		"cut":      {good[:len(good)-40], v1alpha1.ReasonInvalidPEM, "cut off"},
		"garbage":  {"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", v1alpha1.ReasonInvalidPEM, "no X.509 certificate"},
		"trailing": {good + "and more", v1alpha1.ReasonInvalidPEM, "text after"},
		"leading":  {"my certificate:\n" + good, v1alpha1.ReasonInvalidPEM, "text before"},
		"weak":     {signedPEM(t, key, &key.PublicKey, nil), v1alpha1.ReasonCertificateInvalid, "1024 bits"},
		"server": {certificatePEM(t, func(x *x509.Certificate) {
			x.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
		}), v1alpha1.ReasonCertificateInvalid, "clientAuth"},
	}
	for name, test := range tests {
		c := w.withPEM(name, test.pem)
		w.create(c)
		w.says(w.becomes(c, test.reason), test.says)
		change(w, c, func(c *v1alpha1.ClientCertificate) { c.Spec.PEM = good })
		w.becomes(c, v1alpha1.ReasonReady)
	}
}

func TestHealsWhenCertManagerAppears(t *testing.T) {
	fresh := testenv.New(t, testenv.Options{})
	w := world{T: t, env: fresh, namespace: fresh.Namespace(t, nil, nil).Name}
	w.runController(time.Now)
	w.create(&v1alpha1.OAuthClient{ObjectMeta: w.meta("checkout"), Spec: v1alpha1.OAuthClientSpec{
		Authentication: v1alpha1.ClientAuthentication{Certificate: &v1alpha1.CertificateCredential{
			Methods: []v1alpha1.CertificateMethod{"tls_client_auth"},
		}},
	}})
	c, d := w.issued("checkout"), w.withPEM("by-hand", certificatePEM(t, nil))
	w.create(c)
	w.create(d)
	w.says(w.becomes(c, v1alpha1.ReasonCertManagerNotInstalled), "install it")
	w.becomes(d, v1alpha1.ReasonReady)
	if err := fresh.StartCertManager(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.becomes(c, v1alpha1.ReasonReady)
}
