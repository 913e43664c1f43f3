package index

import (
	"context"
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/lanyard-dev/lanyard/api/v1alpha1"
	"github.com/lanyard-dev/lanyard/issuer/rules"
)

// Concerned returns the objects of one kind whose status may change because o has
// changed. A namespace comes as its metadata.
type Concerned func(ctx context.Context, o client.Object) (Keys, error)

// Keys name objects of one kind, each once.
type Keys map[types.NamespacedName]struct{}

func (k Keys) add(objects ...types.NamespacedName) {
	for _, o := range objects {
		k[o] = struct{}{}
	}
}

// Resources that a change of a ProtectedResource or a namespace concerns.
func (f Finder) Resources(ctx context.Context, o client.Object) (Keys, error) {
	keys := Keys{}
	switch o := o.(type) {
	case *v1alpha1.ProtectedResource:
		keys.add(client.ObjectKeyFromObject(o))
		rivals, err := f.rivalResources(ctx, o)
		if err != nil {
			return nil, err
		}
		keys.add(disputed(o, rivals)...)
	case *metav1.PartialObjectMetadata:
		// Its annotation decides who may have an identifier: also who comes after.
		var list v1alpha1.ProtectedResourceList
		if err := f.Reader.List(ctx, &list, client.InNamespace(o.Name), client.UnsafeDisableDeepCopy); err != nil {
			return nil, err
		}
		for _, r := range pointers(list.Items) {
			keys.add(client.ObjectKeyFromObject(r))
			rivals, err := f.rivalResources(ctx, r)
			if err != nil {
				return nil, err
			}
			keys.add(names(rivals)...)
		}
	}
	return keys, nil
}

// Roles that a change of any other kind concerns.
func (f Finder) Roles(ctx context.Context, o client.Object) (Keys, error) {
	keys := Keys{}
	switch o := o.(type) {
	case *v1alpha1.AppRole:
		keys.add(client.ObjectKeyFromObject(o))
		rivals, err := f.rivalRoles(ctx, o)
		if err != nil {
			return nil, err
		}
		keys.add(disputed(o, rivals)...)
	case *v1alpha1.AppRoleAssignment:
		keys.add(types.NamespacedName{Namespace: o.Namespace, Name: o.Spec.RoleRef.Name})
	case *v1alpha1.OAuthClient:
		keys.add(asked(o)...)
	case *v1alpha1.ProtectedResource, *metav1.PartialObjectMetadata:
		resources, err := f.Resources(ctx, o)
		if err != nil {
			return nil, err
		}
		for resource := range resources {
			roles, err := f.RolesOn(ctx, resource)
			if err != nil {
				return nil, err
			}
			keys.add(names(roles)...)
		}
		clients, err := f.clientsIn(ctx, o)
		if err != nil {
			return nil, err
		}
		for _, c := range clients {
			keys.add(asked(c)...)
		}
	}
	return keys, nil
}

// Clients that a change of any other kind concerns.
func (f Finder) Clients(ctx context.Context, o client.Object) (Keys, error) {
	keys := Keys{}
	switch o := o.(type) {
	case *v1alpha1.OAuthClient:
		keys.add(client.ObjectKeyFromObject(o))
		rivals, err := f.rivalClients(ctx, o)
		if err != nil {
			return nil, err
		}
		keys.add(disputed(o, rivals)...)
		for _, a := range o.Spec.Authentication.ServiceAccounts {
			clients, err := f.clientsWith(ctx, types.NamespacedName{Namespace: o.Namespace, Name: a.Name})
			if err != nil {
				return nil, err
			}
			keys.add(sharing(o, clients)...)
		}
		return keys, nil
	case *v1alpha1.AppRoleAssignment:
		if ref := o.Spec.ClientRef; ref != nil {
			keys.add(types.NamespacedName{Namespace: ref.Namespace, Name: ref.Name})
			return keys, nil
		}
	case *metav1.PartialObjectMetadata:
		clients, err := f.clientsIn(ctx, o)
		if err != nil {
			return nil, err
		}
		for _, c := range clients {
			keys.add(client.ObjectKeyFromObject(c))
			if c.Spec.ClientID == "" {
				continue // has no rivals
			}
			rivals, err := f.rivalClients(ctx, c)
			if err != nil {
				return nil, err
			}
			keys.add(names(rivals)...)
		}
	}
	roles, err := f.rolesThatMayChange(ctx, o)
	if err != nil {
		return nil, err
	}
	for role := range roles {
		clients, err := f.ClientsAsking(ctx, role)
		if err != nil {
			return nil, err
		}
		keys.add(names(clients)...)
	}
	return keys, nil
}

