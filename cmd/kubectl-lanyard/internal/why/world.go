package why

import (
	"net/url"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/lanyard-dev/lanyard/api/v1alpha1"
	"github.com/lanyard-dev/lanyard/issuer/registry"
	"github.com/lanyard-dev/lanyard/issuer/rules"
)

// part is something that a decision rests on, and that the person may not be allowed to
// read.
type part int

const (
	theClient           part = iota + 1
	theClientsNamespace      // its annotations and labels
	otherClients             // who else claims the client id
	theCertificates
	theAccounts
	thePods
	theResource
	otherResources // who else claims the identifier
	theRoles
	theAssignments
)

// world is what a decision rests on, as far as the person may see it.
type world struct {
	// key names the client. client is nil if there is none, or it may not be read.
	key    types.NamespacedName
	client *v1alpha1.OAuthClient
	// identifier of the resource; empty if it was named otherwise and not found. resource
	// is nil if there is none, or it may not be read.
	identifier string
	resource   *v1alpha1.ProtectedResource
	// identifiers are all that could be seen.
	identifiers []string

	namespaces   []*rules.Namespace
	clients      []*v1alpha1.OAuthClient // who claims the client id, the client too
	certificates []*v1alpha1.ClientCertificate
	accounts     map[string]*corev1.ServiceAccount // of the client's namespace, by name
	pods         []corev1.Pod                      // that run as them
	resources    []*v1alpha1.ProtectedResource     // who claims the identifier
	roles        []*v1alpha1.AppRole               // of the resource's namespace
	assignments  []*v1alpha1.AppRoleAssignment

	// unseen says of what could not be looked at which permission is missing.
	unseen        map[part]string
	clusterDomain string
}

// living drops what counts as absent, as the issuer does.
func living[T metav1.Object](objects []T) []T {
	return slices.DeleteFunc(objects, func(o T) bool { return rules.Gone(o) })
}

// registry is what the issuer would know of the world.
func (w *world) registry() *registry.Registry {
	r := registry.New(w.clusterDomain)
	for _, ns := range w.namespaces {
		r.ApplyNamespace(ns)
	}
	for _, c := range w.clients {
		r.ApplyClient(c)
	}
	for _, cc := range w.certificates {
		r.ApplyCertificate(cc)
	}
	for _, p := range w.resources {
		r.ApplyResource(p)
	}
	for _, role := range w.roles {
		r.ApplyRole(role)
	}
	for _, a := range w.assignments {
		r.ApplyAssignment(a)
	}
	return r
}

// find says which resources may be meant by what was typed: by an identifier those that
// claim it; by a bare name the one in the client's own namespace, or else those where it
// asks for roles, or else any.
func find(typed string, c *v1alpha1.OAuthClient, all []*v1alpha1.ProtectedResource) (found []*v1alpha1.ProtectedResource) {
	for _, p := range all {
		if typed == p.Spec.Identifier || typed == p.Namespace+"/"+p.Name || typed == p.Name {
			found = append(found, p)
		}
	}
	if strings.ContainsAny(typed, ":/") {
		return found
	}
	asks := func(p *v1alpha1.ProtectedResource) bool {
		return slices.ContainsFunc(c.Spec.Roles, func(r v1alpha1.RoleReference) bool { return r.Namespace == p.Namespace })
	}
	own := func(p *v1alpha1.ProtectedResource) bool { return p.Namespace == c.Namespace }
	for _, nearer := range []func(*v1alpha1.ProtectedResource) bool{own, asks} {
		if slices.ContainsFunc(found, nearer) {
			return slices.DeleteFunc(found, func(p *v1alpha1.ProtectedResource) bool { return !nearer(p) })
		}
	}
	return found
}

// oldest is the resource that goes before the others.
func oldest(all []*v1alpha1.ProtectedResource) *v1alpha1.ProtectedResource {
	return slices.MinFunc(all, func(a, b *v1alpha1.ProtectedResource) int {
		if rules.Older(a, b) {
			return -1
		}
		return 1
	})
}

// homes are the namespaces that the resource of a question can be in, where not all of
// them can be looked at.
func homes(q *question, c *v1alpha1.OAuthClient) []string {
	var in []string
	add := func(namespace string) {
		if namespace != "" && !slices.Contains(in, namespace) {
			in = append(in, namespace)
		}
	}
	switch namespace, _, found := strings.Cut(q.resource, "/"); {
	case q.byIdentifier():
		add(namespaceOf(q.resource))
	case found:
		return []string{namespace}
	default:
		add(q.client.Namespace)
	}
	for _, role := range c.Spec.Roles {
		add(role.Namespace)
	}
	return in
}

// namespaceOf is the namespace that an identifier belongs to by its form; empty if it has
// none of the forms.
func namespaceOf(identifier string) string {
	u, err := url.Parse(identifier)
	if err != nil {
		return ""
	}
	if u.Scheme == "api" {
		return u.Host
	}
	if labels := strings.Split(u.Hostname(), "."); len(labels) >= 3 && labels[2] == "svc" {
		return labels[1]
	}
	return ""
}
