package index

import (
	"context"
	"fmt"

	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/lanyard-dev/lanyard/api/v1alpha1"
	"github.com/lanyard-dev/lanyard/issuer/rules"
)

// Names of the indexes.
const (
	// ClientID finds OAuthClients by their client id.
	ClientID = "lanyard.clientID"
	// ClientRole finds OAuthClients by a role that they ask for, as namespace/name.
	ClientRole = "lanyard.clientRole"
	// ClientServiceAccount finds OAuthClients by a service account that they list,
	// within a namespace.
	ClientServiceAccount = "lanyard.clientServiceAccount"
	// ResourceIdentifier finds ProtectedResources by their identifier.
	ResourceIdentifier = "lanyard.resourceIdentifier"
	// RoleResource finds AppRoles by their resource's name, within a namespace.
	RoleResource = "lanyard.roleResource"
	// RoleValue finds AppRoles by <resource>/<value>, within a namespace.
	RoleValue = "lanyard.roleValue"
	// AssignmentRole finds AppRoleAssignments by their role's name, within a namespace.
	AssignmentRole = "lanyard.assignmentRole"
	// AssignmentSubject finds AppRoleAssignments by their role's name and the client that
	// they name, within a namespace: see subject.
	AssignmentSubject = "lanyard.assignmentSubject"
	// CertificateClient finds ClientCertificates by their client's name, within a
	// namespace. It is registered with the controller of that kind, and not by Register.
	CertificateClient = "clientcertificate.client"
)

// Register adds the indexes to the manager's cache. It is called once for each
// manager, before any controller is set up.
func Register(ctx context.Context, mgr ctrl.Manager) error {
	for _, index := range []struct {
		kind client.Object
		name string
		of   client.IndexerFunc
	}{
		{&v1alpha1.OAuthClient{}, ClientID, of(func(c *v1alpha1.OAuthClient) []string {
			return []string{rules.ClientID(c)}
		})},
		{&v1alpha1.OAuthClient{}, ClientRole, of(func(c *v1alpha1.OAuthClient) []string {
			var roles []string
			for _, r := range c.Spec.Roles {
				roles = append(roles, r.Namespace+"/"+r.Name)
			}
			return roles
		})},
		{&v1alpha1.OAuthClient{}, ClientServiceAccount, of(func(c *v1alpha1.OAuthClient) []string {
			var names []string
			for _, a := range c.Spec.Authentication.ServiceAccounts {
				names = append(names, a.Name)
			}
			return names
		})},
		{&v1alpha1.ProtectedResource{}, ResourceIdentifier, of(func(r *v1alpha1.ProtectedResource) []string {
			return []string{r.Spec.Identifier}
		})},
		{&v1alpha1.AppRole{}, RoleResource, of(func(r *v1alpha1.AppRole) []string {
			return []string{r.Spec.ResourceRef.Name}
		})},
		{&v1alpha1.AppRole{}, RoleValue, of(func(r *v1alpha1.AppRole) []string {
			return []string{valueOf(r)}
		})},
		{&v1alpha1.AppRoleAssignment{}, AssignmentRole, of(func(a *v1alpha1.AppRoleAssignment) []string {
			return []string{a.Spec.RoleRef.Name}
		})},
		{&v1alpha1.AppRoleAssignment{}, AssignmentSubject, of(func(a *v1alpha1.AppRoleAssignment) []string {
			return []string{subject(a.Spec.RoleRef.Name, a.Spec.ClientRef)}
		})},
	} {
		if err := mgr.GetFieldIndexer().IndexField(ctx, index.kind, index.name, index.of); err != nil {
			return fmt.Errorf("index %s: %w", index.name, err)
		}
	}
	return nil
}

func of[T client.Object](values func(T) []string) client.IndexerFunc {
	return func(o client.Object) []string { return values(o.(T)) }
}

func valueOf(r *v1alpha1.AppRole) string { return r.Spec.ResourceRef.Name + "/" + r.Spec.Value }

// subject is <role>/<namespace>/<name> of an assignment that names one client, and
// <role> of one that selects clients.
func subject(role string, ref *v1alpha1.ClientReference) string {
	if ref == nil {
		return role
	}
	return role + "/" + ref.Namespace + "/" + ref.Name
}
