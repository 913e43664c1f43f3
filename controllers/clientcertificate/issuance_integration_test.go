package clientcertificate_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	certmanagerv1 "github.com/cert-manager/cert-manager/pkg/apis/certmanager/v1"
	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/lanyard-dev/lanyard/api/v1alpha1"
	"github.com/lanyard-dev/lanyard/test/testenv"
)

// A machine on which much else runs is slow now and then: the best of a few counts.
func TestACertificateIsPinnedSoonAfterItIsAskedFor(t *testing.T) {
	w := newWorld(t, nil)
	const soon, tries = 2 * time.Second, 8
	best := time.Hour
	for try := 0; try < tries && best > soon; try++ {
		c := w.issued(fmt.Sprint("checkout-", try))
		begun := time.Now()
		w.create(c)
		w.becomes(c, v1alpha1.ReasonReady)
		best = min(best, time.Since(begun))
	}
	t.Logf("from create to pinned: %s", best)
	if best > soon {
		t.Errorf("it took %s from create to pinned; more than %s is too long to wait", best, soon)
	}
}

func TestIssuesAndPinsACertificate(t *testing.T) {
	w := newWorld(t, nil)
	c := w.issued("checkout")
	w.create(c)
	current := w.pinned(c, "checkout")
	w.says(ready(c).Message, current.Thumbprint, w.namespace+"/checkout")
	certificate := w.certificate("checkout", "")
	w.settled(certificate)
	if owner := metav1.GetControllerOf(certificate); owner == nil || owner.UID != c.UID {
		t.Errorf("the Certificate's owner is %v; want the ClientCertificate", owner)
	}
	if limit := certificate.Spec.RevisionHistoryLimit; limit == nil || *limit != 3 {
		t.Errorf("revisionHistoryLimit is %v; want 3", limit)
	}
	secret := &corev1.Secret{ObjectMeta: w.meta(c.Status.SecretName)}
	if err := w.env.Client.Get(t.Context(), client.ObjectKeyFromObject(secret), secret); err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode(secret.Data["tls.crt"])
	leaf, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(current.Certificate, string(pem.EncodeToMemory(block))); diff != "" {
		t.Errorf("the pinned certificate is not the one in the Secret:\n%s", diff)
	}
	got := map[string]any{"cn": leaf.Subject.CommonName, "uri": leaf.URIs[0].String(), "ca": leaf.IsCA, "usages": leaf.ExtKeyUsage, "usage": leaf.KeyUsage}
	want := map[string]any{
		"cn": w.namespace + "/checkout", "uri": "spiffe://cluster.local/ns/" + w.namespace + "/oauthclient/checkout",
		"ca": false, "usages": []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}, "usage": x509.KeyUsageDigitalSignature,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the certificate (-want +got):\n%s", diff)
	}
}

func TestOverlapOnRenewal(t *testing.T) {
	w := newWorld(t, nil)
	c := w.issued("checkout")
	w.create(c)
	current, previous := w.renewed(c, "checkout", w.pinned(c, "checkout"))
	if left := time.Until(previous.RetiresAt.Time); left < 14*time.Minute || left > 15*time.Minute {
		t.Errorf("the previous pin retires in %s; want the overlap of 15m", left)
	}
	if c.Status.Revision != current.Revision {
		t.Errorf("status.revision is %d; want %d", c.Status.Revision, current.Revision)
	}
}

func TestPinSurvivesDeletedCertificateRequest(t *testing.T) {
	w := newWorld(t, nil)
	c := w.issued("checkout")
	w.create(c)
	first := w.pinned(c, "checkout")
	for _, r := range w.requests() {
		if err := w.env.Client.Delete(t.Context(), &r); err != nil {
			t.Fatal(err)
		}
	}
	change(w, c, func(c *v1alpha1.ClientCertificate) { c.Spec.Overlap = &metav1.Duration{Duration: time.Hour} })
	w.becomes(c, v1alpha1.ReasonReady)
	if got := pin(c, v1alpha1.PinCurrent); got.Thumbprint != first.Thumbprint {
		t.Errorf("the current pin is %q; want %s still", got.Thumbprint, first.Thumbprint)
	}
}

