package clientcertificate_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	certmanagerv1 "github.com/cert-manager/cert-manager/pkg/apis/certmanager/v1"
	cmmeta "github.com/cert-manager/cert-manager/pkg/apis/meta/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/lanyard-dev/lanyard/api/v1alpha1"
	"github.com/lanyard-dev/lanyard/controllers/clientcertificate"
	"github.com/lanyard-dev/lanyard/issuer/rules"
	"github.com/lanyard-dev/lanyard/test/testenv"
)

// looksAgain has c reconciled after all that happened before.
func (w world) looksAgain(c *v1alpha1.ClientCertificate) {
	w.Helper()
	change(w, c, func(c *v1alpha1.ClientCertificate) {
		c.Spec.Overlap = &metav1.Duration{Duration: overlapOf(c) + time.Minute}
	})
	w.becomes(c, v1alpha1.ReasonReady)
}

func overlapOf(c *v1alpha1.ClientCertificate) time.Duration {
	if c.Spec.Overlap == nil {
		return 0
	}
	return c.Spec.Overlap.Duration
}

// Owner and revision are metadata: who may edit CertificateRequests can give one that
// cert-manager really made to another Certificate, and would get its client's tokens.
func TestRefusesCertificateRequestMovedToAnotherCertificate(t *testing.T) {
	w := newWorld(t, nil)
	mallory := w.tenant()
	issued, adopting := w.issued("checkout"), w.adopting("adopting", "own")
	own := w.certificate("own", "own")
	for _, o := range []client.Object{issued, own, adopting} {
		w.create(o)
	}
	w.becomes(issued, v1alpha1.ReasonReady)
	w.becomes(adopting, v1alpha1.ReasonReady)

	packing := w.certificate("packing", "packing")
	packing.Spec.URIs = []string{"spiffe://cluster.local/ns/" + w.namespace + "/oauthclient/checkout"}
	w.create(packing)
	w.settled(packing)
	moved := &certmanagerv1.CertificateRequest{ObjectMeta: w.meta("packing-1")}
	w.signed(moved)
	for _, c := range []*v1alpha1.ClientCertificate{issued, adopting} {
		victim := w.certificate("checkout", "")
		if c == adopting {
			victim = own
		}
		revision := w.settled(victim)
		for _, claimed := range []int{revision, revision + 1} {
			patch := fmt.Sprintf(`{"metadata":{"ownerReferences":[{"apiVersion":"cert-manager.io/v1","kind":"Certificate","name":%q,"uid":%q,"controller":true}],`+
				`"annotations":{"cert-manager.io/certificate-name":%q,"cert-manager.io/certificate-revision":"%d"}}}`, victim.Name, victim.UID, victim.Name, claimed)
			if err := mallory.Patch(t.Context(), moved, client.RawPatch(types.MergePatchType, []byte(patch))); err != nil {
				t.Fatal(err)
			}
			w.looksAgain(c)
			for _, p := range c.Status.Pins { // cert-manager may have renewed meanwhile, confused by a second request
				if strings.HasPrefix(string(moved.Status.Certificate), p.Certificate) {
					t.Fatalf("%s, request moved to revision %d: pins %s; want packing's certificate in none of them", c.Name, claimed, states(c))
				}
			}
		}
	}
}

// Who may write the status of CertificateRequests may not choose the certificate.
func TestRefusesCertificatePutIntoARequestsStatus(t *testing.T) {
	w := newWorld(t, nil)
	mallory := w.tenant()
	own := w.certificate("own", "own")
	w.create(own)
	revision := w.settled(own)
	before := w.adopting("before", "own")
	w.create(before)
	w.becomes(before, v1alpha1.ReasonReady)
	genuine := pin(before, v1alpha1.PinCurrent).Thumbprint

	request := &certmanagerv1.CertificateRequest{ObjectMeta: w.meta(fmt.Sprint("own-", revision))}
	testenv.Eventually(t, func(ctx context.Context) error {
		if err := mallory.Get(ctx, client.ObjectKeyFromObject(request), request); err != nil {
			return err
		}
		request.Status.Certificate = []byte(certificatePEM(t, nil))
		return mallory.Status().Update(ctx, request)
	})
	var after *v1alpha1.ClientCertificate
	tries := 0
	testenv.Eventually(t, func(ctx context.Context) error {
		if after == nil {
			after = w.adopting(fmt.Sprint("after-", tries), "own")
			tries++
			if err := w.env.Client.Create(ctx, after); err != nil {
				t.Fatal(err)
			}
		}
		if err := w.env.Client.Get(ctx, client.ObjectKeyFromObject(after), after); err != nil {
			return err
		}
		r := ready(after)
		err := fmt.Errorf("%s: Ready is %s, %s: %s; want the reason %s", after.Name, r.Status, r.Reason, r.Message, v1alpha1.ReasonCertificateInvalid)
		switch {
		case after.Status.ObservedGeneration != after.Generation:
			return err
		case r.Reason != v1alpha1.ReasonCertificateInvalid: // it has pinned what was there before: try another
			after = nil
			return err
		default:
			return nil
		}
	})
	w.says(ready(after).Message, request.Name, "another key")
	if len(after.Status.Pins) != 0 {
		t.Errorf("pins: %s; want none", states(after))
	}
	w.looksAgain(before)
	if len(before.Status.Pins) != 1 || before.Status.Pins[0].Thumbprint != genuine {
		t.Errorf("pins: %s; want the one that was pinned before", states(before))
	}
}

