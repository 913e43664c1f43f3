package index

import (
	"context"
	"slices"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/lanyard-dev/lanyard/api/v1alpha1"
	"github.com/lanyard-dev/lanyard/issuer/rules"
)

// Finder reads the manager's cache. What it returns belongs to the cache, and must
// not be changed. nil stands for an object that is not there, or that was deleted and
// is held by a finalizer (rules.Gone); an error means that it could not tell.
type Finder struct {
	Reader client.Reader
	// ClusterDomain is the cluster's DNS domain, such as cluster.local.
	ClusterDomain string
}

// Get reads one object into o, and says whether it is there.
func (f Finder) Get(ctx context.Context, key types.NamespacedName, o client.Object) (bool, error) {
	err := f.Reader.Get(ctx, key, o)
	if apierrors.IsNotFound(err) {
		return false, nil
	}
	return err == nil && !rules.Gone(o), err
}

// Namespace returns a namespace's labels and policy.
func (f Finder) Namespace(ctx context.Context, name string) (*rules.Namespace, error) {
	ns := &metav1.PartialObjectMetadata{}
	ns.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("Namespace"))
	// Not with Get: while a namespace is being deleted its policy holds for what is
	// still in it, as it does at the issuer.
	if err := f.Reader.Get(ctx, types.NamespacedName{Name: name}, ns); err != nil {
		return nil, client.IgnoreNotFound(err)
	}
	return rules.ParseNamespace(name, ns.Labels, ns.Annotations), nil
}

// Namespaces reads each namespace once.
type Namespaces struct {
	finder Finder
	known  map[string]*rules.Namespace
}

// Namespaces returns an empty memory of namespaces, for one reconciliation.
func (f Finder) Namespaces() *Namespaces {
	return &Namespaces{finder: f, known: map[string]*rules.Namespace{}}
}

// Get returns a namespace's labels and policy.
func (n *Namespaces) Get(ctx context.Context, name string) (*rules.Namespace, error) {
	if ns, ok := n.known[name]; ok {
		return ns, nil
	}
	ns, err := n.finder.Namespace(ctx, name)
	if err != nil {
		return nil, err
	}
	n.known[name] = ns
	return ns, nil
}

// ClientsAsking returns the clients that ask for a role.
func (f Finder) ClientsAsking(ctx context.Context, role types.NamespacedName) ([]*v1alpha1.OAuthClient, error) {
	var list v1alpha1.OAuthClientList
	err := f.Reader.List(ctx, &list, client.MatchingFields{ClientRole: role.String()}, client.UnsafeDisableDeepCopy)
	return present(list.Items), err
}

// Assignments returns the assignments that name a role.
func (f Finder) Assignments(ctx context.Context, role types.NamespacedName) ([]*v1alpha1.AppRoleAssignment, error) {
	var list v1alpha1.AppRoleAssignmentList
	err := f.Reader.List(ctx, &list, client.InNamespace(role.Namespace), client.MatchingFields{AssignmentRole: role.Name}, client.UnsafeDisableDeepCopy)
	return present(list.Items), err
}

// AssignmentsFor returns the assignments of a role that may speak of one client: those
// that name it, and those that select clients. Ten thousand assignments that name others
// cost it nothing.
func (f Finder) AssignmentsFor(ctx context.Context, role, c types.NamespacedName) ([]*v1alpha1.AppRoleAssignment, error) {
	named, err := f.assignmentsOfSubject(ctx, role, &v1alpha1.ClientReference{Namespace: c.Namespace, Name: c.Name})
	if err != nil {
		return nil, err
	}
	selecting, err := f.assignmentsOfSubject(ctx, role, nil)
	return append(named, selecting...), err
}

func (f Finder) assignmentsOfSubject(ctx context.Context, role types.NamespacedName, ref *v1alpha1.ClientReference) ([]*v1alpha1.AppRoleAssignment, error) {
	var list v1alpha1.AppRoleAssignmentList
	err := f.Reader.List(ctx, &list, client.InNamespace(role.Namespace), client.MatchingFields{AssignmentSubject: subject(role.Name, ref)}, client.UnsafeDisableDeepCopy)
	return present(list.Items), err
}

// RolesOn returns the roles on a resource.
func (f Finder) RolesOn(ctx context.Context, resource types.NamespacedName) ([]*v1alpha1.AppRole, error) {
	var list v1alpha1.AppRoleList
	err := f.Reader.List(ctx, &list, client.InNamespace(resource.Namespace), client.MatchingFields{RoleResource: resource.Name}, client.UnsafeDisableDeepCopy)
	return present(list.Items), err
}

// rivalClients returns the clients that may have the client id of c.
func (f Finder) rivalClients(ctx context.Context, c *v1alpha1.OAuthClient) ([]*v1alpha1.OAuthClient, error) {
	var list v1alpha1.OAuthClientList
	if err := f.Reader.List(ctx, &list, client.MatchingFields{ClientID: rules.ClientID(c)}, client.UnsafeDisableDeepCopy); err != nil {
		return nil, err
	}
	namespaces := f.Namespaces()
	return filter(present(list.Items), func(c *v1alpha1.OAuthClient) (bool, error) {
		ns, err := namespaces.Get(ctx, c.Namespace)
		return rules.ClientIDAllowed(c, ns), err
	})
}

