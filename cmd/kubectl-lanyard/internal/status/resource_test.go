package status

import (
	"bytes"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/lanyard-dev/lanyard/api/v1alpha1"
	"github.com/lanyard-dev/lanyard/cmd/kubectl-lanyard/internal/cli"
)

func TestTargets(t *testing.T) {
	tests := map[string]struct {
		args []string
		want target
		ok   bool
	}{
		"nothing is the namespace":             {nil, target{}, true},
		"TYPE/NAME":                            {[]string{"client/checkout"}, target{"OAuthClient", "checkout"}, true},
		"TYPE NAME":                            {[]string{"resource", "orders"}, target{"ProtectedResource", "orders"}, true},
		"a short name of kubectl's":            {[]string{"oac/checkout"}, target{"OAuthClient", "checkout"}, true},
		"capitals, as in manifests":            {[]string{"AppRole", "read"}, target{"AppRole", "read"}, true},
		"TYPE/NAMESPACE/NAME":                  {[]string{"role/orders/read"}, target{"AppRole", "orders/read"}, true},
		"TYPE NAMESPACE/NAME":                  {[]string{"role", "orders/read"}, target{"AppRole", "orders/read"}, true},
		"a name alone":                         {[]string{"checkout"}, target{"", "checkout"}, true},
		"a name of another namespace":          {[]string{"shop/checkout"}, target{"", "shop/checkout"}, true},
		"a type without a name":                {[]string{"client"}, target{}, false},
		"a type that has no status of its own": {[]string{"certificate", "x"}, target{}, false},
	}
	for sentence, test := range tests {
		t.Run(sentence, func(t *testing.T) {
			got, err := targetOf(test.args)
			if got != test.want || (err == nil) != test.ok {
				t.Errorf("targetOf(%q) = %v, %v; want %v", test.args, got, err, test.want)
			}
		})
	}
}

// orders is a resource with two roles, one of which somebody waits for, and with a
// decision of each sort.
func orders() apiFacts {
	p := &v1alpha1.ProtectedResource{ObjectMeta: metav1.ObjectMeta{Namespace: "orders", Name: "orders"}}
	p.Spec.Identifier = "api://orders"
	p.Status.Conditions = ready("True", "Ready", "")
	role := func(name, resource string, granted, pending int32, waiting ...string) v1alpha1.AppRole {
		r := v1alpha1.AppRole{ObjectMeta: metav1.ObjectMeta{Namespace: "orders", Name: name}}
		r.Spec.ResourceRef.Name, r.Spec.Value = resource, "Value."+name
		r.Status = v1alpha1.AppRoleStatus{Conditions: ready("True", "Ready", ""), GrantedCount: &granted, PendingCount: &pending}
		for _, c := range waiting {
			r.Status.Pending = append(r.Status.Pending, v1alpha1.ClientReference{Namespace: "shop", Name: c})
		}
		return r
	}
	assignment := func(name, role string, edit func(*v1alpha1.AppRoleAssignment)) v1alpha1.AppRoleAssignment {
		a := v1alpha1.AppRoleAssignment{ObjectMeta: metav1.ObjectMeta{Namespace: "orders", Name: name}}
		a.Spec.RoleRef.Name, a.Spec.Decision = role, v1alpha1.DecisionApproved
		a.Status.Conditions = ready("True", "Ready", "")
		edit(&a)
		return a
	}
	ref := func(client string) *v1alpha1.ClientReference {
		return &v1alpha1.ClientReference{Namespace: "shop", Name: client}
	}
	one, past, decided := int32(1), at(-time.Hour), at(-24*time.Hour)
	return apiFacts{
		resource: p,
		roles:    []v1alpha1.AppRole{role("read", "orders", 1, 3, "cart", "search"), role("write", "orders", 0, 0), role("pay", "bank", 5, 5)},
		assignments: []v1alpha1.AppRoleAssignment{
			assignment("w", "write", func(a *v1alpha1.AppRoleAssignment) { a.Spec.ClientRef, a.Spec.ExpiresAt = ref("checkout"), &past }),
			assignment("r", "read", func(a *v1alpha1.AppRoleAssignment) {
				a.Spec.ClientRef, a.Spec.DecidedBy, a.Spec.DecidedAt, a.Spec.Reason, a.Status.ClientCount = ref("checkout"), "alice", &decided, "history", &one
			}),
			assignment("d", "read", func(a *v1alpha1.AppRoleAssignment) {
				a.Spec.Decision, a.Status.Conditions = v1alpha1.DecisionDenied, nil
				a.Spec.ClientSelector = &v1alpha1.ClientSelector{NamespaceSelector: metav1.LabelSelector{MatchLabels: map[string]string{"team": "bank"}}}
			}),
			assignment("p", "pay", func(a *v1alpha1.AppRoleAssignment) { a.Spec.ClientRef = ref("checkout") }),
		},
	}
}