func TestDistrustEndsPinAtOnce(t *testing.T) {
	w := newWorld(t, nil)
	c := w.issued("checkout")
	w.create(c)
	stolen := w.pinned(c, "checkout").Thumbprint
	var all []v1alpha1.Thumbprint // of which there are two where cert-manager has issued twice
	for _, p := range c.Status.Pins {
		all = append(all, v1alpha1.Thumbprint(p.Thumbprint))
	}
	change(w, c, func(c *v1alpha1.ClientCertificate) { c.Spec.Distrust = all })
	w.says(w.becomes(c, v1alpha1.ReasonDistrusted), stolen, "cmctl renew", "checkout-mtls")
	if len(c.Status.Pins) != 0 {
		t.Errorf("pins: %s; want none", states(c))
	}
	w.renew("checkout")
	w.becomes(c, v1alpha1.ReasonReady)
	for _, p := range c.Status.Pins {
		if slices.Contains(all, v1alpha1.Thumbprint(p.Thumbprint)) {
			t.Errorf("pins: %s; want new ones only", states(c))
		}
	}
}

func TestRefusesSecretOfSomebodyElse(t *testing.T) {
	w := newWorld(t, nil)
	secret := &corev1.Secret{ObjectMeta: w.meta("checkout-mtls"), Data: map[string][]byte{"password": []byte("precious")}}
	w.create(secret)
	c := w.issued("checkout")
	w.create(c)
	w.says(w.becomes(c, v1alpha1.ReasonSecretNameInUse), w.namespace+"/checkout-mtls", "neither reads nor overwrites", "delete secret checkout-mtls")
	if err := w.env.Client.Get(t.Context(), client.ObjectKeyFromObject(secret), secret); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[string][]byte{"password": []byte("precious")}, secret.Data); diff != "" {
		t.Errorf("the Secret was changed:\n%s", diff)
	}
	if len(c.Status.Pins) != 0 || c.Status.SecretName != "" {
		t.Errorf("pins %q, secretName %q; want none", states(c), c.Status.SecretName)
	}
	if err := w.env.Client.Delete(t.Context(), secret); err != nil {
		t.Fatal(err)
	}
	w.becomes(c, v1alpha1.ReasonReady)
}

// Somebody who may write Secrets dresses one up as cert-manager's own.
func TestRefusesSecretThatLooksLikeCertManagers(t *testing.T) {
	w := newWorld(t, nil)
	adopted := w.certificate("other", "shared")
	w.create(adopted)
	testenv.Eventually(t, func(ctx context.Context) error {
		return w.env.Client.Get(ctx, client.ObjectKey{Namespace: w.namespace, Name: "shared"}, &corev1.Secret{})
	})
	if err := w.env.Client.Delete(t.Context(), adopted); err != nil { // its Secret stays
		t.Fatal(err)
	}
	c := w.issued("checkout")
	c.Spec.Issuance.SecretName = "shared"
	w.create(c)
	w.becomes(c, v1alpha1.ReasonSecretNameInUse)
}

// A Secret that is named in status because it was adopted is not Lanyard's own.
func TestRefusesSecretThatWasAdoptedBefore(t *testing.T) {
	w := newWorld(t, nil)
	w.create(w.certificate("other", "shared"))
	c := w.adopting("checkout", "other")
	w.create(c)
	w.becomes(c, v1alpha1.ReasonReady)
	if c.Status.SecretName != "shared" {
		t.Errorf("status.secretName is %q; want the adopted Certificate's", c.Status.SecretName)
	}
	if err := w.env.Client.Delete(t.Context(), w.certificate("other", "")); err != nil { // its Secret stays
		t.Fatal(err)
	}
	change(w, c, func(c *v1alpha1.ClientCertificate) {
		c.Spec.CertificateRef, c.Spec.Issuance = nil, w.issued("checkout").Spec.Issuance
		c.Spec.Issuance.SecretName = "shared"
	})
	w.becomes(c, v1alpha1.ReasonSecretNameInUse)
}

