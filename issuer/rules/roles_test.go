package rules_test

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/lanyard-dev/lanyard/api/v1alpha1"
	"github.com/lanyard-dev/lanyard/issuer/rules"
)

func TestRole(t *testing.T) {
	no := func(reason string) rules.Verdict { return rules.Verdict{Reason: reason, Message: "because"} }
	older := role(func(r *v1alpha1.AppRole) { r.Name = "first" })
	tests := map[string]struct {
		resource   *v1alpha1.ProtectedResource
		onResource rules.Verdict
		holder     *v1alpha1.AppRole
		want, says string
	}{
		"a role works":                             {resource(), ok, role(), v1alpha1.ReasonReady, "can be granted"},
		"a role without its resource does not":     {nil, rules.Verdict{}, role(), v1alpha1.ReasonResourceNotFound, `"orders" in namespace orders; create it`},
		"a role on a resource in conflict doesn't": {resource(), no(v1alpha1.ReasonConflict), role(), v1alpha1.ReasonResourceNotReady, "Conflict"},
		"a suspended resource is no fault of it":   {resource(), no(v1alpha1.ReasonSuspended), role(), v1alpha1.ReasonReady, ""},
		"the younger of two values is refused, and the message names the older": {
			resource(), ok, older, v1alpha1.ReasonConflict, "orders/first",
		},
		"a role whose holder is not known does not work": {resource(), ok, nil, v1alpha1.ReasonConflict, "(unknown)"},
	}
	for sentence, test := range tests {
		t.Run(sentence, func(t *testing.T) {
			verdict(t, rules.Role(role(), test.resource, test.onResource, test.holder), test.want, test.says)
		})
	}
}

func TestAssignment(t *testing.T) {
	broken := func(a *v1alpha1.AppRoleAssignment) {
		selecting("shop", nil)(a)
		a.Spec.ClientSelector.NamespaceSelector = unreadable()
	}
	narrowedBroken := func(a *v1alpha1.AppRoleAssignment) {
		selecting("shop", nil)(a)
		s := unreadable()
		a.Spec.ClientSelector.LabelSelector = &s
	}
	tests := map[string]struct {
		assignment *v1alpha1.AppRoleAssignment
		role       *v1alpha1.AppRole
		want, says string
	}{
		"an approval is in force":                         {approval("a"), role(), v1alpha1.ReasonReady, "approval"},
		"a denial is in force":                            {approval("a", denied), role(), v1alpha1.ReasonReady, "denial"},
		"an approval that ends later is in force":         {approval("a", until(noon.Add(1))), role(), v1alpha1.ReasonReady, "approval"},
		"an approval ends at its expiresAt":               {approval("a", until(noon)), role(), v1alpha1.ReasonExpired, "2026-03-01T12:00:00Z has passed"},
		"a denial never ends by itself":                   {approval("a", denied, until(born)), role(), v1alpha1.ReasonReady, "denial"},
		"an assignment of a role that is not there isn't": {approval("a"), nil, v1alpha1.ReasonRoleNotFound, `"orders-read" in namespace orders; an assignment lives`},
		"a namespaceSelector that cannot be read isn't":   {approval("a", broken), role(), v1alpha1.ReasonSelectorInvalid, "clientSelector"},
		"a labelSelector that cannot be read isn't":       {approval("a", narrowedBroken), role(), v1alpha1.ReasonSelectorInvalid, "clientSelector"},
	}
	for sentence, test := range tests {
		t.Run(sentence, func(t *testing.T) {
			verdict(t, rules.Assignment(test.assignment, test.role, noon), test.want, test.says)
		})
	}
}

