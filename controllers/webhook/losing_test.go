package webhook

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/lanyard-dev/lanyard/api/v1alpha1"
	"github.com/lanyard-dev/lanyard/controllers/index"
	"github.com/lanyard-dev/lanyard/issuer/rules"
)

// orders is a role that n clients of the namespace shop ask for.
func orders(n int) standing {
	role := &v1alpha1.AppRole{ObjectMeta: metav1.ObjectMeta{Namespace: "orders", Name: "reads"}, Spec: v1alpha1.AppRoleSpec{ResourceRef: v1alpha1.LocalReference{Name: "orders"}, Value: "Read"}}
	s := standing{RoleFacts: index.RoleFacts{Role: role, Resource: &v1alpha1.ProtectedResource{}, OnResource: rules.Verdict{OK: true}, Holder: role}}
	ns := rules.ParseNamespace("shop", map[string]string{"team": "shop"}, nil)
	for i := range n {
		s.clients = append(s.clients, index.Asking{Client: &v1alpha1.OAuthClient{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: fmt.Sprintf("c%d", i)}}, Namespace: ns})
	}
	return s
}

func decides(name, decision string, ends time.Time, clients ...string) *v1alpha1.AppRoleAssignment {
	a := &v1alpha1.AppRoleAssignment{ObjectMeta: metav1.ObjectMeta{Namespace: "orders", Name: name}, Spec: v1alpha1.AppRoleAssignmentSpec{
		RoleRef: v1alpha1.LocalReference{Name: "reads"}, Decision: v1alpha1.Decision(decision),
	}}
	if !ends.IsZero() {
		a.Spec.ExpiresAt = &metav1.Time{Time: ends}
	}
	if len(clients) == 1 {
		a.Spec.ClientRef = &v1alpha1.ClientReference{Namespace: "shop", Name: clients[0]}
	} else {
		a.Spec.ClientSelector = &v1alpha1.ClientSelector{NamespaceSelector: metav1.LabelSelector{MatchLabels: map[string]string{"team": "shop"}}}
	}
	return a
}

func TestWhoLosesARole(t *testing.T) {
	never := time.Time{}
	everybody := decides("everybody", "Approved", never)
	first := decides("first", "Approved", never, "c0")
	tests := map[string]struct {
		stored        []*v1alpha1.AppRoleAssignment
		before, after *v1alpha1.AppRoleAssignment
		want          []string
	}{
		"the only approval goes":             {[]*v1alpha1.AppRoleAssignment{first}, first, nil, []string{"shop/c0"}},
		"an approval of everybody goes":      {[]*v1alpha1.AppRoleAssignment{everybody}, everybody, nil, []string{"shop/c0", "shop/c1"}},
		"another approval remains":           {[]*v1alpha1.AppRoleAssignment{everybody, first}, first, nil, nil},
		"one of two remains for one":         {[]*v1alpha1.AppRoleAssignment{everybody, first}, everybody, nil, []string{"shop/c1"}},
		"an approval becomes a denial":       {[]*v1alpha1.AppRoleAssignment{first}, first, decides("first", "Denied", never, "c0"), []string{"shop/c0"}},
		"a denial beside an approval comes":  {[]*v1alpha1.AppRoleAssignment{everybody}, nil, decides("not-c1", "Denied", never, "c1"), []string{"shop/c1"}},
		"a denial goes":                      {[]*v1alpha1.AppRoleAssignment{everybody, decides("not-c1", "Denied", never, "c1")}, decides("not-c1", "Denied", never, "c1"), nil, nil},
		"an approval gets an end to come":    {[]*v1alpha1.AppRoleAssignment{first}, first, decides("first", "Approved", noon.Add(time.Second), "c0"), nil},
		"an approval gets an end that is":    {[]*v1alpha1.AppRoleAssignment{first}, first, decides("first", "Approved", noon, "c0"), []string{"shop/c0"}},
		"an expired approval goes":           {nil, decides("first", "Approved", noon, "c0"), nil, nil},
		"an approval goes, not yet seen":     {nil, first, nil, []string{"shop/c0"}},
		"an approval of a stranger goes":     {nil, decides("x", "Approved", never, "c7"), nil, nil},
		"an approval changes its mind twice": {[]*v1alpha1.AppRoleAssignment{first}, decides("first", "Denied", never, "c0"), first, nil},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			s := orders(2)
			s.assignments = test.stored
			var got []string
			for key := range s.lost(test.before, test.after, noon) {
				got = append(got, key.String())
			}
			slices.Sort(got)
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// Ten thousand clients with an assignment each are told of in time.
func TestWhoLosesARoleOfManyIsKnownInTime(t *testing.T) {
	s := orders(10_000)
	for i := range s.clients {
		s.assignments = append(s.assignments, decides(fmt.Sprint(i), "Approved", time.Time{}, fmt.Sprintf("c%d", i)))
	}
	took := time.Hour
	for try := 0; try < 10 && took > warningsPatience; try++ { // the best of them: the machine may be busy
		begun := time.Now()
		if got := len(s.holders(s.assignments, noon)); got != 10_000 {
			t.Fatalf("%d clients have the role; want 10000", got)
		}
		took = min(took, time.Since(begun))
	}
	t.Logf("it took %s", took)
	if took > warningsPatience {
		t.Errorf("it took %s; want less than %s", took, warningsPatience)
	}
}
