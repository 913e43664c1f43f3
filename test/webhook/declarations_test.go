package webhook

import (
	"context"
	"fmt"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/lanyard-dev/lanyard/api/v1alpha1"
	"github.com/lanyard-dev/lanyard/test/testenv"
)

// refuses fails unless err is a refusal by the webhook that says so.
func refuses(t *testing.T, err error, says string) {
	t.Helper()
	if !apierrors.IsForbidden(err) || !strings.Contains(err.Error(), `admission webhook "declarations.lanyard.dev" denied the request: `+says) {
		t.Errorf("err = %v\nwant a refusal by declarations.lanyard.dev that says %q", err, says)
	}
}

func withClientID(c *v1alpha1.OAuthClient, id string) *v1alpha1.OAuthClient {
	c.Spec.ClientID = id
	return c
}

func issued(namespace, name, issuer string) *v1alpha1.ClientCertificate {
	return &v1alpha1.ClientCertificate{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}, Spec: v1alpha1.ClientCertificateSpec{
		ClientRef: v1alpha1.LocalReference{Name: name},
		Issuance:  &v1alpha1.Issuance{IssuerRef: v1alpha1.IssuerReference{Name: issuer, Kind: "ClusterIssuer"}, SecretName: name},
	}}
}

func TestRefusesNamesThatTheNamespaceMayNotHave(t *testing.T) {
	alice := newPerson(t, "alice")
	ns := env.Namespace(t, nil, map[string]string{v1alpha1.AnnotationClientIDs: "ours-*", v1alpha1.AnnotationIdentifiers: "https://ours.example/*", v1alpha1.AnnotationIssuers: "ClusterIssuer/ours"}).Name
	unreadable := assignment(ns, "selector", "reads", oauthClient("shop", "x"))
	unreadable.Spec.ClientRef = nil
	unreadable.Spec.ClientSelector = &v1alpha1.ClientSelector{NamespaceSelector: metav1.LabelSelector{MatchExpressions: []metav1.LabelSelectorRequirement{{Key: "team", Operator: "Like", Values: []string{"x"}}}}}
	generated := withClientID(oauthClient(ns, ""), "theirs")
	generated.GenerateName = "c-"
	for name, test := range map[string]struct {
		object client.Object
		says   string // empty: accepted
	}{
		"a client without an id":       {oauthClient(ns, "plain"), ""},
		"an allowed client id":         {withClientID(oauthClient(ns, "ours"), "ours-"+ns), ""},
		"a client id of others":        {withClientID(oauthClient(ns, "theirs"), "theirs"), `spec.clientID "theirs" is not allowed in namespace ` + ns + `; whoever runs the platform can allow it with the namespace's annotation lanyard.dev/client-ids: theirs`},
		"a client id, name to come":    {generated, `spec.clientID "theirs" is not allowed`},
		"an identifier of its own":     {resource(ns, "own", "api://"+ns), ""},
		"an allowed identifier":        {resource(ns, "allowed", "https://ours.example/"+ns), ""},
		"another's identifier":         {resource(ns, "theirs", "api://kube-system"), `spec.identifier "api://kube-system" does not belong to namespace ` + ns},
		"the API server's audience":    {resource(ns, "apiserver", "https://kubernetes.default.svc"), `spec.identifier "https://kubernetes.default.svc" does not belong`},
		"an issuer of the installed":   {issued(ns, "workload", testenv.WorkloadCA), ""},
		"an issuer of the namespace":   {issued(ns, "ours", "ours"), ""},
		"another issuer":               {issued(ns, "theirs", "theirs"), `spec.issuance.issuerRef ClusterIssuer.cert-manager.io/theirs is not allowed in namespace ` + ns},
		"a role before its resource":   {role(ns, "early", "not-yet", "Early"), ""},
		"a decision before its role":   {assignment(ns, "early", "not-yet", oauthClient("shop", "x")), ""},
		"a selector that is no such":   {unreadable, "spec.clientSelector cannot be read"},
		"a client asking for nothing":  {oauthClient(ns, "asks", &v1alpha1.AppRole{ObjectMeta: metav1.ObjectMeta{Namespace: "x", Name: "y"}}), ""},
		"a certificate given as a PEM": {&v1alpha1.ClientCertificate{ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: "pem"}, Spec: v1alpha1.ClientCertificateSpec{ClientRef: v1alpha1.LocalReference{Name: "x"}, PEM: "-----BEGIN CERTIFICATE-----"}}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			dry := alice.Create(t.Context(), test.object.DeepCopyObject().(client.Object), client.DryRunAll)
			err := alice.Create(t.Context(), test.object)
			if test.says == "" {
				if err != nil || dry != nil {
					t.Errorf("refused with %v, and in a dry run with %v", err, dry)
				}
				return
			}
			refuses(t, err, test.says)
			refuses(t, dry, test.says)
		})
	}
}