func TestCovers(t *testing.T) {
	labelled := client(func(c *v1alpha1.OAuthClient) { c.Labels = map[string]string{"tier": "gold"} })
	spoil := func(a *v1alpha1.AppRoleAssignment) { a.Spec.ClientSelector.NamespaceSelector = unreadable() }
	spoilLabels := func(a *v1alpha1.AppRoleAssignment) { s := unreadable(); a.Spec.ClientSelector.LabelSelector = &s }
	empty := func(a *v1alpha1.AppRoleAssignment) { a.Spec.ClientSelector.NamespaceSelector = metav1.LabelSelector{} }
	nobody := func(a *v1alpha1.AppRoleAssignment) { a.Spec.ClientRef = nil }
	tests := map[string]struct {
		assignment *v1alpha1.AppRoleAssignment
		client     *v1alpha1.OAuthClient
		ns         *rules.Namespace
		want       bool
	}{
		"clientRef names the client":                                {approval("a"), client(), shop(), true},
		"clientRef needs no namespace to be known":                  {approval("a"), client(), nil, true},
		"a client of the same name elsewhere is another":            {approval("a"), client(func(c *v1alpha1.OAuthClient) { c.Namespace = "evil" }), shop(), false},
		"a client of another name is another":                       {approval("a"), client(func(c *v1alpha1.OAuthClient) { c.Name = "x" }), shop(), false},
		"a namespaceSelector that matches covers":                   {approval("a", selecting("shop", nil)), client(), shop(), true},
		"one that does not match does not":                          {approval("a", selecting("evil", nil)), client(), shop(), false},
		"a labelSelector narrows an approval":                       {approval("a", selecting("shop", map[string]string{"tier": "gold"})), client(), shop(), false},
		"a client with the labels is covered":                       {approval("a", selecting("shop", map[string]string{"tier": "gold"})), labelled, shop(), true},
		"labels do not cover in a namespace that does not match":    {approval("a", selecting("evil", map[string]string{"tier": "gold"})), labelled, shop(), false},
		"a denial cannot be labelled away":                          {approval("a", denied, selecting("shop", map[string]string{"tier": "gold"})), client(), shop(), true},
		"an approval of an unknown namespace covers nobody":         {approval("a", selecting("shop", nil)), client(), nil, false},
		"a denial of an unknown namespace covers everybody":         {approval("a", denied, selecting("shop", nil)), client(), nil, true},
		"an approval that cannot be read covers nobody":             {approval("a", selecting("shop", nil), spoil), client(), shop(), false},
		"a denial that cannot be read covers everybody":             {approval("a", denied, selecting("shop", nil), spoil), client(), shop(), true},
		"an approval with labels that cannot be read covers nobody": {approval("a", selecting("shop", nil), spoilLabels), labelled, shop(), false},
		"a denial does not even look at labels that cannot be read": {approval("a", denied, selecting("shop", nil), spoilLabels), client(), shop(), true},
		"an approval with an empty namespaceSelector covers nobody": {approval("a", selecting("shop", nil), empty), client(), shop(), false},
		"a denial with an empty namespaceSelector covers everybody": {approval("a", denied, selecting("shop", nil), empty), client(), shop(), true},
		"an approval that names nobody covers nobody":               {approval("a", nobody), client(), shop(), false},
		"a denial that names nobody covers everybody":               {approval("a", denied, nobody), client(), shop(), true},
		"a decision that is neither is a denial, and cannot be labelled away": {
			approval("a", selecting("shop", map[string]string{"tier": "gold"}), func(a *v1alpha1.AppRoleAssignment) { a.Spec.Decision = "Maybe" }), client(), shop(), true,
		},
	}
	for sentence, test := range tests {
		t.Run(sentence, func(t *testing.T) {
			if got := rules.Covers(test.assignment, test.client, test.ns); got != test.want {
				t.Errorf("got %t, want %t", got, test.want)
			}
		})
	}
}

func TestGrantOf(t *testing.T) {
	soon, later := noon.Add(time.Hour), noon.Add(48*time.Hour)
	all := func(as ...*v1alpha1.AppRoleAssignment) []*v1alpha1.AppRoleAssignment { return as }
	tests := map[string]struct {
		role        *v1alpha1.AppRole
		onRole      rules.Verdict
		assignments []*v1alpha1.AppRoleAssignment
		want        rules.Grant
	}{
		"an approval grants":                        {role(), ok, all(approval("a")), rules.Grant{State: "Granted", Assignment: "a"}},
		"without an assignment it is pending":       {role(), ok, nil, rules.Grant{State: "Pending"}},
		"a denial beats approvals":                  {role(), ok, all(approval("a"), approval("d", denied), approval("z")), rules.Grant{State: "Denied", Assignment: "d"}},
		"a denial with a past expiresAt denies":     {role(), ok, all(approval("d", denied, until(born))), rules.Grant{State: "Denied", Assignment: "d"}},
		"an approval ends at its expiresAt":         {role(), ok, all(approval("a", until(noon))), rules.Grant{State: "Expired", Assignment: "a", ExpiresAt: noon}},
		"an approval counts until then":             {role(), ok, all(approval("a", until(soon))), rules.Grant{State: "Granted", Assignment: "a", ExpiresAt: soon}},
		"a living approval beats an expired one":    {role(), ok, all(approval("a", until(born)), approval("b", until(soon))), rules.Grant{State: "Granted", Assignment: "b", ExpiresAt: soon}},
		"the approval that lasts longest counts":    {role(), ok, all(approval("a", until(soon)), approval("b", until(later))), rules.Grant{State: "Granted", Assignment: "b", ExpiresAt: later}},
		"one that never ends lasts longest":         {role(), ok, all(approval("b"), approval("a", until(later))), rules.Grant{State: "Granted", Assignment: "b"}},
		"a role that is not there is not found":     {nil, rules.Verdict{}, all(approval("a")), rules.Grant{State: "NotFound"}},
		"a role that does not work is not found":    {role(), rules.Verdict{Reason: "Conflict"}, all(approval("a")), rules.Grant{State: "NotFound"}},
		"an assignment of another role is not ours": {role(), ok, all(approval("a", func(a *v1alpha1.AppRoleAssignment) { a.Spec.RoleRef.Name = "x" })), rules.Grant{State: "Pending"}},
		"an assignment in another namespace is not the owner's": {
			role(), ok, all(approval("a", func(a *v1alpha1.AppRoleAssignment) { a.Namespace = "shop" })), rules.Grant{State: "Pending"},
		},
		"an assignment of another client is passed over": {
			role(), ok, all(approval("d", denied, func(a *v1alpha1.AppRoleAssignment) { a.Spec.ClientRef.Name = "x" }), approval("a")), rules.Grant{State: "Granted", Assignment: "a"},
		},
	}
	for sentence, test := range tests {
		t.Run(sentence, func(t *testing.T) {
			got := rules.GrantOf(client(), shop(), test.role, test.onRole, test.assignments, noon)
			if (got.Message == "") != (got.State == v1alpha1.RoleGranted) {
				t.Errorf("message %q in state %s", got.Message, got.State)
			}
			got.Message = ""
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("grant (-want +got):\n%s", diff)
			}
		})
	}
}