// Its Secret, which is left, is no stranger's.
func TestMakesADeletedCertificateAgain(t *testing.T) {
	w := newWorld(t, nil)
	c := w.issued("checkout")
	w.create(c)
	first := w.pinned(c, "checkout").Thumbprint
	certificate := w.certificate("checkout", "")
	if err := w.env.Client.Delete(t.Context(), certificate); err != nil {
		t.Fatal(err)
	}
	w.settled(certificate)
	w.becomes(c, v1alpha1.ReasonReady)
	if got := pin(c, v1alpha1.PinCurrent).Thumbprint; got != first {
		t.Errorf("the current pin is %q; want %s, which is in the Secret", got, first)
	}
	w.renew("checkout")
	w.eventually(c, func(c *v1alpha1.ClientCertificate) error {
		i := slices.IndexFunc(c.Status.Pins, func(p v1alpha1.Pin) bool { return p.Thumbprint == first })
		if r := ready(c); r.Status != metav1.ConditionTrue || i < 0 || c.Status.Pins[i].State != v1alpha1.PinPrevious {
			return fmt.Errorf("Ready is %v, pins %s", r, states(c))
		}
		return nil
	})
}

func TestRefusesCertificateOfSomebodyElse(t *testing.T) {
	w := newWorld(t, nil)
	theirs := w.certificate("checkout", "theirs")
	w.create(theirs)
	c := w.issued("checkout")
	w.create(c)
	w.says(w.becomes(c, v1alpha1.ReasonCertificateNotOurs), w.namespace+"/checkout", "spec.certificateRef")
	if err := w.env.Client.Get(t.Context(), client.ObjectKeyFromObject(theirs), theirs); err != nil {
		t.Fatal(err)
	}
	if theirs.Spec.SecretName != "theirs" || len(theirs.OwnerReferences) != 0 {
		t.Errorf("the Certificate was changed: %v %v", theirs.Spec, theirs.OwnerReferences)
	}

	d := w.issued("other-name")
	d.Spec.Issuance.SecretName = "theirs"
	w.create(d)
	w.says(w.becomes(d, v1alpha1.ReasonSecretNameInUse), w.namespace+"/checkout")
	if err := w.env.Client.Delete(t.Context(), theirs); err != nil {
		t.Fatal(err)
	}
	w.becomes(c, v1alpha1.ReasonReady) // heals when the Certificate goes
}

// Between the look and the write somebody else makes a Certificate of that name.
func TestNeverTakesOverACertificateThatWasMadeMeanwhile(t *testing.T) {
	w := world{T: t, env: env, namespace: env.Namespace(t, nil, nil).Name}
	theirs := w.certificate("checkout", "theirs")
	w.create(theirs)
	c := w.issued("checkout")
	c.UID = "of-the-object"
	of := &v1alpha1.OAuthClient{ObjectMeta: w.meta("checkout")}
	if err := testPolicy.WriteStale(t.Context(), env.Client, c, of, nil); !apierrors.IsAlreadyExists(err) {
		t.Errorf("creating: %v; want a refusal because it exists", err)
	}
	ours := w.certificate("checkout", "ours")
	ours.UID = "of-ours-that-was-deleted"
	if err := testPolicy.WriteStale(t.Context(), env.Client, c, of, ours); !apierrors.IsConflict(err) {
		t.Errorf("changing: %v; want a conflict because of the UID", err)
	}
	if err := env.Client.Delete(t.Context(), theirs); err != nil {
		t.Fatal(err)
	}
	if err := testPolicy.WriteStale(t.Context(), env.Client, c, of, ours); !apierrors.IsConflict(err) {
		t.Errorf("changing what is gone: %v; want a conflict because of the UID", err)
	}
}

func TestOfTwoWithOneSecretTheOlderHasIt(t *testing.T) {
	w := newWorld(t, nil)
	c := w.issued("first")
	c.Spec.Issuance.SecretName = "shared"
	w.create(c)
	w.becomes(c, v1alpha1.ReasonReady)
	d := w.issued("a-second")
	d.Spec.Issuance.SecretName = "shared"
	w.create(d)
	w.says(w.becomes(d, v1alpha1.ReasonSecretNameInUse), "Certificate "+w.namespace+"/first")
}

