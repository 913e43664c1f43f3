package rules

import (
	"slices"
	"time"

	"github.com/lanyard-dev/lanyard/api/v1alpha1"
)

// createdLeeway is how much earlier than its client a token may say that it was
// issued: the API server's clock and the issuer's are two.
const createdLeeway = 5 * time.Second

// Issued is what an access token says, once its signature, issuer and times have been
// verified.
type Issued struct {
	ClientID, Tenant, Audience string
	Roles                      []string
	// Thumbprint (x5t#S256) and JKT are its cnf.
	Thumbprint, JKT string
	Evidence        Evidence
	Workload        *Workload
	IssuedAt        time.Time
}

// Holds says whether everything that t was issued for still stands, and if not, what
// is gone: a fixed word for the log. f are the facts of its client and its audience.
// Whether its service account and pod live, and the pod has its mark, is for others to
// say.
func Holds(f Facts, t Issued, now time.Time) (gone string, ok bool) {
	switch {
	case f.Client == nil || !f.OnClient.OK:
		return "client", false
	case f.Client.Namespace != t.Tenant || t.IssuedAt.Add(createdLeeway).Before(f.Client.CreationTimestamp.Time):
		return "client_of_the_token", false // another has its name now
	case t.Workload != nil && !listed(f.Client, t.Workload):
		return "service_account", false
	case !pinHolds(f, t, now):
		return "pin", false
	case t.Evidence.Secret != "" && !secretHolds(f.Client, t.Evidence.Secret, now):
		return "secret", false
	case f.Resource == nil || !f.OnResource.OK:
		return "resource", false
	case t.Thumbprint == "" && t.JKT == "" && f.Resource.Spec.TokenBindingPolicy != v1alpha1.TokenBindingOptional:
		return "binding", false
	case len(t.Roles) == 0 && f.Resource.Spec.Assignment != v1alpha1.AssignmentOptional:
		return "assignment", false
	case !slices.ContainsFunc(t.Roles, func(value string) bool { return !granted(f, value, now) }):
		return "", true
	default:
		return "assignment", false
	}
}

// listed says whether the client still lists the workload's service account, and
// takes tokens that are bound as this one was.
func listed(c *v1alpha1.OAuthClient, w *Workload) bool {
	return w.Namespace == c.Namespace && slices.ContainsFunc(c.Spec.Authentication.ServiceAccounts, func(s v1alpha1.ServiceAccountCredential) bool {
		return s.Name == w.ServiceAccount && (w.Pod != "" || s.BoundTo == v1alpha1.BoundToAny && s.Admission != v1alpha1.AdmissionRequired)
	})
}

// pinHolds says whether the certificates of the token's cnf and of its evidence are
// still the client's.
func pinHolds(f Facts, t Issued, now time.Time) bool {
	live := func(thumbprint string) bool {
		_, ok := LivePin(f.Client, f.Certificates, Peer{Thumbprint: thumbprint}, now)
		return ok
	}
	if t.Evidence.Pin != "" && !live(t.Evidence.Pin) {
		return false
	}
	if t.Evidence.Rule == nil {
		return t.Thumbprint == "" || live(t.Thumbprint)
	}
	return !distrusted(f.Client, f.Certificates, t.Thumbprint) && !distrusted(f.Client, f.Certificates, t.Evidence.Leaf) && slices.ContainsFunc(f.Certificates, func(cc *Certificate) bool {
		return cc.subject != nil && cc.of(f.Client) && *ruleOf(cc) == *t.Evidence.Rule
	})
}

// secretHolds says whether the client may still prove itself with the secret: a stolen
// one ends with clientSecret in its spec, or with the second one that follows.
func secretHolds(c *v1alpha1.OAuthClient, id string, now time.Time) bool {
	return c.Spec.Authentication.ClientSecret != nil && slices.ContainsFunc(c.Status.ClientSecrets, func(s v1alpha1.ClientSecretStatus) bool {
		return SecretID(s.Hash) == id && now.Before(s.ExpiresAt.Time)
	})
}

func granted(f Facts, value string, now time.Time) bool {
	return slices.ContainsFunc(f.Roles, func(rf RoleFacts) bool {
		return rf.Role != nil && rf.Role.Spec.Value == value && onResource(rf.Role, f.Resource) &&
			GrantOf(f.Client, f.Namespace, rf.Role, rf.OnRole, rf.Assignments, now).State == v1alpha1.RoleGranted
	})
}

func onResource(role *v1alpha1.AppRole, resource *v1alpha1.ProtectedResource) bool {
	return role.Namespace == resource.Namespace && role.Spec.ResourceRef.Name == resource.Name
}
