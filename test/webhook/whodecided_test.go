package webhook

import (
	"context"
	"fmt"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/lanyard-dev/lanyard/api/v1alpha1"
	"github.com/lanyard-dev/lanyard/test/testenv"
)

// decided is an approval with an end and a reason.
func decided(namespace string) *v1alpha1.AppRoleAssignment {
	a := assignment(namespace, "decided", "reads", oauthClient("shop", "checkout"))
	a.Spec.ExpiresAt = &metav1.Time{Time: time.Date(2090, 1, 1, 0, 0, 0, 0, time.UTC)}
	a.Spec.Reason = "checkout shows order history"
	return a
}

// withRole makes a namespace with the role that [decided] grants. The controller has seen it: else
// it would write to the assignment twice, before and after it has.
func withRole(t *testing.T) (namespace string) {
	t.Helper()
	namespace = env.Namespace(t, nil, nil).Name
	r := role(namespace, "reads", "orders", "Orders.Read")
	testenv.Create(t, env.Client, r)
	testenv.Eventually(t, func(ctx context.Context) error {
		if err := env.Client.Get(ctx, client.ObjectKeyFromObject(r), r); err != nil {
			return err
		}
		if r.Status.ObservedGeneration != r.Generation {
			return fmt.Errorf("generation %d is observed of %d", r.Status.ObservedGeneration, r.Generation)
		}
		return nil
	})
	return namespace
}

