package clientcertificate_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	certmanagerv1 "github.com/cert-manager/cert-manager/pkg/apis/certmanager/v1"
	cmmeta "github.com/cert-manager/cert-manager/pkg/apis/meta/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/lanyard-dev/lanyard/api/v1alpha1"
	"github.com/lanyard-dev/lanyard/controllers/clientcertificate"
	"github.com/lanyard-dev/lanyard/hack/cluster"
	"github.com/lanyard-dev/lanyard/test/testenv"
)

// tenant may do in the namespace what the owner of a workload may: everything with
// CertificateRequests, and nothing with Certificates.
func (w world) tenant() client.Client {
	w.Helper()
	w.create(&rbacv1.Role{ObjectMeta: w.meta("tenant"), Rules: []rbacv1.PolicyRule{{
		APIGroups: []string{"cert-manager.io"}, Resources: []string{"certificaterequests", "certificaterequests/status"}, Verbs: []string{"*"},
	}}})
	w.create(&rbacv1.RoleBinding{
		ObjectMeta: w.meta("tenant"),
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: "tenant"},
		Subjects:   []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: "User", Name: "mallory"}},
	})
	mallory := w.env.ClientOf(w.T, w.env.As(w.T, "mallory"))
	testenv.Eventually(w.T, func(ctx context.Context) error { // the role is in force
		return mallory.List(ctx, &certmanagerv1.CertificateRequestList{}, client.InNamespace(w.namespace))
	})
	return mallory
}

// signed waits until the issuer has signed a CertificateRequest.
func (w world) signed(r *certmanagerv1.CertificateRequest) {
	w.Helper()
	testenv.Eventually(w.T, func(ctx context.Context) error {
		if err := w.env.Client.Get(ctx, client.ObjectKeyFromObject(r), r); err != nil {
			return err
		}
		if len(r.Status.Certificate) == 0 {
			return fmt.Errorf("CertificateRequest %s is not signed: %v", r.Name, r.Status.Conditions)
		}
		return nil
	})
}

// settled waits until a Certificate is in its Secret and nothing more happens to it.
// It returns its revision.
func (w world) settled(c *certmanagerv1.Certificate) int {
	w.Helper()
	w.env.Issued(w.T, c.Namespace, c.Name).DeepCopyInto(c)
	if c.Status.Revision == nil {
		return 0
	}
	return *c.Status.Revision
}

// pinned waits until c is Ready, its Certificate is settled, and c has pinned what is in the
// Secret. It returns that pin. How many there were before it is not said: cert-manager sometimes
// issues twice at once.
func (w world) pinned(c *v1alpha1.ClientCertificate, certificate string) v1alpha1.Pin {
	w.Helper()
	var current v1alpha1.Pin
	revision := w.settled(w.certificate(certificate, ""))
	w.eventually(c, func(c *v1alpha1.ClientCertificate) error {
		current = pin(c, v1alpha1.PinCurrent)
		if ready(c).Status != metav1.ConditionTrue || current.Revision != int64(revision) || c.Status.ObservedGeneration != c.Generation {
			return fmt.Errorf("Ready is %v, pins %s; want revision %d", ready(c), states(c), revision)
		}
		return nil
	})
	return current
}

// renewed has cert-manager renew a Certificate, and waits until c has pinned what came of it. It
// returns the new pin, and what became of the one before.
func (w world) renewed(c *v1alpha1.ClientCertificate, certificate string, before v1alpha1.Pin) (current, previous v1alpha1.Pin) {
	w.Helper()
	w.renew(certificate)
	w.eventually(c, func(c *v1alpha1.ClientCertificate) error {
		if ready(c).Status != metav1.ConditionTrue {
			w.Fatalf("a renewal must keep Ready; it is %v", ready(c))
		}
		if pin(c, v1alpha1.PinCurrent).Revision <= before.Revision {
			return fmt.Errorf("pins: %s", states(c))
		}
		return nil
	})
	current = w.pinned(c, certificate)
	i := slices.IndexFunc(c.Status.Pins, func(p v1alpha1.Pin) bool { return p.Thumbprint == before.Thumbprint })
	if i < 0 || c.Status.Pins[i].State != v1alpha1.PinPrevious {
		w.Fatalf("pins: %s; want the one of revision %d among them, as Previous", states(c), before.Revision)
	}
	return current, c.Status.Pins[i]
}

