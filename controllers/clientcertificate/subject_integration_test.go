package clientcertificate_test

import (
	"crypto/x509"
	"fmt"
	"testing"
	"time"

	"github.com/lanyard-dev/lanyard/api/v1alpha1"
	"github.com/lanyard-dev/lanyard/controllers/clientcertificate"
)

func (w world) matching(name string, s v1alpha1.SubjectSource) *v1alpha1.ClientCertificate {
	return &v1alpha1.ClientCertificate{ObjectMeta: w.meta(name), Spec: v1alpha1.ClientCertificateSpec{
		ClientRef: v1alpha1.LocalReference{Name: "checkout"}, Subject: &s,
	}}
}

func TestSubjectSaysWhatItMatchesAndPinsNothing(t *testing.T) {
	w := newWorld(t, nil)
	c := w.matching("per-pod", v1alpha1.SubjectSource{CABundle: certificatePEM(t, nil), URI: "spiffe://cluster.local/ns/shop/sa/checkout"})
	w.create(c)
	w.says(w.becomes(c, v1alpha1.ReasonReady), `the URI "spiffe://cluster.local/ns/shop/sa/checkout"`)
	if len(c.Status.Pins) != 0 {
		t.Errorf("pins: %s; want none", states(c))
	}
	change(w, c, func(c *v1alpha1.ClientCertificate) { c.Spec.Subject.URI = "checkout" })
	w.says(w.becomes(c, v1alpha1.ReasonSubjectInvalid), "spec.subject.uri", "write one URI")
	w.hasEvent("per-pod", "Warning", v1alpha1.ReasonSubjectInvalid, "write one URI")
	change(w, c, func(c *v1alpha1.ClientCertificate) { c.Spec.Subject.URI, c.Spec.Subject.DN = "", "CN=checkout" })
	w.says(w.becomes(c, v1alpha1.ReasonReady), `the subject "CN=checkout"`)
}

// Nobody touches the object.
func TestSubjectWarnsOfItsCAAndEndsWithIt(t *testing.T) {
	w := newWorld(t, nil)
	var alone, beside *v1alpha1.ClientCertificate
	for try := 0; ; try++ {
		ends := time.Now().Add(long(try)).Truncate(time.Second)
		short := certificatePEM(t, func(x *x509.Certificate) { x.NotAfter = ends })
		alone = w.matching(fmt.Sprint("alone-", try), v1alpha1.SubjectSource{CABundle: short, DNS: "checkout.shop.svc"})
		beside = w.matching(fmt.Sprint("beside-", try), v1alpha1.SubjectSource{CABundle: short + certificatePEM(t, nil), DNS: "checkout.shop.svc"})
		w.create(alone)
		w.create(beside)
		if w.sees(alone, v1alpha1.ReasonReady, v1alpha1.ReasonCertificateExpired, ends) {
			break
		}
	}
	w.says(ready(alone).Message, "expires at")
	w.hasEvent(alone.Name, "Warning", clientcertificate.EventAuthorityEnds, "expires at")
	w.says(w.becomes(alone, v1alpha1.ReasonCertificateExpired), "of the CA that issues now")
	w.hasEvent(beside.Name, "Warning", clientcertificate.EventAuthorityEnds, "expired at")
	w.says(w.becomes(beside, v1alpha1.ReasonReady), "1 of 2")
}

func TestAPinWorksOnForItsOverlapWhenASubjectTakesItsPlace(t *testing.T) {
	w := newWorld(t, nil)
	c := w.withPEM("moves", certificatePEM(t, nil))
	w.create(c)
	w.becomes(c, v1alpha1.ReasonReady)
	change(w, c, func(c *v1alpha1.ClientCertificate) {
		c.Spec.PEM, c.Spec.Subject = "", &v1alpha1.SubjectSource{CABundle: certificatePEM(t, nil), IP: "10.1.2.3"}
	})
	w.becomes(c, v1alpha1.ReasonReady)
	if previous := pin(c, v1alpha1.PinPrevious); len(c.Status.Pins) != 1 || previous.RetiresAt == nil {
		t.Errorf("pins: %s; want the one as Previous, with its end", states(c))
	}
}