func TestWhoDecidedIsWhoDecides(t *testing.T) {
	alice, bob := newPerson(t, "alice"), newPerson(t, "bob")
	update := func(edit func(*v1alpha1.AppRoleAssignment)) func(context.Context, *v1alpha1.AppRoleAssignment) error {
		return func(ctx context.Context, a *v1alpha1.AppRoleAssignment) error {
			edit(a)
			return bob.Update(ctx, a)
		}
	}
	patch := func(kind types.PatchType, body string) func(context.Context, *v1alpha1.AppRoleAssignment) error {
		return func(ctx context.Context, a *v1alpha1.AppRoleAssignment) error {
			return bob.Patch(ctx, a, client.RawPatch(kind, []byte(body)))
		}
	}
	apply := func(edit func(spec map[string]any)) func(context.Context, *v1alpha1.AppRoleAssignment) error {
		return func(ctx context.Context, a *v1alpha1.AppRoleAssignment) error {
			return bob.Apply(ctx, manifest(decided(a.Namespace), edit), client.FieldOwner("bobs-tool"), client.ForceOwnership)
		}
	}
	const toDenied = `{"spec":{"decision":"Denied","expiresAt":null}}`
	tests := map[string]struct {
		does func(context.Context, *v1alpha1.AppRoleAssignment) error
		by   string
		says []string // what the user is warned of
	}{
		"an update that denies":                  {update(func(a *v1alpha1.AppRoleAssignment) { a.Spec.Decision, a.Spec.ExpiresAt = "Denied", nil }), "bob", nil},
		"an update with a third one's name":      {update(func(a *v1alpha1.AppRoleAssignment) { a.Spec.Reason, a.Spec.DecidedBy = "x", "carol" }), "bob", []string{`"carol" is not kept`, `is "bob"`}},
		"an update that copies the record":       {update(func(a *v1alpha1.AppRoleAssignment) { a.Spec.Reason = "x" }), "bob", nil},
		"an update of a label":                   {update(func(a *v1alpha1.AppRoleAssignment) { a.Labels = map[string]string{"a": "b"} }), "alice", nil},
		"an update without the record":           {update(func(a *v1alpha1.AppRoleAssignment) { a.Spec.DecidedBy, a.Spec.DecidedAt = "", nil }), "alice", nil},
		"an update that forges the name":         {update(func(a *v1alpha1.AppRoleAssignment) { a.Spec.DecidedBy = "mallory" }), "alice", []string{`"mallory" is not kept`, `is "alice"`}},
		"an update that forges the time":         {update(func(a *v1alpha1.AppRoleAssignment) { a.Spec.DecidedAt = &metav1.Time{Time: time.Unix(1e9, 0)} }), "alice", []string{"spec.decidedAt"}},
		"a patch that denies":                    {patch(types.MergePatchType, toDenied), "bob", nil},
		"a patch of the reason":                  {patch(types.MergePatchType, `{"spec":{"reason":"other"}}`), "bob", nil},
		"a patch that takes the reason away":     {patch(types.MergePatchType, `{"spec":{"reason":null}}`), "bob", nil},
		"a patch of the end":                     {patch(types.MergePatchType, `{"spec":{"expiresAt":"2091-01-01T00:00:00Z"}}`), "bob", nil},
		"a patch that takes the end away":        {patch(types.MergePatchType, `{"spec":{"expiresAt":null}}`), "bob", nil},
		"a patch that writes the end otherwise":  {patch(types.MergePatchType, `{"spec":{"expiresAt":"2090-01-01T01:00:00.000+01:00"}}`), "alice", nil},
		"a patch that forges the name":           {patch(types.MergePatchType, `{"spec":{"decidedBy":"mallory"}}`), "alice", []string{`"mallory" is not kept`}},
		"a patch that takes the record away":     {patch(types.MergePatchType, `{"spec":{"decidedBy":null,"decidedAt":null}}`), "alice", nil},
		"a JSON patch that denies":               {patch(types.JSONPatchType, `[{"op":"replace","path":"/spec/decision","value":"Denied"},{"op":"remove","path":"/spec/expiresAt"}]`), "bob", nil},
		"a JSON patch that forges the name":      {patch(types.JSONPatchType, `[{"op":"replace","path":"/spec/decidedBy","value":"mallory"}]`), "alice", []string{`"mallory" is not kept`}},
		"a JSON patch that takes the name away":  {patch(types.JSONPatchType, `[{"op":"remove","path":"/spec/decidedBy"}]`), "alice", nil},
		"a JSON patch that denies and forges":    {patch(types.JSONPatchType, `[{"op":"replace","path":"/spec/decidedBy","value":"mallory"},{"op":"replace","path":"/spec/reason","value":"x"}]`), "bob", []string{`"mallory" is not kept`, `is "bob"`}},
		"an apply of the same":                   {apply(func(map[string]any) {}), "alice", nil},
		"an apply of another reason":             {apply(func(s map[string]any) { s["reason"] = "other" }), "bob", nil},
		"an apply that forges the name":          {apply(func(s map[string]any) { s["decidedBy"] = "mallory" }), "alice", []string{`"mallory" is not kept`}},
		"an apply of another reason that forges": {apply(func(s map[string]any) { s["reason"], s["decidedBy"] = "other", "mallory" }), "bob", []string{`"mallory" is not kept`}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			a := decided(withRole(t))
			testenv.Create(t, alice, a)
			settled(t, a)
			before := a.Spec.DecidedAt.DeepCopy()
			check(t, test.does(t.Context(), a))
			get(t, a)
			if a.Spec.DecidedBy != test.by || a.Spec.DecidedAt == nil {
				t.Errorf("decided by %q at %v; want %q, and a time", a.Spec.DecidedBy, a.Spec.DecidedAt, test.by)
			} else if test.by == "alice" && !a.Spec.DecidedAt.Equal(before) {
				t.Errorf("decided at %s; want %s as before", a.Spec.DecidedAt, before)
			}
			bob.warns(t, test.says...)
		})
	}
}

// manifest is an object as people write it.
func manifest(a *v1alpha1.AppRoleAssignment, edit func(spec map[string]any)) runtime.ApplyConfiguration {
	spec := map[string]any{
		"roleRef": map[string]any{"name": a.Spec.RoleRef.Name}, "clientRef": map[string]any{"namespace": a.Spec.ClientRef.Namespace, "name": a.Spec.ClientRef.Name},
		"decision": string(a.Spec.Decision), "expiresAt": a.Spec.ExpiresAt.UTC().Format(time.RFC3339), "reason": a.Spec.Reason,
	}
	edit(spec)
	return client.ApplyConfigurationFromUnstructured(&unstructured.Unstructured{Object: map[string]any{
		"apiVersion": v1alpha1.SchemeGroupVersion.String(), "kind": "AppRoleAssignment",
		"metadata": map[string]any{"namespace": a.Namespace, "name": a.Name}, "spec": spec,
	}})
}