// Two lists with the same assignments give the same grant, whatever their order:
// status would flap otherwise, and disagree with the issuer.
func TestGrantOfDoesNotDependOnOrder(t *testing.T) {
	pool := []*v1alpha1.AppRoleAssignment{
		approval("a1", until(born)), approval("a2", until(born.Add(time.Hour))), approval("a3", until(born)),
		approval("b1", until(noon.Add(time.Hour))), approval("b2", until(noon.Add(time.Hour))), approval("b3", until(noon.Add(2*time.Hour))),
		approval("c1"), approval("c2"), approval("c3", selecting("shop", nil)),
		approval("d1", denied), approval("d2", denied, selecting("shop", nil)),
		approval("e1", selecting("evil", nil)), approval("e2", denied, selecting("evil", nil)),
	}
	random := rand.New(rand.NewPCG(1, 2))
	for range 500 {
		random.Shuffle(len(pool), func(i, j int) { pool[i], pool[j] = pool[j], pool[i] })
		some := append([]*v1alpha1.AppRoleAssignment(nil), pool[:random.IntN(len(pool)+1)]...)
		want := rules.GrantOf(client(), shop(), role(), ok, some, noon)
		for range 5 {
			random.Shuffle(len(some), func(i, j int) { some[i], some[j] = some[j], some[i] })
			if diff := cmp.Diff(want, rules.GrantOf(client(), shop(), role(), ok, some, noon)); diff != "" {
				t.Fatalf("the order of assignments changes the grant (-one +other):\n%s", diff)
			}
		}
	}
}

// In any set of objects that claim one name, all agree on who holds it.
func TestConflictsHaveOneHolder(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	for range 200 {
		var clients []*v1alpha1.OAuthClient
		for _, name := range []string{"a", "b", "c", "d"} {
			clients = append(clients, client(func(c *v1alpha1.OAuthClient) {
				c.Name, c.Spec.ClientID = name, "legacy"
				c.CreationTimestamp = *at(born.Add(time.Duration(random.IntN(2)) * time.Second))
			}))
		}
		random.Shuffle(len(clients), func(i, j int) { clients[i], clients[j] = clients[j], clients[i] })
		holder := clients[0]
		for _, c := range clients {
			if rules.Older(c, holder) {
				holder = c
			}
		}
		ns := rules.ParseNamespace("shop", nil, map[string]string{v1alpha1.AnnotationClientIDs: "legacy"})
		working := 0
		for _, c := range clients {
			if rules.Client(c, ns, holder).OK {
				working++
			}
		}
		if working != 1 {
			t.Fatalf("%d clients hold one client id", working)
		}
	}
}

func TestADenialSaysWhy(t *testing.T) {
	because := func(reason string) func(*v1alpha1.AppRoleAssignment) {
		return func(a *v1alpha1.AppRoleAssignment) { a.Spec.Reason = reason }
	}
	tests := map[string]struct{ reason, want string }{
		"without a reason":     {"", "the API's owner denied the role with AppRoleAssignment orders/d"},
		"with one":             {"contract has ended", "the API's owner denied the role with AppRoleAssignment orders/d: contract has ended"},
		"always on one line":   {"no\n  orders/read\tGranted", "the API's owner denied the role with AppRoleAssignment orders/d: no orders/read Granted"},
		"nothing but newlines": {"\n\n", "the API's owner denied the role with AppRoleAssignment orders/d"},
	}
	for sentence, test := range tests {
		t.Run(sentence, func(t *testing.T) {
			g := rules.GrantOf(client(), shop(), role(), ok, []*v1alpha1.AppRoleAssignment{approval("d", denied, because(test.reason))}, noon)
			if g.Message != test.want {
				t.Errorf("Message = %q, want %q", g.Message, test.want)
			}
		})
	}
}