// holders returns one object of each kind that has a name which only one can have, by the
// name that the objects are to have.
func holders(namespace, other, name string) map[string]client.Object {
	return map[string]client.Object{
		`client id "taken-` + namespace + `" is held by the older OAuthClient`:                        withClientID(oauthClient(other, name), "taken-"+namespace),
		`identifier "https://taken.example/` + namespace + `" is held by the older ProtectedResource`: resource(other, name, "https://taken.example/"+namespace),
		`the value "Taken" is held by the older AppRole`:                                              role(namespace, name, "orders", "Taken"),
	}
}

func takers() map[string]string {
	return map[string]string{v1alpha1.AnnotationClientIDs: "taken-*", v1alpha1.AnnotationIdentifiers: "https://taken.example/*"}
}

func TestRefusesNamesThatOthersHold(t *testing.T) {
	alice := newPerson(t, "alice")
	namespace, other := env.Namespace(t, nil, takers()).Name, env.Namespace(t, nil, takers()).Name
	first := holders(namespace, namespace, "holder")
	for _, o := range first {
		testenv.Create(t, alice, o)
	}
	for says, second := range holders(namespace, other, "second") {
		var err error
		testenv.Eventually(t, func(ctx context.Context) error { // the caches are a moment behind
			if err = alice.Create(ctx, second.DeepCopyObject().(client.Object), client.DryRunAll); err == nil {
				return fmt.Errorf("accepted beside its holder: %s", says)
			}
			return nil
		})
		refuses(t, err, says+" "+namespace+"/holder")
	}

	// A holder that was just deleted is in nobody's way, and the name is free at once.
	for says, second := range holders(namespace, other, "second") {
		check(t, alice.Delete(t.Context(), first[says]))
		if err := alice.Create(t.Context(), second); err != nil {
			t.Errorf("refused right after its holder was deleted: %v", err)
		}
	}
	// Nor is one that a finalizer holds.
	for says, third := range holders(namespace, namespace, "third") {
		held := holders(namespace, other, "second")[says]
		check(t, alice.Patch(t.Context(), held, merge(`{"metadata":{"finalizers":["example.com/held"]}}`)))
		check(t, alice.Delete(t.Context(), held))
		if err := alice.Create(t.Context(), third); err != nil {
			t.Errorf("refused beside a holder that was deleted and is held by a finalizer: %v", err)
		}
		check(t, alice.Patch(t.Context(), held, merge(`{"metadata":{"finalizers":null}}`)))
	}
}

// What the namespace is allowed a moment before the create must not be refused because the
// controller has not heard of it.
func TestANamespaceAnnotatedAMomentAgoIsNotRefused(t *testing.T) {
	alice := newPerson(t, "alice")
	for i := range 20 {
		ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "new-", Annotations: takers()}}
		testenv.Create(t, env.Client, ns)
		id := fmt.Sprintf("taken-moment-%d", i)
		testenv.Create(t, alice, withClientID(oauthClient(ns.Name, "client"), id), resource(ns.Name, "resource", "https://taken.example/"+id))
		check(t, env.Client.Patch(t.Context(), ns, merge(`{"metadata":{"annotations":{"lanyard.dev/issuers":"ClusterIssuer/new","lanyard.dev/client-ids":"later-*"}}}`)))
		testenv.Create(t, alice, withClientID(oauthClient(ns.Name, "later"), fmt.Sprintf("later-%d", i)), issued(ns.Name, "later", "new"))
	}
}