func TestRefusesWhoDecidedForgedAtCreation(t *testing.T) {
	bob := newPerson(t, "bob")
	namespace := withRole(t)
	forged := decided(namespace)
	forged.Spec.DecidedBy, forged.Spec.DecidedAt = "alice", &metav1.Time{Time: time.Unix(1e9, 0)}
	generated := decided(namespace)
	generated.Name, generated.GenerateName = "", "decided-"
	for name, a := range map[string]*v1alpha1.AppRoleAssignment{"with a name": forged, "with a name to come": generated} {
		begun := time.Now().Truncate(time.Second)
		testenv.Create(t, bob, a)
		get(t, a)
		if a.Spec.DecidedBy != "bob" || a.Spec.DecidedAt == nil || a.Spec.DecidedAt.Time.Before(begun) || a.Spec.DecidedAt.After(time.Now()) {
			t.Errorf("%s: decided by %q at %v; want bob, now", name, a.Spec.DecidedBy, a.Spec.DecidedAt)
		}
		if a == forged {
			bob.warns(t, `spec.decidedBy: "alice" is not kept`, "spec.decidedAt")
		} else {
			bob.warned.Take()
		}
	}
}

func TestRefusesWhoDecidedOfADeletedAssignment(t *testing.T) {
	alice, bob := newPerson(t, "alice"), newPerson(t, "bob")
	a := decided(withRole(t))
	testenv.Create(t, alice, a)
	check(t, bob.Delete(t.Context(), a.DeepCopy()))
	bob.warned.Take()
	again := &v1alpha1.AppRoleAssignment{ObjectMeta: metav1.ObjectMeta{Namespace: a.Namespace, Name: a.Name}, Spec: a.Spec}
	testenv.Create(t, bob, again)
	if get(t, again).Spec.DecidedBy != "bob" {
		t.Errorf("decided by %q; want bob, who created it anew", again.Spec.DecidedBy)
	}
	bob.warns(t, `spec.decidedBy: "alice" is not kept`)
}

// Nobody changes a spec through the status, whoever may write that.
func TestRefusesWhoDecidedThroughStatus(t *testing.T) {
	alice := newPerson(t, "alice")
	controller := env.ClientOf(t, env.As(t, testenv.ControllerUser, testenv.ControllerGroups()...))
	a := decided(withRole(t))
	testenv.Create(t, alice, a)
	check(t, controller.Status().Patch(t.Context(), a.DeepCopy(), merge(`{"spec":{"decidedBy":"mallory","decision":"Denied"},"status":{"observedGeneration":1}}`)))
	if get(t, a); a.Spec.DecidedBy != "alice" || a.Spec.Decision != v1alpha1.DecisionApproved {
		t.Errorf("%s by %q; want Approved by alice", a.Spec.Decision, a.Spec.DecidedBy)
	}
}

// Who decides again the same way as before decides anew.
func TestWhoDecidedIsRenewedForTheSameUser(t *testing.T) {
	alice := newPerson(t, "alice")
	a := decided(withRole(t))
	testenv.Create(t, alice, a)
	first := a.Spec.DecidedAt.DeepCopy()
	n := 0
	testenv.Eventually(t, func(ctx context.Context) error { // the record has whole seconds
		n++
		if err := alice.Patch(ctx, a, merge(`{"spec":{"reason":"reason %d"}}`, n)); err != nil {
			return err
		}
		if a.Spec.DecidedBy != "alice" || !first.Before(a.Spec.DecidedAt) {
			return fmt.Errorf("decided by %q at %v, first at %v", a.Spec.DecidedBy, a.Spec.DecidedAt, first)
		}
		return nil
	})
	alice.warns(t)
	if a.Spec.DecidedAt.After(time.Now()) {
		t.Error("decided at a time to come")
	}
}
