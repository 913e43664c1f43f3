package oauthclient

import (
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/lanyard-dev/lanyard/api/v1alpha1"
	"github.com/lanyard-dev/lanyard/controllers/status"
	"github.com/lanyard-dev/lanyard/issuer/rules"
)

// maxRoleMessage is the schema's limit for the message of a role, in bytes.
const maxRoleMessage = 1024

// conclude says what the status becomes.
func conclude(f facts, d decision, now time.Time) v1alpha1.OAuthClientStatus {
	c := f.client
	s := v1alpha1.OAuthClientStatus{
		ObservedGeneration: c.Generation,
		ClientID:           rules.ClientID(c),
		ClientSecrets:      c.Status.ClientSecrets, // those are written by controllers/clientsecret
	}
	granted := 0
	for i, g := range d.grants {
		role := v1alpha1.ClientRoleStatus{
			Namespace:  c.Spec.Roles[i].Namespace,
			Name:       c.Spec.Roles[i].Name,
			State:      g.State,
			Assignment: g.Assignment,
			Message:    status.Cut(g.Message, maxRoleMessage),
		}
		if r := f.roles[i].Role; r != nil {
			role.Value = r.Spec.Value
		}
		if r := f.roles[i].Resource; r != nil {
			role.Identifier = r.Spec.Identifier
		}
		role.DecidedBy = f.roles[i].decidedBy(g.Assignment)
		if !g.ExpiresAt.IsZero() {
			// As fine as the API keeps it, or every look would find a change.
			role.ExpiresAt = &metav1.Time{Time: g.ExpiresAt.Truncate(time.Second)}
		}
		if g.State == v1alpha1.RoleGranted {
			granted++
			role.Message = rules.Obstacle(c, f.roles[i].Resource, f.roles[i].OnResource)
		}
		s.Roles = append(s.Roles, role)
	}
	s.RolesGranted = fmt.Sprintf("%d/%d", granted, len(d.grants))
	s.Conditions = status.Ready(c.Status.Conditions, ready(f, d), c.Generation, now)
	s.Conditions = status.Set(s.Conditions, rolesGranted(s.Roles, granted, c.Generation), now)
	return s
}

// ready is the verdict on the client, and what its owner should know although it works.
func ready(f facts, d decision) rules.Verdict {
	verdict := d.verdict
	if verdict.OK {
		verdict.Message += " as " + rules.ClientID(f.client)
	}
	if verdict.OK && f.sharer != nil {
		verdict.Message += fmt.Sprintf("; requests with a token of service account %s must send client_id, because OAuthClient %s lists it, too", f.account, f.sharer.Name)
	}
	if secret := meta.FindStatusCondition(f.client.Status.Conditions, v1alpha1.ConditionClientSecret); verdict.OK && secret != nil && secret.Status == metav1.ConditionFalse {
		verdict.Message += fmt.Sprintf("; not with a client secret, though (%s): see the condition %s", secret.Reason, v1alpha1.ConditionClientSecret)
	}
	return verdict
}

// severity is the order in which what is not granted is named, the most severe
// first, and the reason of RolesGranted that goes with it.
var severity = [...]struct {
	state  v1alpha1.RoleState
	reason string
}{
	{v1alpha1.RoleNotFound, v1alpha1.ReasonRolesNotFound},
	{v1alpha1.RoleDenied, v1alpha1.ReasonRolesDenied},
	{v1alpha1.RoleExpired, v1alpha1.ReasonRolesExpired},
	{v1alpha1.RolePending, v1alpha1.ReasonRolesPending},
}

// rolesGranted says whether every role is granted, and names the first that most
// needs somebody's attention: if all are granted, one that no token can come of.
func rolesGranted(roles []v1alpha1.ClientRoleStatus, granted int, generation int64) metav1.Condition {
	condition := metav1.Condition{
		Type: v1alpha1.ConditionRolesGranted, Status: metav1.ConditionTrue, ObservedGeneration: generation,
		Reason: v1alpha1.ReasonAllGranted, Message: fmt.Sprintf("%d of %d roles are granted", granted, len(roles)),
	}
	if len(roles) == 0 {
		condition.Reason, condition.Message = v1alpha1.ReasonNoneRequested, "spec.roles asks for no role"
		return condition
	}
	for _, worst := range severity {
		for _, role := range roles {
			if role.State == worst.state {
				condition.Status, condition.Reason = metav1.ConditionFalse, worst.reason
				condition.Message += fmt.Sprintf("; %s/%s is %s: %s", role.Namespace, role.Name, role.State, role.Message)
				return condition
			}
		}
	}
	for _, role := range roles {
		if role.Message != "" {
			condition.Message += fmt.Sprintf("; %s/%s: %s", role.Namespace, role.Name, role.Message)
			break
		}
	}
	return condition
}

// ends are the moments at which a grant ends, or has ended, by itself.
func (d decision) ends() []time.Time {
	var ends []time.Time
	for _, g := range d.grants {
		ends = append(ends, g.ExpiresAt)
	}
	return ends
}