func TestRefusesCertificateRequestForgedByUser(t *testing.T) {
	w := newWorld(t, nil)
	mallory := w.tenant()
	c := w.issued("checkout")
	w.create(c)
	w.pinned(c, "checkout")
	genuine := slices.Clone(c.Status.Pins) // two, where cert-manager has issued twice
	owner := &certmanagerv1.Certificate{ObjectMeta: w.meta("checkout")}
	revision := w.settled(owner)

	// The issuer signs both: nothing else than who asked tells them from genuine ones.
	for _, claimed := range []int{revision, revision + 1} {
		forged := w.forged(owner, claimed)
		if claimed != revision {
			forged.GenerateName, forged.Name = "", fmt.Sprintf("checkout-%d", claimed)
		}
		if err := mallory.Create(t.Context(), forged); err != nil {
			t.Fatal(err)
		}
		w.signed(forged)
	}
	change(w, c, func(c *v1alpha1.ClientCertificate) { c.Spec.Overlap.Duration *= 2 }) // has it reconciled after that
	w.becomes(c, v1alpha1.ReasonReady)
	for _, p := range c.Status.Pins {
		if !slices.ContainsFunc(genuine, func(g v1alpha1.Pin) bool { return g.Thumbprint == p.Thumbprint }) {
			t.Errorf("pins: %s; want genuine ones only", states(c))
		}
	}
	if len(c.Status.Pins) != len(genuine) {
		t.Errorf("pins: %s; want the genuine ones still", states(c))
	}
}

// certManagerClient makes CertificateRequests that pass for cert-manager's: what only
// cert-manager itself, gone wrong, could do.
func (w world) certManagerClient() client.Client {
	return w.env.ClientOf(w.T, w.env.As(w.T, cluster.CertManagerUser, cluster.CertManagerGroups()...))
}

// The name tells which of two is the one in the Secret.
func TestPinsTheNamedOneOfTwoForOneRevision(t *testing.T) {
	w := newWorld(t, nil)
	own := w.certificate("own", "own")
	w.create(own)
	second := w.forged(own, w.settled(own))
	if err := w.certManagerClient().Create(t.Context(), second); err != nil {
		t.Fatal(err)
	}
	w.signed(second)

	c := w.adopting("checkout", "own")
	w.create(c)
	w.becomes(c, v1alpha1.ReasonReady)
	for _, p := range c.Status.Pins { // cert-manager may have renewed meanwhile, confused by the second
		if strings.HasPrefix(string(second.Status.Certificate), p.Certificate) {
			t.Errorf("pins: %s; want the certificate of %s in none of them", states(c), second.Name)
		}
	}
}

func TestAdoptsACertificate(t *testing.T) {
	w := newWorld(t, nil)
	c := w.adopting("checkout", "own")
	w.create(c)
	w.says(w.becomes(c, v1alpha1.ReasonCertificateNotFound), `"own"`)
	own := w.certificate("own", "own-secret")
	w.create(own)
	first := w.pinned(c, "own")
	if c.Status.SecretName != "own-secret" || c.Status.Revision != first.Revision {
		t.Errorf("secretName %q, revision %d; want own-secret, %d", c.Status.SecretName, c.Status.Revision, first.Revision)
	}
	second, _ := w.renewed(c, "own", first)

	// Another Certificate, whose revision happens to be one that is pinned already.
	other := w.certificate("other", "other-secret")
	w.create(other)
	change(w, c, func(c *v1alpha1.ClientCertificate) { c.Spec.CertificateRef.Name = "other" })
	w.eventually(c, func(c *v1alpha1.ClientCertificate) error {
		if c.Status.SecretName != "other-secret" || pin(c, v1alpha1.PinCurrent).Thumbprint == second.Thumbprint {
			return fmt.Errorf("secretName %q, pins: %s", c.Status.SecretName, states(c))
		}
		return nil
	})
	third := w.pinned(c, "other")
	for _, p := range c.Status.Pins {
		if p.Thumbprint != third.Thumbprint && p.State != v1alpha1.PinPrevious {
			t.Errorf("pins: %s; want one that is Current", states(c))
		}
	}
	for _, before := range []v1alpha1.Pin{first, second} {
		if !slices.ContainsFunc(c.Status.Pins, func(p v1alpha1.Pin) bool { return p.Thumbprint == before.Thumbprint }) {
			t.Errorf("pins: %s; want the one of revision %d of the other Certificate among them", states(c), before.Revision)
		}
	}
}

func TestTellsToRenewAnAdoptedCertificateWithoutCertificateRequest(t *testing.T) {
	w := newWorld(t, nil)
	own := w.certificate("own", "own")
	w.create(own)
	w.settled(own)
	for _, r := range w.requests() {
		if err := w.env.Client.Delete(t.Context(), &r); err != nil {
			t.Fatal(err)
		}
	}
	c := w.adopting("checkout", "own")
	w.create(c)
	w.says(w.becomes(c, v1alpha1.ReasonCertificateRequestNotFound), "cmctl renew --namespace "+w.namespace+" own")
	w.renew("own")
	w.becomes(c, v1alpha1.ReasonReady)
}

