// Package scale measures what a decision costs the issuer in a world of a thousand roles
// and ten thousand clients, beside the same decision in a world of ten.
package scale

import (
	"fmt"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/lanyard-dev/lanyard/api/v1alpha1"
	"github.com/lanyard-dev/lanyard/issuer/oauth"
	"github.com/lanyard-dev/lanyard/issuer/registry"
	"github.com/lanyard-dev/lanyard/issuer/rules"
)

// Size of a world.
type Size struct {
	// Clients, each of which asks for the role that all ask for, which a selector grants
	// to all, and for the roles of one more resource, which are granted to it by name.
	Clients int
	// Roles, and Assignments that each of them has.
	Roles, Assignments int
	// Selecting of a role's assignments name clients by the labels of their namespaces.
	Selecting int
}

// Ten is the small one of the two worlds that are compared.
func Ten() Size { return Size{Clients: 10, Roles: 10, Assignments: 10, Selecting: 1} }

// Full is the large one.
func Full() Size { return Size{Clients: 10_000, Roles: 1000, Assignments: 100, Selecting: 5} }

// now is when everything takes place.
var now = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

const (
	everybody = 0  // the role that all ask for, which is alone on its resource
	perTeam   = 10 // clients in one namespace
	perAPI    = 4  // roles on one resource, all of which a client asks for
)

// World is what an issuer knows, and who asks it.
type World struct {
	registry *registry.Registry
	clients  []*v1alpha1.OAuthClient
}

// NewWorld makes a world of that size.
func NewWorld(s Size) World {
	w := World{registry: registry.New("cluster.local")}
	for i := range (s.Clients + perTeam - 1) / perTeam {
		w.registry.ApplyNamespace(rules.ParseNamespace(team(i), map[string]string{"team": team(i), "cluster": "one"}, nil))
	}
	for i := range 1 + apiOf(s.Roles-1) {
		w.registry.ApplyNamespace(rules.ParseNamespace(api(i), nil, nil))
		w.registry.ApplyResource(&v1alpha1.ProtectedResource{ObjectMeta: meta(api(i), "api"), Spec: v1alpha1.ProtectedResourceSpec{
			Identifier: "api://" + api(i), Assignment: v1alpha1.AssignmentRequired, TokenBindingPolicy: v1alpha1.TokenBindingOptional,
		}})
	}
	for i := range s.Roles {
		w.registry.ApplyRole(&v1alpha1.AppRole{ObjectMeta: meta(api(apiOf(i)), role(i)), Spec: v1alpha1.AppRoleSpec{
			ResourceRef: v1alpha1.LocalReference{Name: "api"}, Value: fmt.Sprint("Value.", i),
		}})
	}
	for i := range s.Clients {
		w.clients = append(w.clients, w.newClient(s, i))
	}
	w.assign(s)
	return w
}

// newClient asks for everybody's role, and for those that assign gives it by name.
func (w World) newClient(s Size, i int) *v1alpha1.OAuthClient {
	c := &v1alpha1.OAuthClient{ObjectMeta: meta(team(i/perTeam), fmt.Sprint("client-", i)), Spec: v1alpha1.OAuthClientSpec{
		GrantTypes:   []v1alpha1.GrantType{v1alpha1.GrantType(oauth.GrantClientCredentials)},
		TokenBinding: v1alpha1.TokenBindingNone,
		Roles:        []v1alpha1.RoleReference{{Namespace: api(apiOf(everybody)), Name: role(everybody)}},
	}}
	for k := range perAPI {
		r := own(s, i, k)
		c.Spec.Roles = append(c.Spec.Roles, v1alpha1.RoleReference{Namespace: api(apiOf(r)), Name: role(r)})
	}
	w.registry.ApplyClient(c)
	return c
}

// apiOf is the resource that a role is on.
func apiOf(role int) int { return (role + perAPI - 1) / perAPI }

// own is the k-th role of the resource that is the i-th client's.
func own(s Size, i, k int) int { return 1 + i%((s.Roles-1)/perAPI)*perAPI + k }

// assign gives each role its assignments.
func (w World) assign(s Size) {
	have := map[int]int{}
	add := func(r int, a v1alpha1.AppRoleAssignmentSpec) {
		a.RoleRef.Name, a.Decision = role(r), v1alpha1.DecisionApproved
		w.registry.ApplyAssignment(&v1alpha1.AppRoleAssignment{ObjectMeta: meta(api(apiOf(r)), fmt.Sprint(role(r), "-", have[r])), Spec: a})
		have[r]++
	}
	for r := range s.Roles {
		for k := range s.Selecting {
			label, value := "team", team(r+k) // one team each
			if r == everybody && k == 0 {
				label, value = "cluster", "one" // all
			}
			add(r, v1alpha1.AppRoleAssignmentSpec{ClientSelector: &v1alpha1.ClientSelector{
				NamespaceSelector: metav1.LabelSelector{MatchLabels: map[string]string{label: value}},
			}})
		}
	}
	for i, c := range w.clients {
		for k := range perAPI {
			if r := own(s, i, k); have[r] < s.Assignments {
				add(r, v1alpha1.AppRoleAssignmentSpec{ClientRef: &v1alpha1.ClientReference{Namespace: c.Namespace, Name: c.Name}})
			}
		}
	}
	for r := range s.Roles { // the rest is for clients that do not ask
		for i := 0; have[r] < s.Assignments; i++ {
			add(r, v1alpha1.AppRoleAssignmentSpec{ClientRef: &v1alpha1.ClientReference{Namespace: team(i), Name: "nobody"}})
		}
	}
}

// decide takes one decision for a client: for everybody's role, and for one of its own, in
// turn. It says whether there is a token.
func (w World) decide(client, turn int) bool {
	c := w.clients[client%len(w.clients)]
	ref := c.Spec.Roles[turn%2]
	f := w.registry.Facts(c, "api://"+ref.Namespace)
	a, refusal := rules.Decide(f, rules.Request{GrantType: oauth.GrantClientCredentials}, now)
	return refusal == nil && a.Valid()
}

func team(i int) string { return fmt.Sprint("team-", i) }
func api(i int) string  { return fmt.Sprint("api-", i) }
func role(i int) string { return fmt.Sprint("role-", i) }

func meta(namespace, name string) metav1.ObjectMeta {
	return metav1.ObjectMeta{Namespace: namespace, Name: name, Generation: 1, CreationTimestamp: metav1.NewTime(now.Add(-time.Hour))}
}
