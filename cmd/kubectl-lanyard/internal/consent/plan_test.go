package consent

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/lanyard-dev/lanyard/api/v1alpha1"
	"github.com/lanyard-dev/lanyard/issuer/rules"
)

const (
	approved = v1alpha1.DecisionApproved
	denied   = v1alpha1.DecisionDenied
)

// wants is a wish about client shop/checkout and role orders/orders-read.
func wants(d v1alpha1.Decision) wish {
	return wish{
		client:   types.NamespacedName{Namespace: "shop", Name: "checkout"},
		role:     types.NamespacedName{Namespace: "orders", Name: "orders-read"},
		decision: d,
	}
}

func (w wish) ends(after time.Duration) wish {
	w.until = until{said: true, at: noon.Add(after)}
	return w
}

func (w wish) because(reason string) wish {
	w.reason = &reason
	return w
}

// said is an assignment for the client by name that is written as
// "name: Decision [until 1h] [reason]".
func said(name string, d v1alpha1.Decision, ends time.Duration, reason string) *v1alpha1.AppRoleAssignment {
	a := &v1alpha1.AppRoleAssignment{ObjectMeta: metav1.ObjectMeta{Namespace: "orders", Name: name}}
	a.Spec.RoleRef.Name = "orders-read"
	a.Spec.ClientRef = &v1alpha1.ClientReference{Namespace: "shop", Name: "checkout"}
	a.Spec.Decision, a.Spec.Reason = d, reason
	if ends != 0 {
		a.Spec.ExpiresAt = &metav1.Time{Time: noon.Add(ends)}
	}
	return a
}

// selecting is an assignment for the clients of a team's namespaces.
func selecting(name string, d v1alpha1.Decision, team string, ends time.Duration) *v1alpha1.AppRoleAssignment {
	a := said(name, d, ends, "")
	a.Spec.ClientRef = nil
	a.Spec.ClientSelector = &v1alpha1.ClientSelector{NamespaceSelector: metav1.LabelSelector{MatchLabels: map[string]string{"team": team}}}
	return a
}

func of(role, client string, a *v1alpha1.AppRoleAssignment) *v1alpha1.AppRoleAssignment {
	a.Spec.RoleRef.Name, a.Spec.ClientRef.Name = role, client
	return a
}

// lines tells a plan, one line for each thing that is written or said.
func (p plan) lines() (lines []string) {
	tell := func(what string, a *v1alpha1.AppRoleAssignment) {
		line := what + " " + a.Name + ": " + string(a.Spec.Decision)
		if a.Spec.ExpiresAt != nil {
			line += " for " + a.Spec.ExpiresAt.Sub(noon).String()
		}
		if a.Spec.Reason != "" {
			line += " as " + a.Spec.Reason
		}
		lines = append(lines, line)
	}
	if p.create != nil {
		tell("create", p.create)
	}
	for _, c := range p.change {
		tell("change", c.after)
	}
	for _, a := range p.kept {
		tell("keep", a)
	}
	return lines
}