func TestRefusesIssuerThatIsNotAllowed(t *testing.T) {
	w := newWorld(t, nil)
	c := w.issued("checkout")
	c.Spec.Issuance.IssuerRef = v1alpha1.IssuerReference{Name: "workload-root", Kind: "ClusterIssuer"}
	w.create(c)
	w.says(w.becomes(c, v1alpha1.ReasonIssuerNotAllowed), "ClusterIssuer.cert-manager.io/workload-root", v1alpha1.AnnotationIssuers)
	var list certmanagerv1.CertificateList
	if err := w.env.Client.List(t.Context(), &list, client.InNamespace(w.namespace)); err != nil || len(list.Items) > 0 {
		t.Errorf("Certificates: %v, %v; want none", list.Items, err)
	}
	ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: w.namespace}}
	change(w, ns, func(ns *corev1.Namespace) {
		ns.Annotations = map[string]string{v1alpha1.AnnotationIssuers: "ClusterIssuer/workload-root"}
	})
	old := w.pinned(c, "checkout")
	before := states(c)

	// Withdrawn, its pins last, and nothing new is pinned.
	change(w, ns, func(ns *corev1.Namespace) { ns.Annotations = nil })
	w.becomes(c, v1alpha1.ReasonIssuerNotAllowed)
	w.renew("checkout")
	testenv.Eventually(t, func(ctx context.Context) error {
		certificate := &certmanagerv1.Certificate{ObjectMeta: w.meta("checkout")}
		if err := w.env.Client.Get(ctx, client.ObjectKeyFromObject(certificate), certificate); err != nil {
			return err
		}
		if int64(*certificate.Status.Revision) <= old.Revision {
			return fmt.Errorf("revision %d", *certificate.Status.Revision)
		}
		return nil
	})
	w.settled(w.certificate("checkout", ""))
	change(w, c, func(c *v1alpha1.ClientCertificate) { c.Spec.Overlap = &metav1.Duration{Duration: time.Hour} })
	w.becomes(c, v1alpha1.ReasonIssuerNotAllowed)
	if got := states(c); got != before {
		t.Errorf("pins: %s; want %s still", got, before)
	}
}

func TestShowsWhyAnIssuerDoesNotIssue(t *testing.T) {
	w := newWorld(t, map[string]string{v1alpha1.AnnotationIssuers: "Issuer/nowhere"})
	c := w.issued("checkout")
	c.Spec.Issuance.IssuerRef = v1alpha1.IssuerReference{Name: "nowhere"}
	w.create(c)
	w.eventually(c, func(c *v1alpha1.ClientCertificate) error {
		if r := ready(c); r.Reason != v1alpha1.ReasonIssuing || !strings.Contains(r.Message, `"nowhere" not found`) {
			return fmt.Errorf("Ready is %v", r)
		}
		return nil
	})
	change(w, c, func(c *v1alpha1.ClientCertificate) {
		c.Spec.Issuance.IssuerRef = v1alpha1.IssuerReference{Name: testenv.WorkloadCA, Kind: "ClusterIssuer"}
	})
	w.becomes(c, v1alpha1.ReasonReady)
}

func TestWaitsForItsClient(t *testing.T) {
	w := newWorld(t, nil)
	c := w.issued("late")
	c.Spec.ClientRef.Name = "late"
	w.create(c)
	w.says(w.becomes(c, v1alpha1.ReasonClientNotFound), `"late"`)
	w.create(&v1alpha1.OAuthClient{ObjectMeta: w.meta("late"), Spec: v1alpha1.OAuthClientSpec{
		Authentication: v1alpha1.ClientAuthentication{Certificate: &v1alpha1.CertificateCredential{Methods: []v1alpha1.CertificateMethod{"tls_client_auth"}}},
	}})
	w.becomes(c, v1alpha1.ReasonReady)
}

// forged is a CertificateRequest that a user makes by hand to look like
// cert-manager's, for a key of the user's own.
func (w world) forged(owner *certmanagerv1.Certificate, revision int) *certmanagerv1.CertificateRequest {
	w.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		w.Fatal(err)
	}
	der, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{}, key)
	if err != nil {
		w.Fatal(err)
	}
	return &certmanagerv1.CertificateRequest{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: w.namespace, GenerateName: owner.Name + "-",
			OwnerReferences: []metav1.OwnerReference{*metav1.NewControllerRef(owner, certmanagerv1.SchemeGroupVersion.WithKind("Certificate"))},
			Annotations: map[string]string{
				"cert-manager.io/certificate-name": owner.Name, "cert-manager.io/certificate-revision": strconv.Itoa(revision),
			},
		},
		Spec: certmanagerv1.CertificateRequestSpec{
			Request:   pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: der}),
			IssuerRef: owner.Spec.IssuerRef, Username: "system:serviceaccount:cert-manager:cert-manager",
			Usages: []certmanagerv1.KeyUsage{certmanagerv1.UsageDigitalSignature, certmanagerv1.UsageClientAuth},
		},
	}
}
