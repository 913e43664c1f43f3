package why

import (
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/lanyard-dev/lanyard/api/v1alpha1"
	"github.com/lanyard-dev/lanyard/issuer/rules"
)

// unseeClient is what an API's owner sees: nothing of the client's namespace.
func unseeClient(w *world) {
	w.client, w.clients, w.certificates, w.accounts, w.pods = nil, nil, nil, nil, nil
	w.namespaces = []*rules.Namespace{rules.ParseNamespace("orders", nil, nil), rules.ParseNamespace("shop", nil, nil)}
	w.unseen[theClient], w.unseen[theClientsNamespace], w.unseen[theCertificates] = "needs permission", "needs permission", "needs permission"
	w.assignments[0].Spec.DecidedBy = "alice"
}

func TestWhatAnAPIsOwnerIsToldOfAClientThatMayNotBeRead(t *testing.T) {
	byLabels := func(d v1alpha1.Decision, labels *metav1.LabelSelector) *v1alpha1.AppRoleAssignment {
		a := &v1alpha1.AppRoleAssignment{ObjectMeta: named("orders", "teams")}
		a.Spec.RoleRef.Name, a.Spec.Decision = "read", d
		a.Spec.ClientSelector = &v1alpha1.ClientSelector{NamespaceSelector: metav1.LabelSelector{MatchLabels: map[string]string{"team": "shop"}}, LabelSelector: labels}
		return a
	}
	waiting := func(w *world) {
		w.assignments = nil
		w.roles[0].Status.Pending = []v1alpha1.ClientReference{{Namespace: "shop", Name: "checkout"}}
	}
	readable := func(w *world) {
		delete(w.unseen, theClientsNamespace)
		w.namespaces[1] = rules.ParseNamespace("shop", map[string]string{"team": "shop"}, nil)
	}
	tests := map[string]struct {
		change func(*world)
		state  string
		says   string
		try    bool
	}{
		"approved":               {func(*world) {}, "Granted", "decided by alice", false},
		"denied":                 {func(w *world) { w.assignments[0].Spec.Decision = v1alpha1.DecisionDenied }, "Denied", "decided by alice; the API's owner denied the role", true},
		"expired":                {func(w *world) { end := at(-time.Hour); w.assignments[0].Spec.ExpiresAt = &end }, "Expired", "has expired", true},
		"waiting":                {waiting, "Pending", "asks for it and waits", true},
		"of which nothing is":    {func(w *world) { w.assignments = nil }, "Unknown", "it does not ask for it, or is not there", false},
		"one of many that wait":  {func(w *world) { w.assignments = nil; n := int32(7); w.roles[0].Status.PendingCount = &n }, "Unknown", "none of the 0 that are listed of the 7", false},
		"approved by a selector": {func(w *world) { w.assignments[0] = byLabels(v1alpha1.DecisionApproved, nil) }, "Unknown", "orders/teams approves it by a selector, and to tell whether for this client needs the labels of namespace shop", false},
		"perhaps denied": {
			func(w *world) { w.assignments = append(w.assignments, byLabels(v1alpha1.DecisionDenied, nil)) }, "Unknown", "decided by alice; AppRoleAssignment orders/teams denies it by a selector", false,
		},
		"approved beside a selector": {
			func(w *world) { w.assignments = append(w.assignments, byLabels(v1alpha1.DecisionApproved, nil)) }, "Granted", "decided by alice", false,
		},
		"denied by a selector, and the namespace may be read": {
			func(w *world) { readable(w); w.assignments[0] = byLabels(v1alpha1.DecisionDenied, nil) }, "Denied", "denied the role", true,
		},
		"approved by the client's labels, and the namespace may be read": {
			func(w *world) {
				readable(w)
				w.assignments[0] = byLabels(v1alpha1.DecisionApproved, &metav1.LabelSelector{MatchLabels: map[string]string{"tier": "batch"}})
			}, "Unknown", "needs the client's labels", false,
		},
		"of another client": {func(w *world) { w.assignments[0].Spec.ClientRef.Name = "cart" }, "Unknown", "no AppRoleAssignment names the client", false},
	}
	for sentence, test := range tests {
		t.Run(sentence, func(t *testing.T) {
			r := ask(newWorld(func(w *world) { unseeClient(w); test.change(w) }), nil)
			if r.Outcome != TokenUnknown || r.Refusal != nil || r.Token != nil {
				t.Errorf("the outcome is %s, %v, %v; want it to be unknown", r.Outcome, r.Refusal, r.Token)
			}
			if r.Ask != "kubectl lanyard why shop/checkout api://orders" {
				t.Errorf("the client's owner is to ask %q", r.Ask)
			}
			if len(r.Roles) != 1 {
				t.Fatalf("the roles are %+v", r.Roles)
			}
			if role := r.Roles[0]; role.State != test.state || !strings.Contains(role.Message, test.says) || test.try != (len(r.Try) > 0) {
				t.Errorf("it says %+v and to try %q; want %s, %q", role, r.Try, test.state, test.says)
			}
		})
	}
}

func TestWhatAnAPIsOwnerIsToldOfTheResource(t *testing.T) {
	suspended := func(w *world) { w.resource.Spec.Suspend = true }
	tests := map[string]struct {
		change func(*world)
		step   string
		want   Verdict
	}{
		"it works":                     {func(*world) {}, "resource", Passed},
		"it is suspended":              {suspended, "suspension", Refused},
		"it may not be read":           {unseeResource, "resource", Unknown},
		"there is none":                {func(w *world) { unseeResource(w); clear(w.unseen); w.unseen[theClient] = "needs permission" }, "resource", Refused},
		"its roles may not be read":    {func(w *world) { w.unseen[theRoles] = "needs permission" }, "roles", Unknown},
		"it may not be read, nor role": {unseeResource, "roles", NotReached},
	}
	for sentence, test := range tests {
		t.Run(sentence, func(t *testing.T) {
			r := ask(newWorld(func(w *world) { unseeClient(w); test.change(w) }), nil)
			for _, s := range r.Steps {
				if s.Name == test.step && s.Verdict != test.want {
					t.Errorf("%s is %s (%s); want %s", s.Name, s.Verdict, s.Message, test.want)
				}
			}
		})
	}
}