// cert-manager shortens the names of CertificateRequests of Certificates with long ones.
func TestPinsTheCertificateOfALongName(t *testing.T) {
	w := newWorld(t, nil)
	for name, long := range map[string]string{
		"just-not-shortened": strings.Repeat("a", 233),
		"shortened":          strings.Repeat("b", 234),
		"cut-at-a-dot":       strings.Repeat(strings.Repeat("c", 55)+".", 4) + strings.Repeat("d", 29), // 168 = 3*56
	} {
		w.create(w.certificate(long, name))
		c := w.adopting(name, long)
		w.create(c)
		w.becomes(c, v1alpha1.ReasonReady)
	}
}

// Who may write the status of Certificates must not keep a replaced key alive.
func TestRevisionSetBackDoesNotProlongAPin(t *testing.T) {
	w := newWorld(t, nil)
	c := w.issued("checkout")
	w.create(c)
	current, replaced := w.renewed(c, "checkout", w.pinned(c, "checkout"))
	pins := len(c.Status.Pins)
	change(w, c, func(c *v1alpha1.ClientCertificate) { c.Spec.Overlap = &metav1.Duration{Duration: 2 * time.Hour} })
	w.becomes(c, v1alpha1.ReasonReady)

	for turn, revision := range []int64{replaced.Revision, current.Revision, replaced.Revision, current.Revision} {
		marker := fmt.Sprintf("turn %d", turn) // so that it is seen when the controller has looked
		certificate := w.certificate("checkout", "")
		testenv.Eventually(t, func(ctx context.Context) error {
			if err := w.env.Client.Get(ctx, client.ObjectKeyFromObject(certificate), certificate); err != nil {
				return err
			}
			now := metav1.Now()
			certificate.Status.Revision, certificate.Status.LastFailureTime = new(int(revision)), &now
			certificate.Status.Conditions = []certmanagerv1.CertificateCondition{{
				Type: certmanagerv1.CertificateConditionIssuing, Status: cmmeta.ConditionFalse, Reason: "Failed", Message: marker, LastTransitionTime: &now,
			}}
			return w.env.Client.Status().Update(ctx, certificate)
		})
		w.eventually(c, func(c *v1alpha1.ClientCertificate) error {
			for _, condition := range c.Status.Conditions {
				if condition.Type == v1alpha1.ConditionIssuing && strings.Contains(condition.Message, marker) {
					return nil
				}
			}
			return errors.New("not seen yet")
		})
		for _, p := range c.Status.Pins {
			if p.Thumbprint == replaced.Thumbprint && (p.RetiresAt == nil || !p.RetiresAt.Equal(replaced.RetiresAt)) {
				t.Fatalf("revision %d: the replaced pin is %s and retires at %v; want %v still", revision, p.State, p.RetiresAt, replaced.RetiresAt)
			}
		}
		if len(c.Status.Pins) != pins {
			t.Fatalf("pins: %s; want %d", states(c), pins)
		}
	}
}

// A certificate is public: anybody can have imported it before its owner pins it.
func TestImportedCertificateOfAVictimBlocksNobody(t *testing.T) {
	w := world{T: t, env: env, namespace: env.Namespace(t, nil, nil).Name}
	stranger := world{T: t, env: env, namespace: env.Namespace(t, nil, nil).Name}
	w.env.Manager(t, w.env.Config, func(mgr ctrl.Manager) error {
		return clientcertificate.SetupWithManager(mgr, clientcertificate.Config{Policy: testPolicy, Now: time.Now})
	}, w.namespace, stranger.namespace)
	for _, each := range []world{w, stranger} {
		each.createClient("checkout")
	}
	w.createClient("neighbour")
	own := w.certificate("own", "own")
	w.create(own)
	request := &certmanagerv1.CertificateRequest{ObjectMeta: w.meta(fmt.Sprint("own-", w.settled(own)))}
	w.signed(request)
	public := string(request.Status.Certificate)

	theirs, neighbours := stranger.withPEM("a", public), w.withPEM("a", public)
	neighbours.Spec.ClientRef.Name = "neighbour"
	for _, c := range []*v1alpha1.ClientCertificate{theirs, neighbours} {
		w.create(c)
		w.becomes(c, v1alpha1.ReasonReady)
	}
	victim := w.adopting("checkout", "own")
	w.create(victim)
	w.becomes(victim, v1alpha1.ReasonReady)
	of := &v1alpha1.OAuthClient{ObjectMeta: w.meta("checkout")}
	all := []*rules.Certificate{rules.ReadCertificate(theirs), rules.ReadCertificate(neighbours), rules.ReadCertificate(victim)}
	if _, ok := rules.LivePin(of, all, rules.Peer{Thumbprint: pin(victim, v1alpha1.PinCurrent).Thumbprint}, time.Now()); !ok || victim.Status.Pins[0].Thumbprint != theirs.Status.Pins[0].Thumbprint {
		t.Errorf("the victim's certificate is not a live pin of its client: %v", victim.Status.Pins)
	}
	w.hasEvent("checkout", "Warning", clientcertificate.EventShared, "neighbour")
	w.renewed(victim, "own", pin(victim, v1alpha1.PinCurrent))
}