func TestRefusesCertificateForServersOnly(t *testing.T) {
	w := newWorld(t, nil)
	own := w.certificate("own", "own")
	own.Spec.Usages = []certmanagerv1.KeyUsage{certmanagerv1.UsageServerAuth, certmanagerv1.UsageDigitalSignature}
	w.create(own)
	c := w.adopting("checkout", "own")
	w.create(c)
	w.says(w.becomes(c, v1alpha1.ReasonCertificateInvalid), "clientAuth")
}

// A certificate is Next while it is signed but not yet in its Secret.
func TestNextWorksAtOnceAndSurvivesItsCertificateRequest(t *testing.T) {
	w := newWorld(t, nil)
	own := w.certificate("own", "own")
	w.create(own)
	revision := w.settled(own)
	c := w.adopting("checkout", "own")
	w.create(c)
	w.becomes(c, v1alpha1.ReasonReady)

	next := w.forged(own, revision+1)
	next.GenerateName, next.Name = "", fmt.Sprintf("own-%d", revision+1)
	want := fmt.Sprintf("Current/%d Next/%d", revision, revision+1)
	if err := w.certManagerClient().Create(t.Context(), next); err != nil {
		t.Fatal(err)
	}
	w.eventually(c, func(c *v1alpha1.ClientCertificate) error {
		if got := states(c); got != want {
			return fmt.Errorf("pins: %s", got)
		}
		return nil
	})
	if err := w.env.Client.Delete(t.Context(), next); err != nil {
		t.Fatal(err)
	}
	change(w, c, func(c *v1alpha1.ClientCertificate) { c.Spec.Overlap.Duration *= 2 })
	w.becomes(c, v1alpha1.ReasonReady)
	if got := states(c); got != want {
		t.Errorf("pins: %s; the next one must stay", got)
	}
}

func TestTellsOfACertificateOfTwoClients(t *testing.T) {
	w := newWorld(t, nil)
	text := certificatePEM(t, nil)
	c := w.withPEM("checkout", text)
	w.create(c)
	w.becomes(c, v1alpha1.ReasonReady)
	w.create(&v1alpha1.OAuthClient{ObjectMeta: w.meta("other"), Spec: v1alpha1.OAuthClientSpec{
		Authentication: v1alpha1.ClientAuthentication{Certificate: &v1alpha1.CertificateCredential{Methods: []v1alpha1.CertificateMethod{"self_signed_tls_client_auth"}}},
	}})
	d := w.withPEM("other", text)
	d.Spec.ClientRef.Name = "other"
	w.create(d)
	w.becomes(d, v1alpha1.ReasonReady)
	w.hasEvent("other", "Warning", clientcertificate.EventShared, "client checkout")
	w.hasEvent("checkout", "Normal", clientcertificate.EventPinned, pin(c, v1alpha1.PinCurrent).Thumbprint)
}

// nothing of an issuer's condition is lost when cert-manager gives up.
func TestShowsWhyCertManagerFailed(t *testing.T) {
	w := newWorld(t, nil)
	c := w.issued("checkout")
	w.create(c)
	w.becomes(c, v1alpha1.ReasonReady)
	certificate := &certmanagerv1.Certificate{ObjectMeta: w.meta("checkout")}
	testenv.Eventually(t, func(ctx context.Context) error {
		if err := w.env.Client.Get(ctx, client.ObjectKeyFromObject(certificate), certificate); err != nil {
			return err
		}
		now := metav1.Now()
		certificate.Status.LastFailureTime = &now
		certificate.Status.Conditions = append(slices.Clone(certificate.Status.Conditions), certmanagerv1.CertificateCondition{
			Type: certmanagerv1.CertificateConditionIssuing, Status: cmmeta.ConditionFalse, Reason: "Failed",
			Message: "The certificate request has failed to complete: the CA is closed", LastTransitionTime: &now,
		})
		return w.env.Client.Status().Update(ctx, certificate)
	})
	w.eventually(c, func(c *v1alpha1.ClientCertificate) error {
		for _, condition := range c.Status.Conditions {
			if condition.Type == v1alpha1.ConditionIssuing && condition.Reason == v1alpha1.ReasonIssuanceFailed {
				w.says(condition.Message, "the CA is closed")
				return nil
			}
		}
		return fmt.Errorf("conditions: %v", c.Status.Conditions)
	})
	if ready(c).Status != metav1.ConditionTrue {
		t.Errorf("Ready is %v; the certificate in use still works", ready(c))
	}
}
