package registry_test

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/lanyard-dev/lanyard/api/v1alpha1"
	"github.com/lanyard-dev/lanyard/issuer/registry"
	"github.com/lanyard-dev/lanyard/issuer/rules"
)

// Whatever comes, changes and goes in whatever order: a role is granted as if all its
// assignments were looked through at each decision.
func TestSelectedAssignmentsAreThoseThatCover(t *testing.T) {
	random := rand.New(rand.NewPCG(4, 4))
	r := registry.New("cluster.local")
	r.ApplyNamespace(rules.ParseNamespace("orders", nil, nil))
	resource := &v1alpha1.ProtectedResource{ObjectMeta: meta("orders", "orders", 0)}
	resource.Spec.Identifier = "api://orders"
	r.ApplyResource(resource)
	role := &v1alpha1.AppRole{ObjectMeta: meta("orders", "read", 0)}
	role.Spec.ResourceRef.Name, role.Spec.Value = "orders", "Read"
	r.ApplyRole(role)
	c := client("shop", "checkout", "", 0)
	c.Labels = map[string]string{"tier": "gold"}
	r.ApplyClient(c)

	present := map[string]*v1alpha1.AppRoleAssignment{}
	var ns *rules.Namespace
	for step := range 3000 {
		switch name := fmt.Sprint("a", random.IntN(12)); random.IntN(6) {
		case 0:
			ns = rules.ParseNamespace("shop", map[string]string{"team": team(random)}, nil)
			r.ApplyNamespace(ns)
		case 1:
			if random.IntN(5) == 0 {
				ns = nil
				r.DeleteNamespace("shop")
			}
		case 2:
			delete(present, name)
			r.DeleteAssignment("orders", name)
		default:
			present[name] = anyAssignment(random, name)
			r.ApplyAssignment(present[name])
		}
		var all []*v1alpha1.AppRoleAssignment
		for _, a := range present {
			all = append(all, a)
		}
		f := r.Facts(c, "api://orders")
		want := rules.GrantOf(c, ns, role, rules.Verdict{OK: true}, all, born)
		for _, found := range f.Roles {
			if diff := cmp.Diff(want, rules.GrantOf(c, f.Namespace, role, rules.Verdict{OK: true}, found.Assignments, born)); diff != "" {
				t.Fatalf("step %d (-all +found):\n%s", step, diff)
			}
		}
		if len(f.Roles) != 1 {
			t.Fatalf("step %d: %d roles", step, len(f.Roles))
		}
	}
}

func team(random *rand.Rand) string { return []string{"shop", "pay", "ship"}[random.IntN(3)] }

// anyAssignment approves or denies, by name or by labels, also by ones that cannot be read.
func anyAssignment(random *rand.Rand, name string) *v1alpha1.AppRoleAssignment {
	a := &v1alpha1.AppRoleAssignment{ObjectMeta: meta("orders", name, 0)}
	a.Spec.RoleRef.Name, a.Spec.Decision = "read", v1alpha1.DecisionApproved
	if random.IntN(8) == 0 {
		a.Spec.Decision = v1alpha1.DecisionDenied
	} else if random.IntN(3) == 0 {
		a.Spec.ExpiresAt = &metav1.Time{Time: born.Add(time.Duration(random.IntN(100)-50) * time.Minute)}
	}
	selector := metav1.LabelSelector{MatchLabels: map[string]string{"team": team(random)}}
	switch random.IntN(8) {
	case 0:
		a.Spec.ClientRef = &v1alpha1.ClientReference{Namespace: "shop", Name: []string{"checkout", "other"}[random.IntN(2)]}
		return a
	case 1:
		selector = metav1.LabelSelector{MatchExpressions: []metav1.LabelSelectorRequirement{{Key: "team", Operator: "In", Values: []string{team(random)}}}}
	case 2:
		selector.MatchLabels["team"] = "not a label!"
	case 3:
		selector = metav1.LabelSelector{}
	}
	a.Spec.ClientSelector = &v1alpha1.ClientSelector{NamespaceSelector: selector}
	if random.IntN(3) == 0 {
		a.Spec.ClientSelector.LabelSelector = &metav1.LabelSelector{MatchLabels: map[string]string{"tier": []string{"gold", "tin"}[random.IntN(2)]}}
	}
	return a
}