// An object that came in while nothing refused it is its owner's to mend, suspend and delete.
func TestObjectsThatWouldBeRefusedCanBeChanged(t *testing.T) {
	alice := newPerson(t, "alice")
	ns := env.Namespace(t, nil, map[string]string{v1alpha1.AnnotationClientIDs: "*", v1alpha1.AnnotationIdentifiers: "https://taken.example/*", v1alpha1.AnnotationIssuers: "ClusterIssuer/once"})
	c, r := withClientID(oauthClient(ns.Name, "once"), "once-"+ns.Name), resource(ns.Name, "once", "https://taken.example/once-"+ns.Name)
	cc := issued(ns.Name, "once", "once")
	objects := []client.Object{c, r, cc}
	testenv.Create(t, alice, objects...)
	check(t, env.Client.Patch(t.Context(), ns, merge(`{"metadata":{"annotations":null}}`)))
	testenv.Eventually(t, func(ctx context.Context) error { // the webhook has heard of it
		err := alice.Create(ctx, withClientID(oauthClient(ns.Name, "probe"), "probe"), client.DryRunAll)
		if err == nil {
			return fmt.Errorf("still allowed")
		}
		return nil
	})
	for name, patch := range map[string]client.Patch{
		"labelled":  merge(`{"metadata":{"labels":{"a":"b"}}}`),
		"annotated": merge(`{"metadata":{"annotations":{"a":"b"}}}`),
		"suspended": merge(`{"spec":{"suspend":true}}`),
	} {
		for _, o := range objects {
			if err := alice.Patch(t.Context(), o.DeepCopyObject().(client.Object), patch); err != nil {
				t.Errorf("%T cannot be %s: %v", o, name, err)
			}
		}
	}
	for name, patch := range map[string]string{
		"another overlap":  `{"spec":{"overlap":"20m"}}`,
		"another duration": `{"spec":{"issuance":{"duration":"48h"}}}`,
		"a distrusted pin": `{"spec":{"distrust":["` + strings.Repeat("a", 43) + `"]}}`,
	} {
		if err := alice.Patch(t.Context(), cc.DeepCopy(), merge("%s", patch)); err != nil {
			t.Errorf("a certificate cannot get %s: %v", name, err)
		}
	}
	refuses(t, alice.Patch(t.Context(), cc.DeepCopy(), merge(`{"spec":{"issuance":{"issuerRef":{"name":"other"}}}}`)), "spec.issuance.issuerRef ClusterIssuer.cert-manager.io/other is not allowed")
	for _, o := range objects {
		check(t, alice.Delete(t.Context(), o))
	}
}

// Two namespaces may come to hold one name when the platform allows it to the older later.
func TestAConflictedObjectCanBeChanged(t *testing.T) {
	alice := newPerson(t, "alice")
	old, young := env.Namespace(t, nil, takers()), env.Namespace(t, nil, takers())
	if old.Name > young.Name { // within one second the smaller name counts as the older
		old, young = young, old
	}
	id := "taken-" + old.Name
	testenv.Create(t, alice, withClientID(oauthClient(old.Name, "older"), id))
	check(t, env.Client.Patch(t.Context(), old, merge(`{"metadata":{"annotations":null}}`)))
	c := withClientID(oauthClient(young.Name, "younger"), id)
	testenv.Eventually(t, func(ctx context.Context) error { return alice.Create(ctx, c) }) // once the name is nobody's
	check(t, env.Client.Patch(t.Context(), old, merge(`{"metadata":{"annotations":{"lanyard.dev/client-ids":"taken-*"}}}`)))
	testenv.Eventually(t, func(ctx context.Context) error {
		if err := env.Client.Get(ctx, client.ObjectKeyFromObject(c), c); err != nil {
			return err
		}
		if ready := meta.FindStatusCondition(c.Status.Conditions, v1alpha1.ConditionReady); ready == nil || ready.Reason != v1alpha1.ReasonConflict {
			return fmt.Errorf("Ready is %+v; want a conflict", ready)
		}
		return nil
	})
	for _, patch := range []string{`{"metadata":{"labels":{"a":"b"}}}`, `{"spec":{"displayName":"x"}}`, `{"spec":{"suspend":true}}`} {
		check(t, alice.Patch(t.Context(), c, merge("%s", patch)))
	}
	check(t, alice.Delete(t.Context(), c))
}