const ordersText = `ProtectedResource orders/orders
  Identifier:   api://orders
  Ready:        True
  Tokens:       only with a role, only bound

Roles
  ROLE    VALUE         READY   GRANTED   PENDING
  read    Value.read    True    1         3
  write   Value.write   True    0         0

Decisions
  ROLE    CLIENT                 DECISION                                  CLIENTS   DECIDED BY   DECIDED   ENDS      ASSIGNMENT   REASON
  read    namespaces team=bank   Denied (not seen by the controller yet)   0         -            -         never     d            -
  read    shop/checkout          Approved                                  1         alice        24h ago   never     r            history
  write   shop/checkout          Approved (Expired)                        0         -            -         60m ago   w            -

Waiting for a decision
  ROLE   CLIENT        TO APPROVE
  read   shop/cart     kubectl lanyard approve shop/cart orders/read
  read   shop/search   kubectl lanyard approve shop/search orders/read
  and 1 more
`

func TestResourceAsText(t *testing.T) {
	var out bytes.Buffer
	p := &page{w: &out, now: noon, wide: true, paint: func(_ cli.Colour, text string) string { return text }}
	p.resource(reportResource(orders(), noon))
	if p.err != nil {
		t.Fatal(p.err)
	}
	if diff := cmp.Diff(ordersText, out.String()); diff != "" {
		t.Errorf("text (-want +got):\n%s", diff)
	}
}

func TestResourceWithoutRolesIsAProblem(t *testing.T) {
	f := orders()
	f.roles = nil
	if got := reportResource(f, noon).Problems; len(got) != 1 {
		t.Errorf("problems %v; want one", got)
	}
	f.resource.Spec.Assignment = v1alpha1.AssignmentOptional
	if got := reportResource(f, noon).Problems; len(got) != 0 {
		t.Errorf("problems %v; want none where no role is needed", got)
	}
}

func TestOverview(t *testing.T) {
	c, api := checkout(), orders()
	c.client.Status.RolesGranted = "1/2"
	o := reportOverview(overviewFacts{
		clients: []v1alpha1.OAuthClient{*c.client}, certificates: c.certificates,
		resources: []v1alpha1.ProtectedResource{*api.resource}, roles: api.roles,
	}, noon)
	var out bytes.Buffer
	p := &page{w: &out, now: noon, paint: func(_ cli.Colour, text string) string { return text }}
	p.overview(o, true)
	const want = `NAMESPACE   CLIENT     CLIENT ID       READY   ROLES   PINNED UNTIL
shop        checkout   shop/checkout   True    1/2     in 60m

NAMESPACE   RESOURCE   IDENTIFIER     READY   ROLES   GRANTED   PENDING
orders      orders     api://orders   True    2       1         3

pending requests for roles: 3; see kubectl lanyard pending
`
	if diff := cmp.Diff(want, out.String()); diff != "" {
		t.Errorf("text (-want +got):\n%s", diff)
	}
}
