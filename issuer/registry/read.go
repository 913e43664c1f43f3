package registry

import (
	"slices"

	"github.com/lanyard-dev/lanyard/api/v1alpha1"
	"github.com/lanyard-dev/lanyard/issuer/rules"
)

// ClientByID returns the client that holds a client id.
func (r *Registry) ClientByID(id string) (*v1alpha1.OAuthClient, bool) {
	return r.clientIDs.holders.get(id)
}

// ClientsByServiceAccount returns the clients that list a service account of their
// own namespace. The caller must not change the list.
func (r *Registry) ClientsByServiceAccount(namespace, name string) []*v1alpha1.OAuthClient {
	clients, _ := r.clientsByServiceAccount.get(Key{namespace, name})
	return clients
}

// Certificates returns the client's ClientCertificates. The caller must not change
// the list.
func (r *Registry) Certificates(c *v1alpha1.OAuthClient) []*rules.Certificate {
	certificates, _ := r.certsByClient.get(keyOf(c))
	return certificates
}

// Verdict says whether the client works.
func (r *Registry) Verdict(c *v1alpha1.OAuthClient) rules.Verdict {
	return r.verdict(c, r.namespace(c.Namespace))
}

func (r *Registry) verdict(c *v1alpha1.OAuthClient, ns *rules.Namespace) rules.Verdict {
	holder, _ := r.clientIDs.holders.get(rules.ClientID(c))
	return rules.Client(c, ns, holder)
}

// Facts gathers what rules.Decide needs for a token of client c for the resource
// with the given identifier.
func (r *Registry) Facts(c *v1alpha1.OAuthClient, identifier string) rules.Facts {
	ns := r.namespace(c.Namespace)
	f := rules.Facts{Client: c, Namespace: ns, OnClient: r.verdict(c, ns), Certificates: r.Certificates(c)}
	resource, ok := r.identifiers.holders.get(identifier)
	if !ok {
		return f
	}
	// Who holds an identifier was judged when it, or its namespace, changed.
	f.Resource, f.OnResource = resource, rules.HeldResource(resource, resource)
	for _, ref := range c.Spec.Roles {
		// A role is on a resource of its own namespace.
		if ref.Namespace != resource.Namespace {
			continue
		}
		k := Key{ref.Namespace, ref.Name}
		role, ok := r.roles.get(k)
		if !ok || role.Spec.ResourceRef.Name != resource.Name {
			continue
		}
		holder, _ := r.roleValues.holders.get(valueOf(role))
		f.Roles = append(f.Roles, rules.RoleFacts{
			Role:        role,
			OnRole:      rules.Role(role, resource, f.OnResource, holder),
			Assignments: r.assignmentsOf(k, keyOf(c), ns),
		})
	}
	return f
}

// assignmentsOf returns the assignments that may speak of one role of one client, whose
// namespace is ns.
func (r *Registry) assignmentsOf(role, client Key, ns *rules.Namespace) []*v1alpha1.AppRoleAssignment {
	named, _ := r.assignmentsByClient.get(roleClient{role, client})
	s, ok := r.assignmentsBySelector.get(role)
	if !ok {
		return named
	}
	selected := s.of(ns)
	switch {
	case len(selected) == 0:
		return named
	case len(named) == 0:
		return selected
	default:
		return append(slices.Clip(named), selected...)
	}
}

// OnlyResource returns the identifier of the one resource whose roles the client
// asks for, and false if there is none, or more than one.
func (r *Registry) OnlyResource(c *v1alpha1.OAuthClient) (identifier string, ok bool) {
	for _, ref := range c.Spec.Roles {
		role, found := r.roles.get(Key{ref.Namespace, ref.Name})
		if !found {
			continue
		}
		resource, found := r.resources.get(Key{role.Namespace, role.Spec.ResourceRef.Name})
		if !found {
			continue
		}
		if ok && resource.Spec.Identifier != identifier {
			return "", false
		}
		identifier, ok = resource.Spec.Identifier, true
	}
	return identifier, ok
}