// rolesThatMayChange is Roles without those whose counts alone change.
func (f Finder) rolesThatMayChange(ctx context.Context, o client.Object) (Keys, error) {
	ns, ok := o.(*metav1.PartialObjectMetadata)
	if !ok {
		return f.Roles(ctx, o)
	}
	keys := Keys{}
	resources, err := f.Resources(ctx, ns)
	if err != nil {
		return nil, err
	}
	for resource := range resources {
		roles, err := f.RolesOn(ctx, resource)
		if err != nil {
			return nil, err
		}
		keys.add(names(roles)...)
	}
	return keys, nil
}

// AssignmentsOf are the assignments that a change of a role, a client or a
// namespace concerns: of a client, or of those in a namespace, the ones that cover it.
// Old and new are asked for each by itself.
func (f Finder) AssignmentsOf(ctx context.Context, o client.Object) (Keys, error) {
	keys := Keys{}
	switch o := o.(type) {
	case *v1alpha1.AppRole:
		assignments, err := f.Assignments(ctx, client.ObjectKeyFromObject(o))
		keys.add(names(assignments)...)
		return keys, err
	case *v1alpha1.OAuthClient:
		ns, err := f.Namespace(ctx, o.Namespace)
		if err != nil {
			return nil, err
		}
		for _, role := range asked(o) {
			assignments, err := f.AssignmentsFor(ctx, role, client.ObjectKeyFromObject(o))
			if err != nil {
				return nil, err
			}
			keys.add(covering(assignments, o, ns)...)
		}
	case *metav1.PartialObjectMetadata:
		return f.assignmentsSelecting(ctx, o)
	}
	return keys, nil
}

// assignmentsSelecting are the assignments that cover clients of a namespace by its
// labels, as they are in o.
func (f Finder) assignmentsSelecting(ctx context.Context, o *metav1.PartialObjectMetadata) (Keys, error) {
	ns := rules.ParseNamespace(o.Name, o.Labels, o.Annotations)
	clients, err := f.clientsIn(ctx, o)
	if err != nil {
		return nil, err
	}
	keys := Keys{}
	selecting := map[types.NamespacedName][]*v1alpha1.AppRoleAssignment{} // by role: many clients ask for one
	for _, c := range clients {
		for _, role := range asked(c) {
			assignments, known := selecting[role]
			if !known {
				if assignments, err = f.assignmentsOfSubject(ctx, role, nil); err != nil {
					return nil, err
				}
				selecting[role] = assignments
			}
			keys.add(covering(assignments, c, ns)...)
		}
	}
	return keys, nil
}

// covering names the assignments that speak of c.
func covering(assignments []*v1alpha1.AppRoleAssignment, c *v1alpha1.OAuthClient, ns *rules.Namespace) []types.NamespacedName {
	var out []types.NamespacedName
	for _, a := range assignments {
		if rules.Covers(a, c, ns) {
			out = append(out, client.ObjectKeyFromObject(a))
		}
	}
	return out
}

// clientsIn returns the clients of a namespace, and none of anything else.
func (f Finder) clientsIn(ctx context.Context, o client.Object) ([]*v1alpha1.OAuthClient, error) {
	ns, ok := o.(*metav1.PartialObjectMetadata)
	if !ok {
		return nil, nil
	}
	var list v1alpha1.OAuthClientList
	err := f.Reader.List(ctx, &list, client.InNamespace(ns.Name), client.UnsafeDisableDeepCopy)
	return pointers(list.Items), err
}

// disputed returns the rivals whose status speaks of o: all of them if o comes, or
// came, before each; else none. Ten thousand objects that claim the name of an older
// one thus do not wake one another.
func disputed[T client.Object](o T, rivals []T) []types.NamespacedName {
	if slices.ContainsFunc(rivals, func(r T) bool { return rules.Older(r, o) }) {
		return nil
	}
	return names(rivals)
}

// sharing returns the clients whose status speaks of o because they list the same
// service account: each names the oldest of the others, so that only the two oldest of
// all are ever named.
func sharing(o *v1alpha1.OAuthClient, clients []*v1alpha1.OAuthClient) []types.NamespacedName {
	before := 0
	for _, c := range clients {
		if rules.Older(c, o) {
			before++
		}
	}
	if before > 1 {
		return nil
	}
	return names(clients)
}

func asked(c *v1alpha1.OAuthClient) []types.NamespacedName {
	out := make([]types.NamespacedName, 0, len(c.Spec.Roles))
	for _, r := range c.Spec.Roles {
		out = append(out, types.NamespacedName{Namespace: r.Namespace, Name: r.Name})
	}
	return out
}

func names[T client.Object](objects []T) []types.NamespacedName {
	out := make([]types.NamespacedName, 0, len(objects))
	for _, o := range objects {
		out = append(out, client.ObjectKeyFromObject(o))
	}
	return out
}
