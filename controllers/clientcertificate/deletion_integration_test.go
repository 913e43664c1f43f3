package clientcertificate_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	certmanagerv1 "github.com/cert-manager/cert-manager/pkg/apis/certmanager/v1"
	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/lanyard-dev/lanyard/api/v1alpha1"
	"github.com/lanyard-dev/lanyard/test/testenv"
)

// held deletes o, which somebody's finalizer holds until release is called, or the test ends.
func (w world) held(o client.Object) (release func()) {
	w.Helper()
	// A patch, because an update would write the spec's durations in another form.
	hold := client.RawPatch(types.MergePatchType, []byte(`{"metadata":{"finalizers":["example.com/held"]}}`))
	if err := w.env.Client.Patch(w.Context(), o, hold); err != nil {
		w.Fatal(err)
	}
	if err := w.env.Client.Delete(w.Context(), o); err != nil {
		w.Fatal(err)
	}
	release = func() {
		patch := client.RawPatch(types.MergePatchType, []byte(`{"metadata":{"finalizers":null}}`))
		if err := client.IgnoreNotFound(w.env.Client.Patch(context.WithoutCancel(w.Context()), o, patch)); err != nil {
			w.Error(err)
		}
	}
	w.Cleanup(release)
	return release
}

func TestRefusesACertificateThatIsBeingDeleted(t *testing.T) {
	w := newWorld(t, nil)
	own := w.certificate("own", "own")
	w.create(own)
	w.settled(own)
	c := w.adopting("before", "own")
	w.create(c)
	w.becomes(c, v1alpha1.ReasonReady)
	first := pin(c, v1alpha1.PinCurrent).Thumbprint // of whichever revision: now and then cert-manager issues twice at first
	w.held(own)
	w.says(w.becomes(c, v1alpha1.ReasonCertificateNotFound), `"own"`, "being deleted")
	if !slices.ContainsFunc(c.Status.Pins, func(p v1alpha1.Pin) bool { return p.Thumbprint == first }) {
		t.Errorf("pins: %s, without %s; what was pinned lasts, as when the Certificate is gone", states(c), first)
	}
	d := w.adopting("after", "own")
	w.create(d)
	w.becomes(d, v1alpha1.ReasonCertificateNotFound)
	if len(d.Status.Pins) != 0 {
		t.Errorf("pins: %s; want none", states(d))
	}
}

func TestWritesToNoCertificateThatIsBeingDeleted(t *testing.T) {
	w := newWorld(t, nil)
	c := w.issued("checkout")
	w.create(c)
	w.becomes(c, v1alpha1.ReasonReady)
	first := pin(c, v1alpha1.PinCurrent).Thumbprint
	certificate := w.certificate("checkout", "")
	w.settled(certificate)
	release := w.held(certificate)
	w.eventually(c, func(c *v1alpha1.ClientCertificate) error { // the controller has seen it
		for _, condition := range c.Status.Conditions {
			if condition.Type == v1alpha1.ConditionIssuing && condition.Status == metav1.ConditionTrue && strings.Contains(condition.Message, "being deleted") {
				w.says(condition.Message, w.namespace+"/checkout")
				return nil
			}
		}
		return fmt.Errorf("conditions: %v", c.Status.Conditions)
	})
	if err := w.env.Client.Get(t.Context(), client.ObjectKeyFromObject(certificate), certificate); err != nil {
		t.Fatal(err)
	}
	change(w, c, func(c *v1alpha1.ClientCertificate) {
		c.Spec.Issuance.Duration.Duration *= 2
	})
	w.becomes(c, v1alpha1.ReasonReady) // what is pinned works
	is := &certmanagerv1.Certificate{ObjectMeta: w.meta("checkout")}
	if err := w.env.Client.Get(t.Context(), client.ObjectKeyFromObject(is), is); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(certificate.Spec, is.Spec); diff != "" {
		t.Errorf("the Certificate was changed:\n%s", diff)
	}
	release()
	testenv.Eventually(t, func(ctx context.Context) error {
		again := &certmanagerv1.Certificate{}
		if err := w.env.Client.Get(ctx, client.ObjectKeyFromObject(is), again); err != nil {
			return err
		}
		if again.UID == is.UID || again.Spec.Duration.Duration != c.Spec.Issuance.Duration.Duration {
			return fmt.Errorf("the Certificate is %s, %v", again.UID, again.Spec.Duration)
		}
		return nil
	})
	w.becomes(c, v1alpha1.ReasonReady)
	if len(c.Status.Pins) == 0 || c.Status.SecretName != "checkout-mtls" {
		t.Errorf("pins %s, secretName %q; want the first pin %s still", states(c), c.Status.SecretName, first)
	}
}

func TestAClientThatIsBeingDeletedIsGone(t *testing.T) {
	w := newWorld(t, nil)
	c := w.withPEM("checkout", certificatePEM(t, nil))
	w.create(c)
	w.becomes(c, v1alpha1.ReasonReady)
	w.held(&v1alpha1.OAuthClient{ObjectMeta: w.meta("checkout")})
	w.says(w.becomes(c, v1alpha1.ReasonClientNotFound), `"checkout"`, "being deleted")
}

func TestPinsNothingToWhatIsBeingDeleted(t *testing.T) {
	w := newWorld(t, nil)
	own := w.certificate("own", "own")
	w.create(own)
	w.settled(own)
	gone, witness := w.adopting("gone", "own"), w.adopting("witness", "own")
	for _, c := range []*v1alpha1.ClientCertificate{gone, witness} {
		w.create(c)
		w.becomes(c, v1alpha1.ReasonReady)
	}
	w.held(gone)
	before := gone.Status.DeepCopy()
	w.renewed(witness, "own", w.pinned(witness, "own"))
	if err := w.env.Client.Get(t.Context(), client.ObjectKeyFromObject(gone), gone); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(before, &gone.Status); diff != "" {
		t.Errorf("its status was changed:\n%s", diff)
	}
}

// A name that was found free long ago must not pass for one that was looked at now.
func TestForgetsThatASecretNameWasChecked(t *testing.T) {
	w := newWorld(t, nil)
	c := w.issued("checkout")
	w.create(c)
	w.becomes(c, v1alpha1.ReasonReady)
	certificate := w.certificate("checkout", "")
	w.settled(certificate)
	former := certificate.UID
	if err := w.env.Client.Delete(t.Context(), certificate); err != nil {
		t.Fatal(err)
	}
	testenv.Eventually(t, func(ctx context.Context) error { // made again, as checked already
		if err := w.env.Client.Get(ctx, client.ObjectKeyFromObject(certificate), certificate); err != nil {
			return err
		}
		if certificate.UID == former || certificate.Annotations[v1alpha1.AnnotationSecretNameChecked] != "checkout-mtls" {
			return fmt.Errorf("annotations: %v", certificate.Annotations)
		}
		return nil
	})
	w.becomes(c, v1alpha1.ReasonReady)

	w.create(&corev1.Secret{ObjectMeta: w.meta("taken")})
	change(w, c, func(c *v1alpha1.ClientCertificate) { c.Spec.Issuance.SecretName = "taken" })
	w.becomes(c, v1alpha1.ReasonSecretNameInUse)
	if err := w.env.Client.Get(t.Context(), client.ObjectKeyFromObject(certificate), certificate); err != nil {
		t.Fatal(err)
	}
	if got := certificate.Annotations[v1alpha1.AnnotationSecretNameChecked]; got != "" {
		t.Errorf("the annotation %s is %q; want none while another name is checked", v1alpha1.AnnotationSecretNameChecked, got)
	}
}
