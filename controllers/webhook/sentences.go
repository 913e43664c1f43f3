package webhook

import (
	"fmt"
	"slices"
	"strings"

	"github.com/lanyard-dev/lanyard/api/v1alpha1"
)

// mostNamed is how many objects a warning names; the rest are counted.
const mostNamed = 10

// newlyAsked returns the roles that a client asks for and did not before.
func newlyAsked(before, after *v1alpha1.OAuthClient) []v1alpha1.RoleReference {
	if before == nil {
		return after.Spec.Roles
	}
	return slices.DeleteFunc(slices.Clone(after.Spec.Roles), func(r v1alpha1.RoleReference) bool {
		return slices.Contains(before.Spec.Roles, r)
	})
}

// unknownRoles warns of roles that do not exist.
func unknownRoles(missing []v1alpha1.RoleReference) []string {
	if len(missing) == 0 {
		return nil
	}
	names := make([]string, 0, len(missing))
	for _, r := range missing {
		names = append(names, r.Namespace+"/"+r.Name)
	}
	return []string{"spec.roles: there is no AppRole " + listed(names) + "; correct spec.roles, or have the API's owner create it"}
}

// losing warns that clients lose something.
func losing(does string, lost keys) []string {
	if len(lost) == 0 {
		return nil
	}
	names := make([]string, 0, len(lost))
	for key := range lost {
		names = append(names, key.String())
	}
	slices.Sort(names)
	clients := "clients"
	if len(names) == 1 {
		clients = "client"
	}
	return []string{fmt.Sprintf("%s %d %s: %s", does, len(names), clients, listed(names))}
}

// unlisted warns of clients that nothing declares.
func unlisted(r *v1alpha1.ProtectedResource) []string {
	if r.Spec.Assignment != v1alpha1.AssignmentOptional {
		return nil
	}
	return []string{fmt.Sprintf("ProtectedResource %s/%s has assignment: Optional: clients without a role lose access, too, and cannot be listed", r.Namespace, r.Name)}
}

// listed names the first few, and counts the rest.
func listed(names []string) string {
	if len(names) <= mostNamed {
		return strings.Join(names, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(names[:mostNamed], ", "), len(names)-mostNamed)
}
