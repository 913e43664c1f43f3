package access

import (
	"context"
	"fmt"
	"iter"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/lanyard-dev/lanyard/api/v1alpha1"
	"github.com/lanyard-dev/lanyard/test/testenv"
)

// tenants are a victim with names of its own, and Mallory, the admin of another
// namespace and of no more.
type tenants struct {
	victim, ns string
	mallory    client.Client
	// granted is a client id that the platform allows both, and that the victim has.
	granted string
}

func newTenants(t *testing.T) tenants {
	t.Helper()
	x := tenants{victim: namespace(t)}
	x.granted = "shared-" + x.victim
	x.annotate(t, x.victim, "legacy-"+x.victim+", "+x.granted, "https://api.example/"+x.victim+"/*")
	x.ns = namespace(t)
	x.annotate(t, x.ns, x.granted, "")
	x.mallory = owner(t, "mallory-"+x.ns, "admin", x.ns)
	held := harmless("OAuthClient", x.victim)
	held.Object["spec"].(spec)["clientID"] = x.granted
	create(t, held)
	awaitReason(t, held, v1alpha1.ReasonReady)
	// Objects are older by the second; of two of one second the smaller name has it.
	testenv.Eventually(t, func(context.Context) error {
		if made := held.GetCreationTimestamp(); !time.Now().After(made.Add(time.Second)) {
			return fmt.Errorf("it is still %s", made)
		}
		return nil
	})
	return x
}

func (x tenants) annotate(t *testing.T, ns, ids, identifiers string) {
	t.Helper()
	body := encode(t, spec{"metadata": spec{"annotations": spec{v1alpha1.AnnotationClientIDs: ids, v1alpha1.AnnotationIdentifiers: identifiers}}})
	o := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: ns}}
	if err := env.Client.Patch(t.Context(), o, client.RawPatch(types.MergePatchType, body)); err != nil {
		t.Fatal(err)
	}
}

// awaitReason waits until Ready has a reason, of the object as it is now.
func awaitReason(t *testing.T, o *unstructured.Unstructured, reasons ...string) {
	t.Helper()
	testenv.Eventually(t, func(ctx context.Context) error {
		now := o.DeepCopy()
		if err := env.Client.Get(ctx, client.ObjectKeyFromObject(o), now); err != nil {
			return err
		}
		var status struct {
			Conditions []metav1.Condition `json:"conditions"`
		}
		fields, _ := now.Object["status"].(spec)
		if err := runtime.DefaultUnstructuredConverter.FromUnstructured(fields, &status); err != nil {
			return err
		}
		c := meta.FindStatusCondition(status.Conditions, v1alpha1.ConditionReady)
		for _, reason := range reasons {
			if c != nil && c.Reason == reason && c.ObservedGeneration == now.GetGeneration() {
				return nil
			}
		}
		return fmt.Errorf("%s %s: Ready is %+v; want one of %q", o.GetKind(), o.GetName(), c, reasons)
	})
}

// claims are the names that Mallory tries, and what the refusals of what is new say.
type claims struct {
	kind, field string
	good        func() spec
	changes     string // what is said of a change
	names       map[string]claim
}

type claim struct{ name, says, reason string }

func (x tenants) clientIDs() claims {
	return claims{
		kind: "OAuthClient", field: "clientID", changes: "spec.clientID cannot be added, changed or removed",
		good: func() spec { return spec{"authentication": spec{"serviceAccounts": []any{spec{"name": "default"}}}} },
		names: map[string]claim{
			"that the platform gave the victim": {"legacy-" + x.victim, "is not allowed in namespace", v1alpha1.ReasonClientIDNotAllowed},
			"that nobody was given":             {"anything", "is not allowed in namespace", v1alpha1.ReasonClientIDNotAllowed},
			"that the victim has already":       {x.granted, "is held by the older OAuthClient " + x.victim, v1alpha1.ReasonConflict},
			"of the victim's client":            {x.victim + "/checkout", "never a slash", ""},
		},
	}
}

func (x tenants) audiences() claims {
	return claims{
		kind: "ProtectedResource", field: "identifier", changes: "spec.identifier cannot be changed",
		good: func() spec { return spec{"identifier": fmt.Sprintf("api://%s/%d", x.ns, count())} },
		names: map[string]claim{
			"of the victim's namespace":         {"api://" + x.victim, "does not belong to namespace", v1alpha1.ReasonIdentifierNotAllowed},
			"below it":                          {"api://" + x.victim + "/orders", "does not belong to namespace", v1alpha1.ReasonIdentifierNotAllowed},
			"of a Service of the victim's":      {"https://orders." + x.victim + ".svc", "does not belong to namespace", v1alpha1.ReasonIdentifierNotAllowed},
			"that the platform gave the victim": {"https://api.example/" + x.victim + "/orders", "does not belong to namespace", v1alpha1.ReasonIdentifierNotAllowed},
			"of the API server":                 {"https://kubernetes.default.svc", "does not belong to namespace", v1alpha1.ReasonIdentifierNotAllowed},
			"that only looks like her own":      {"api://" + x.ns + "@" + x.victim, "", v1alpha1.ReasonIdentifierNotCanonical},
		},
	}
}