func TestPlan(t *testing.T) {
	shop := rules.ParseNamespace("shop", map[string]string{"team": "shop"}, nil)
	type assignments = []*v1alpha1.AppRoleAssignment
	tests := map[string]struct {
		wish           wish
		assignments    assignments
		unknown        bool // the client's namespace may not be read
		want           []string
		obstacle, note string
	}{
		"the first approval is made":               {wish: wants(approved), want: []string{"create shop-checkout-orders-read: Approved"}},
		"with an end and a reason":                 {wish: wants(approved).ends(time.Hour).because("history"), want: []string{"create shop-checkout-orders-read: Approved for 1h0m0s as history"}},
		"the first denial is made":                 {wish: wants(denied).because("no"), want: []string{"create shop-checkout-orders-read: Denied as no"}},
		"what speaks of another role is none":      {wish: wants(approved), assignments: assignments{of("orders-write", "checkout", said("a", approved, 0, ""))}, want: []string{"create shop-checkout-orders-read: Approved"}},
		"what speaks of another client is none":    {wish: wants(approved), assignments: assignments{of("orders-read", "cart", said("a", denied, 0, ""))}, want: []string{"create shop-checkout-orders-read: Approved"}},
		"the same again is kept":                   {wish: wants(approved), assignments: assignments{said("a", approved, 0, "x")}, want: []string{"keep a: Approved as x"}},
		"an end that is still ahead is kept":       {wish: wants(approved), assignments: assignments{said("a", approved, time.Hour, "")}, want: []string{"keep a: Approved for 1h0m0s"}},
		"what has ended is approved without end":   {wish: wants(approved), assignments: assignments{said("a", approved, -time.Hour, "x")}, want: []string{"change a: Approved as x"}},
		"what ends now has ended":                  {wish: wants(approved), assignments: assignments{said("a", approved, time.Nanosecond, "x")}, want: []string{"keep a: Approved for 1ns as x"}},
		"an end is moved":                          {wish: wants(approved).ends(2 * time.Hour), assignments: assignments{said("a", approved, time.Hour, "x")}, want: []string{"change a: Approved for 2h0m0s as x"}},
		"never takes the end away":                 {wish: func() wish { w := wants(approved); w.until.said = true; return w }(), assignments: assignments{said("a", approved, time.Hour, "")}, want: []string{"change a: Approved"}},
		"a reason is changed":                      {wish: wants(approved).because("y"), assignments: assignments{said("a", approved, 0, "x")}, want: []string{"change a: Approved as y"}},
		"an empty reason takes it away":            {wish: wants(approved).because(""), assignments: assignments{said("a", approved, 0, "x")}, want: []string{"change a: Approved"}},
		"a denial becomes an approval":             {wish: wants(approved), assignments: assignments{said("a", denied, 0, "bad")}, want: []string{"change a: Approved"}},
		"an approval becomes a denial without end": {wish: wants(denied), assignments: assignments{said("a", approved, time.Hour, "good")}, want: []string{"change a: Denied"}},
		"a denial that outweighs is changed, too":  {wish: wants(approved), assignments: assignments{said("a", approved, 0, ""), said("b", denied, 0, "")}, want: []string{"change b: Approved", "keep a: Approved"}},
		"a longer approval is not forgotten":       {wish: wants(approved).ends(time.Hour), assignments: assignments{said("a", approved, 0, ""), said("b", approved, time.Minute, "")}, want: []string{"change a: Approved for 1h0m0s", "change b: Approved for 1h0m0s"}},
		"a name that is taken gets a hash": {
			wish: wants(approved), assignments: assignments{of("orders-read", "cart", said("shop-checkout-orders-read", approved, 0, ""))},
			want: []string{"create shop-checkout-orders-read-" + hash + ": Approved"},
		},
		"a denial by namespace stands in the way": {
			wish: wants(approved), assignments: assignments{selecting("a", denied, "shop", 0)}, want: []string{"create shop-checkout-orders-read: Approved"},
			obstacle: "AppRoleAssignment orders/a denies the role to the clients of namespaces with team=shop, and a denial outweighs every approval. Delete it",
		},
		"a denial of other namespaces does not": {wish: wants(approved), assignments: assignments{selecting("a", denied, "bank", 0)}, want: []string{"create shop-checkout-orders-read: Approved"}},
		"nor one in the way of a denial":        {wish: wants(denied), assignments: assignments{selecting("a", denied, "shop", 0)}, want: []string{"create shop-checkout-orders-read: Denied"}},
		"where the namespace may not be read, a denial is told": {
			wish: wants(approved), unknown: true, assignments: assignments{selecting("a", denied, "shop", 0)}, want: []string{"create shop-checkout-orders-read: Approved"},
			note: "whether namespace shop is one of them is not known here",
		},
		"a longer approval by namespace is told": {
			wish: wants(approved).ends(time.Hour), assignments: assignments{selecting("a", approved, "shop", 0)}, want: []string{"create shop-checkout-orders-read: Approved for 1h0m0s"},
			note: "approves the role for the clients of namespaces with team=shop for longer",
		},
		"a shorter one is not": {wish: wants(approved).ends(time.Hour), assignments: assignments{selecting("a", approved, "shop", time.Minute)}, want: []string{"create shop-checkout-orders-read: Approved for 1h0m0s"}},
	}
	for sentence, test := range tests {
		t.Run(sentence, func(t *testing.T) {
			f := facts{assignments: test.assignments, namespace: shop}
			if test.unknown {
				f.namespace = nil
			}
			p := planFor(test.wish, f, noon)
			if diff := cmp.Diff(test.want, p.lines()); diff != "" {
				t.Errorf("plan (-want +got):\n%s", diff)
			}
			if (test.obstacle == "") != (p.obstacle == "") || !strings.Contains(p.obstacle, test.obstacle) {
				t.Errorf("obstacle %q; want %q", p.obstacle, test.obstacle)
			}
			if notes := strings.Join(p.notes, "\n"); (test.note == "") != (notes == "") || !strings.Contains(notes, test.note) {
				t.Errorf("notes %q; want %q", notes, test.note)
			}
		})
	}
}

// hash is that of shop/checkout and orders-read.
const hash = "l2optm4r"

// What was read is compared with what is written: it must stay as it was read.
func TestPlanLeavesWhatWasReadAlone(t *testing.T) {
	a := said("a", denied, 0, "x")
	before := a.DeepCopy()
	planFor(wants(approved).ends(time.Hour), facts{assignments: []*v1alpha1.AppRoleAssignment{a}}, noon)
	if diff := cmp.Diff(before, a); diff != "" {
		t.Errorf("what was read was changed:\n%s", diff)
	}
}

// Once it is done there is nothing more to do.
func TestPlanIsDoneOnce(t *testing.T) {
	for sentence, w := range map[string]wish{"an approval": wants(approved), "an approval that ends": wants(approved).ends(time.Hour).because("x"), "a denial": wants(denied)} {
		t.Run(sentence, func(t *testing.T) {
			for _, first := range [][]*v1alpha1.AppRoleAssignment{nil, {said("a", denied, 0, "d"), said("b", approved, time.Minute, "")}} {
				p := planFor(w, facts{assignments: first}, noon)
				var after []*v1alpha1.AppRoleAssignment
				if p.create != nil {
					after = append(after, p.create)
				}
				for _, c := range p.change {
					after = append(after, c.after)
				}
				after = append(after, p.kept...)
				if again := planFor(w, facts{assignments: after}, noon); again.create != nil || len(again.change) > 0 {
					t.Errorf("after %q comes %q", p.lines(), again.lines())
				}
			}
		})
	}
}

func TestNamesAreOnesThatTheAPITakes(t *testing.T) {
	long := strings.Repeat("a.", 125) + "abc" // 253 characters
	for sentence, w := range map[string]wish{
		"short":    wants(approved),
		"too long": {client: types.NamespacedName{Namespace: "shop", Name: long}, role: types.NamespacedName{Name: long}},
	} {
		t.Run(sentence, func(t *testing.T) {
			name := nameOf(w, nil)
			if problems := validation.IsDNS1123Subdomain(name); len(problems) > 0 {
				t.Errorf("%s: %v", name, problems)
			}
			other := w
			other.role.Name += "x"
			if nameOf(other, nil) == name {
				t.Errorf("%s is the name for another role, too", name)
			}
		})
	}
}
