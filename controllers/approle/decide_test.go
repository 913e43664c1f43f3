package approle

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/lanyard-dev/lanyard/api/v1alpha1"
	"github.com/lanyard-dev/lanyard/controllers/index"
	"github.com/lanyard-dev/lanyard/issuer/rules"
)

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// crowd is a role for which n clients ask, in disorder; the i-th was created i
// seconds before noon.
func crowd(n int) facts {
	role := &v1alpha1.AppRole{ObjectMeta: metav1.ObjectMeta{Namespace: "orders", Name: "read", Generation: 2}}
	f := facts{RoleFacts: index.RoleFacts{
		Role: role, Holder: role, Resource: &v1alpha1.ProtectedResource{}, OnResource: rules.Verdict{OK: true},
	}}
	ns := rules.ParseNamespace("shop", map[string]string{"team": "shop"}, nil)
	for i := range n {
		c := &v1alpha1.OAuthClient{ObjectMeta: metav1.ObjectMeta{
			Namespace: "shop", Name: fmt.Sprint("c", i), CreationTimestamp: metav1.NewTime(noon.Add(-time.Duration(i) * time.Second)),
		}}
		f.clients = append(f.clients, index.Asking{Client: c, Namespace: ns})
	}
	random := rand.New(rand.NewPCG(1, 1))
	random.Shuffle(n, func(i, j int) { f.clients[i], f.clients[j] = f.clients[j], f.clients[i] })
	return f
}

func decided(decision v1alpha1.Decision, client string) *v1alpha1.AppRoleAssignment {
	a := &v1alpha1.AppRoleAssignment{ObjectMeta: metav1.ObjectMeta{Namespace: "orders", Name: "for-" + client}}
	a.Spec.RoleRef.Name, a.Spec.Decision = "read", decision
	a.Spec.ClientRef = &v1alpha1.ClientReference{Namespace: "shop", Name: client}
	return a
}

func TestCounts(t *testing.T) {
	f := crowd(60)
	until := decided(v1alpha1.DecisionApproved, "c58")
	until.Spec.ExpiresAt = &metav1.Time{Time: noon.Add(time.Minute)}
	past := decided(v1alpha1.DecisionApproved, "c57")
	past.Spec.ExpiresAt = &metav1.Time{Time: noon}
	f.assignments = []*v1alpha1.AppRoleAssignment{decided(v1alpha1.DecisionApproved, "c59"), until, past, decided(v1alpha1.DecisionDenied, "c56")}
	d := decide(f, noon)
	s := conclude(f, d, noon)
	if *s.GrantedCount != 2 || *s.PendingCount != 56 || len(s.Pending) != 50 {
		t.Errorf("granted %d, pending %d, listed %d", *s.GrantedCount, *s.PendingCount, len(s.Pending))
	}
	if diff := cmp.Diff(v1alpha1.ClientReference{Namespace: "shop", Name: "c55"}, s.Pending[0]); diff != "" {
		t.Errorf("the first in the list is not the oldest that waits (-want +got):\n%s", diff)
	}
	if wake := index.Wake(noon, d.ends...); wake != time.Minute {
		t.Errorf("looks again after %s", wake)
	}
}

// The grouping of assignments by client changes no verdict.
func TestGroupingAgreesWithTheRules(t *testing.T) {
	f := crowd(40)
	random := rand.New(rand.NewPCG(2, 2))
	for i := range 60 {
		a := decided([]v1alpha1.Decision{v1alpha1.DecisionApproved, v1alpha1.DecisionDenied}[random.IntN(8)/7], fmt.Sprint("c", random.IntN(60)))
		a.Name = fmt.Sprint("a", i)
		if i%20 == 0 {
			a.Spec.Decision, a.Spec.ClientRef = v1alpha1.DecisionApproved, nil
			a.Spec.ClientSelector = &v1alpha1.ClientSelector{
				NamespaceSelector: metav1.LabelSelector{MatchLabels: map[string]string{"team": []string{"shop", "x", "y"}[i/20]}},
			}
		}
		f.assignments = append(f.assignments, a)
	}
	grouped := index.Group(f.assignments)
	for _, a := range f.clients {
		want := rules.GrantOf(a.Client, a.Namespace, f.Role, f.Verdict(), f.assignments, noon)
		got := rules.GrantOf(a.Client, a.Namespace, f.Role, f.Verdict(), grouped.Of(a.Client, a.Namespace), noon)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-all +grouped):\n%s", a.Client.Name, diff)
		}
	}
}

func TestRoleThatDoesNotWorkIsGrantedToNobody(t *testing.T) {
	f := crowd(3)
	f.assignments = []*v1alpha1.AppRoleAssignment{decided(v1alpha1.DecisionApproved, "c1")}
	f.Resource = nil
	s := conclude(f, decide(f, noon), noon)
	if *s.GrantedCount != 0 || *s.PendingCount != 0 || s.Conditions[0].Reason != v1alpha1.ReasonResourceNotFound {
		t.Errorf("status %+v", s)
	}
}

// Ten thousand clients, each with a decision of its own and a hundred that go by labels,
// are judged quickly.
func BenchmarkTenThousand(b *testing.B) {
	f := crowd(10_000)
	for i := range 10_000 {
		f.assignments = append(f.assignments, decided(v1alpha1.DecisionApproved, fmt.Sprint("c", i)))
	}
	for i := range 100 {
		a := decided(v1alpha1.DecisionApproved, "")
		a.Name, a.Spec.ClientRef = fmt.Sprint("team-", i), nil
		a.Spec.ClientSelector = &v1alpha1.ClientSelector{NamespaceSelector: metav1.LabelSelector{MatchLabels: map[string]string{"team": fmt.Sprint(i)}}}
		f.assignments = append(f.assignments, a)
	}
	for b.Loop() {
		conclude(f, decide(f, noon), noon)
	}
}