// each carries out every claim in every way.
func (x tenants) each(t *testing.T, c claims) iter.Seq2[claim, result] {
	t.Helper()
	return func(yield func(claim, result) bool) {
		for _, is := range c.names {
			a := attack{by: x.mallory, owner: x.mallory, kind: c.kind, namespace: x.ns, good: c.good, bad: func(s spec) { s[c.field] = is.name }}
			for r := range a.each(t) {
				if !yield(is, r) {
					return
				}
			}
		}
	}
}

func TestRefusesAnotherTenantsClientID(t *testing.T) {
	x := newTenants(t)
	c := x.clientIDs()
	for is, r := range x.each(t, c) {
		refused(t, r, is.says, c.changes)
	}
	x.andCannotChangeItsNamespace(t)
}

func TestRefusesAnotherTenantsAudience(t *testing.T) {
	x := newTenants(t)
	c := x.audiences()
	for is, r := range x.each(t, c) {
		refused(t, r, is.says, c.changes)
	}
}

// An object that came in while the webhooks were away is not ready: the issuer decides
// with the same rules (TestClientIDs, TestIdentifiers, TestConflictsHaveOneHolder).
func TestRefusesAnotherTenantsNamesAlsoWithoutTheWebhooks(t *testing.T) {
	x := newTenants(t)
	withoutWebhooks(t)
	for _, c := range []claims{x.clientIDs(), x.audiences()} {
		for is, r := range x.each(t, c) {
			if r.err != nil {
				refused(t, r, is.says, c.changes)
				continue
			}
			awaitReason(t, r.now, is.reason)
		}
	}
}

// Of two objects that want one name the older has it: nobody makes an object older.
func TestRefusesAnAgeThatIsMadeUp(t *testing.T) {
	ns := namespace(t)
	mallory := owner(t, "mallory-"+ns, "admin", ns)
	const old = "2001-01-01T00:00:00Z"
	since := time.Now().Add(-time.Second)
	isYoung := func(w way, o *unstructured.Unstructured, err error) {
		if err != nil && !apierrors.IsInvalid(err) {
			t.Errorf("%s: %v", w, err)
		}
		if made := stored(t, o).GetCreationTimestamp(); made.Time.Before(since.Truncate(time.Second)) {
			t.Errorf("%s: it is of %s", w, made)
		}
	}
	for kind := range forged {
		aged := func(o *unstructured.Unstructured) *unstructured.Unstructured {
			o.Object["metadata"].(spec)["creationTimestamp"] = old
			return o
		}
		created, applied := aged(harmless(kind, ns)), aged(harmless(kind, ns))
		isYoung(creates, created, mallory.Create(t.Context(), created.DeepCopy()))
		isYoung(appliesNew, applied, apply(t, mallory, applied))
		isYoung(applies, applied, apply(t, mallory, applied))
		isYoung(merges, created, mallory.Patch(t.Context(), created.DeepCopy(), client.RawPatch(types.MergePatchType, encode(t, spec{"metadata": spec{"creationTimestamp": old}}))))
		for {
			now := stored(t, created)
			err := mallory.Update(t.Context(), aged(now))
			if apierrors.IsConflict(err) {
				continue
			}
			isYoung(updates, created, err)
			break
		}
	}
}

// What a namespace may claim stands on it, for the platform to write.
func (x tenants) andCannotChangeItsNamespace(t *testing.T) {
	t.Helper()
	ns := &corev1.Namespace{}
	if err := x.mallory.Get(t.Context(), client.ObjectKey{Name: x.ns}, ns); err != nil {
		t.Fatal(err)
	}
	for way, err := range map[string]error{
		"update": x.mallory.Update(t.Context(), ns),
		"patch":  x.mallory.Patch(t.Context(), ns, client.RawPatch(types.MergePatchType, []byte(`{"metadata":{"annotations":{"lanyard.dev/client-ids":"*"},"labels":{"team":"gold"}}}`))),
		"delete": x.mallory.Delete(t.Context(), ns),
		"create": x.mallory.Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "mine-"}}),
		"status": x.mallory.Status().Update(t.Context(), ns),
	} {
		if !apierrors.IsForbidden(err) {
			t.Errorf("%s of the namespace: err = %v; want forbidden", way, err)
		}
	}
}
