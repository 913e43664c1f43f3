package status

import (
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/lanyard-dev/lanyard/api/v1alpha1"
)

// overview is how everything in a namespace, or in all, stands.
type overview struct {
	Clients   []clientLine   `json:"clients"`
	Resources []resourceLine `json:"resources"`
	Problems  []problem      `json:"problems"`
}

// clientLine is a client in one line.
type clientLine struct {
	Namespace    string    `json:"namespace"`
	Name         string    `json:"name"`
	ClientID     string    `json:"clientID,omitempty"`
	Ready        condition `json:"ready"`
	RolesGranted string    `json:"rolesGranted,omitempty"`
	// PinnedUntil is when the last of its pins ends if none is renewed; absent: none works.
	PinnedUntil *metav1.Time `json:"pinnedUntil,omitempty"`
}

// resourceLine is a resource in one line.
type resourceLine struct {
	Namespace  string    `json:"namespace"`
	Name       string    `json:"name"`
	Identifier string    `json:"identifier"`
	Ready      condition `json:"ready"`
	Roles      int       `json:"roles"`
	Granted    int32     `json:"granted"`
	Pending    int32     `json:"pending"`
}

// overviewFacts is everything of a namespace, or of all.
type overviewFacts struct {
	clients      []v1alpha1.OAuthClient
	certificates []v1alpha1.ClientCertificate
	resources    []v1alpha1.ProtectedResource
	roles        []v1alpha1.AppRole
	// pods ask for the sidecar and have none.
	pods []metav1.PartialObjectMetadata
}

func reportOverview(f overviewFacts, now time.Time) overview {
	var o overview
	type key struct{ namespace, name string }
	pinned := map[key]time.Time{}
	for i := range f.certificates {
		cc := &f.certificates[i]
		of := key{cc.Namespace, cc.Spec.ClientRef.Name}
		for _, p := range certificateOf(cc, now).Pins {
			if p.Live && p.Ends.After(pinned[of]) {
				pinned[of] = p.Ends.Time
			}
		}
	}
	for i := range f.clients {
		c := &f.clients[i]
		line := clientLine{Namespace: c.Namespace, Name: c.Name, ClientID: c.Status.ClientID, Ready: readyOf(c.Status.Conditions), RolesGranted: c.Status.RolesGranted}
		if until, ok := pinned[key{c.Namespace, c.Name}]; ok {
			line.PinnedUntil = &metav1.Time{Time: until}
		}
		o.Clients = append(o.Clients, line)
		o.Problems = append(o.Problems, amiss("OAuthClient/"+c.Namespace+"/"+c.Name, c, c.Status.ObservedGeneration, c.Status.Conditions)...)
	}
	for i := range f.certificates {
		cc := &f.certificates[i]
		o.Problems = append(o.Problems, amiss("ClientCertificate/"+cc.Namespace+"/"+cc.Name, cc, cc.Status.ObservedGeneration, cc.Status.Conditions)...)
	}
	roles := map[key][]*v1alpha1.AppRole{}
	for i := range f.roles {
		of := key{f.roles[i].Namespace, f.roles[i].Spec.ResourceRef.Name}
		roles[of] = append(roles[of], &f.roles[i])
	}
	for i := range f.resources {
		p := &f.resources[i]
		line := resourceLine{Namespace: p.Namespace, Name: p.Name, Identifier: p.Spec.Identifier, Ready: readyOf(p.Status.Conditions)}
		for _, role := range roles[key{p.Namespace, p.Name}] {
			line.Roles++
			line.Granted += ptr.Deref(role.Status.GrantedCount, 0)
			line.Pending += ptr.Deref(role.Status.PendingCount, 0)
		}
		o.Resources = append(o.Resources, line)
		o.Problems = append(o.Problems, amiss("ProtectedResource/"+p.Namespace+"/"+p.Name, p, p.Status.ObservedGeneration, p.Status.Conditions)...)
	}
	for i := range f.roles {
		role := &f.roles[i]
		o.Problems = append(o.Problems, amiss("AppRole/"+role.Namespace+"/"+role.Name, role, role.Status.ObservedGeneration, role.Status.Conditions)...)
	}
	o.Problems = append(o.Problems, notInjected(f.pods)...)
	o.Clients, o.Resources, o.Problems = list(o.Clients), list(o.Resources), list(o.Problems)
	return o
}