// rivalResources returns the resources that may have the identifier of r.
func (f Finder) rivalResources(ctx context.Context, r *v1alpha1.ProtectedResource) ([]*v1alpha1.ProtectedResource, error) {
	var list v1alpha1.ProtectedResourceList
	if err := f.Reader.List(ctx, &list, client.MatchingFields{ResourceIdentifier: r.Spec.Identifier}, client.UnsafeDisableDeepCopy); err != nil {
		return nil, err
	}
	namespaces := f.Namespaces()
	return filter(present(list.Items), func(r *v1alpha1.ProtectedResource) (bool, error) {
		ns, err := namespaces.Get(ctx, r.Namespace)
		return rules.IdentifierAllowed(r.Spec.Identifier, ns, f.ClusterDomain), err
	})
}

// rivalRoles returns the roles of r's resource that have its value.
func (f Finder) rivalRoles(ctx context.Context, r *v1alpha1.AppRole) ([]*v1alpha1.AppRole, error) {
	var list v1alpha1.AppRoleList
	err := f.Reader.List(ctx, &list, client.InNamespace(r.Namespace), client.MatchingFields{RoleValue: valueOf(r)}, client.UnsafeDisableDeepCopy)
	return present(list.Items), err
}

// ClientHolder returns the client that holds the client id of c.
func (f Finder) ClientHolder(ctx context.Context, c *v1alpha1.OAuthClient) (*v1alpha1.OAuthClient, error) {
	rivals, err := f.rivalClients(ctx, c)
	return oldest(rivals), err
}

// clientsWith returns the clients of a namespace that list a service account.
func (f Finder) clientsWith(ctx context.Context, account types.NamespacedName) ([]*v1alpha1.OAuthClient, error) {
	var list v1alpha1.OAuthClientList
	err := f.Reader.List(ctx, &list, client.InNamespace(account.Namespace), client.MatchingFields{ClientServiceAccount: account.Name}, client.UnsafeDisableDeepCopy)
	return present(list.Items), err
}

// Sharing returns the oldest other client that lists a service account of c as well,
// and that service account; nil if there is none.
func (f Finder) Sharing(ctx context.Context, c *v1alpha1.OAuthClient) (*v1alpha1.OAuthClient, string, error) {
	for _, a := range c.Spec.Authentication.ServiceAccounts {
		clients, err := f.clientsWith(ctx, types.NamespacedName{Namespace: c.Namespace, Name: a.Name})
		if err != nil {
			return nil, "", err
		}
		others := slices.DeleteFunc(clients, func(other *v1alpha1.OAuthClient) bool { return other.UID == c.UID })
		if len(others) > 0 {
			return oldest(others), a.Name, nil
		}
	}
	return nil, "", nil
}

// ResourceHolder returns the resource that holds the identifier of r.
func (f Finder) ResourceHolder(ctx context.Context, r *v1alpha1.ProtectedResource) (*v1alpha1.ProtectedResource, error) {
	rivals, err := f.rivalResources(ctx, r)
	return oldest(rivals), err
}

// RoleHolder returns the role that holds the value of r on its resource.
func (f Finder) RoleHolder(ctx context.Context, r *v1alpha1.AppRole) (*v1alpha1.AppRole, error) {
	rivals, err := f.rivalRoles(ctx, r)
	return oldest(rivals), err
}

// RoleFacts is a role with what its verdict rests on.
type RoleFacts struct {
	// Role is nil if there is none.
	Role *v1alpha1.AppRole
	// Resource is nil if there is none.
	Resource   *v1alpha1.ProtectedResource
	OnResource rules.Verdict
	Holder     *v1alpha1.AppRole
}

// Verdict says whether the role works.
func (f RoleFacts) Verdict() rules.Verdict {
	if f.Role == nil {
		return rules.Verdict{}
	}
	return rules.Role(f.Role, f.Resource, f.OnResource, f.Holder)
}

// Role reads a role with what its verdict rests on.
func (f Finder) Role(ctx context.Context, key types.NamespacedName) (RoleFacts, error) {
	role := &v1alpha1.AppRole{}
	if ok, err := f.Get(ctx, key, role); !ok {
		return RoleFacts{}, err
	}
	facts := RoleFacts{Role: role}
	resource := &v1alpha1.ProtectedResource{}
	ok, err := f.Get(ctx, types.NamespacedName{Namespace: key.Namespace, Name: role.Spec.ResourceRef.Name}, resource)
	if err != nil {
		return RoleFacts{}, err
	}
	if ok {
		facts.Resource = resource
		ns, err := f.Namespace(ctx, resource.Namespace)
		if err != nil {
			return RoleFacts{}, err
		}
		holder, err := f.ResourceHolder(ctx, resource)
		if err != nil {
			return RoleFacts{}, err
		}
		facts.OnResource = rules.Resource(resource, ns, f.ClusterDomain, holder)
	}
	facts.Holder, err = f.RoleHolder(ctx, role)
	return facts, err
}

func pointers[T any](items []T) []*T {
	out := make([]*T, len(items))
	for i := range items {
		out[i] = &items[i]
	}
	return out
}

// present returns the objects that count as there.
func present[T any, P interface {
	*T
	metav1.Object
}](items []T) []P {
	out := make([]P, 0, len(items))
	for i := range items {
		if p := P(&items[i]); !rules.Gone(p) {
			out = append(out, p)
		}
	}
	return out
}

func filter[T any](all []T, keep func(T) (bool, error)) ([]T, error) {
	var out []T
	for _, o := range all {
		ok, err := keep(o)
		if err != nil {
			return nil, err
		}
		if ok {
			out = append(out, o)
		}
	}
	return out, nil
}

// oldest returns the object that goes before all others; the zero value if there
// are none.
func oldest[T metav1.Object](all []T) T {
	var first T
	for i, o := range all {
		if i == 0 || rules.Older(o, first) {
			first = o
		}
	}
	return first
}
