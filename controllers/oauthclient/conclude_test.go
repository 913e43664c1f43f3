package oauthclient

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/lanyard-dev/lanyard/api/v1alpha1"
	"github.com/lanyard-dev/lanyard/controllers/index"
	"github.com/lanyard-dev/lanyard/issuer/rules"
)

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// asking is a client that asks for so many roles, all of which work, with an
// assignment each where there is one.
func asking(assignments ...*v1alpha1.AppRoleAssignment) facts {
	c := &v1alpha1.OAuthClient{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "checkout", Generation: 3}}
	f := facts{client: c, holder: c, namespace: rules.ParseNamespace("shop", nil, nil)}
	for i, a := range assignments {
		name := string(rune('a' + i))
		c.Spec.Roles = append(c.Spec.Roles, v1alpha1.RoleReference{Namespace: "orders", Name: name})
		role := &v1alpha1.AppRole{ObjectMeta: metav1.ObjectMeta{Namespace: "orders", Name: name}}
		facts := roleFacts{RoleFacts: index.RoleFacts{
			Role: role, Holder: role, Resource: &v1alpha1.ProtectedResource{}, OnResource: rules.Verdict{OK: true},
		}}
		if a != nil {
			a.Spec.RoleRef.Name = name
			facts.assignments = append(facts.assignments, a)
		}
		f.roles = append(f.roles, facts)
	}
	return f
}

func assignment(decision v1alpha1.Decision, ends time.Duration) *v1alpha1.AppRoleAssignment {
	a := &v1alpha1.AppRoleAssignment{ObjectMeta: metav1.ObjectMeta{Namespace: "orders", Name: "x"}}
	a.Spec.ClientRef = &v1alpha1.ClientReference{Namespace: "shop", Name: "checkout"}
	a.Spec.Decision = decision
	if ends != 0 {
		a.Spec.ExpiresAt = &metav1.Time{Time: noon.Add(ends)}
	}
	return a
}

func TestRolesGranted(t *testing.T) {
	yes := func(ends time.Duration) *v1alpha1.AppRoleAssignment {
		return assignment(v1alpha1.DecisionApproved, ends)
	}
	no := func() *v1alpha1.AppRoleAssignment { return assignment(v1alpha1.DecisionDenied, 0) }
	lost := func(f facts) facts { f.roles[len(f.roles)-1].Role = nil; return f }
	tests := map[string]struct {
		facts                  facts
		reason, count, message string
		wake                   time.Duration
	}{
		"a client that asks for nothing":                             {asking(), v1alpha1.ReasonNoneRequested, "0/0", "spec.roles asks for no role", 0},
		"every role is granted":                                      {asking(yes(0), yes(0)), v1alpha1.ReasonAllGranted, "2/2", "2 of 2 roles are granted", 0},
		"the first that ends is waited for":                          {asking(yes(50*time.Minute), yes(20*time.Minute), yes(0)), v1alpha1.ReasonAllGranted, "3/3", "3 of 3 roles are granted", 20 * time.Minute},
		"timers are trusted for an hour":                             {asking(yes(1000 * time.Hour)), v1alpha1.ReasonAllGranted, "1/1", "1 of 1 roles are granted", time.Hour},
		"one waits":                                                  {asking(yes(0), nil), v1alpha1.ReasonRolesPending, "1/2", "1 of 2 roles are granted; orders/b is Pending: waits for the API's owner to create an AppRoleAssignment in namespace orders for role b", 0},
		"what has expired is worse than waiting":                     {asking(nil, yes(-time.Minute)), v1alpha1.ReasonRolesExpired, "0/2", "0 of 2 roles are granted; orders/b is Expired: the approval in AppRoleAssignment orders/x has expired; ask the API's owner to renew it", 0},
		"a denial is worse than what has expired":                    {asking(yes(-time.Minute), no()), v1alpha1.ReasonRolesDenied, "0/2", "0 of 2 roles are granted; orders/b is Denied: the API's owner denied the role with AppRoleAssignment orders/x", 0},
		"a role that is not there is worst, as no decision heals it": {lost(asking(no(), nil)), v1alpha1.ReasonRolesNotFound, "0/2", "0 of 2 roles are granted; orders/b is NotFound: there is no such AppRole; correct spec.roles, or have the API's owner create it", 0},
	}
	for sentence, test := range tests {
		t.Run(sentence, func(t *testing.T) {
			d := decide(test.facts, noon)
			s := conclude(test.facts, d, noon)
			want := []metav1.Condition{
				{Type: "Ready", Status: "True", Reason: "Ready", Message: "the client can ask for tokens as shop/checkout", ObservedGeneration: 3, LastTransitionTime: metav1.NewTime(noon)},
				{Type: "RolesGranted", Status: "False", Reason: test.reason, Message: test.message, ObservedGeneration: 3, LastTransitionTime: metav1.NewTime(noon)},
			}
			if test.reason == v1alpha1.ReasonAllGranted || test.reason == v1alpha1.ReasonNoneRequested {
				want[1].Status = "True"
			}
			if diff := cmp.Diff(want, s.Conditions); diff != "" {
				t.Errorf("conditions (-want +got):\n%s", diff)
			}
			if s.RolesGranted != test.count {
				t.Errorf("rolesGranted %q, want %q", s.RolesGranted, test.count)
			}
			if wake := index.Wake(noon, d.ends()...); wake != test.wake {
				t.Errorf("looks again after %s, want %s", wake, test.wake)
			}
		})
	}
}

// A status that was written and read again is found unchanged: times of the spec may
// be finer than those that the API keeps.
func TestConcludeIsStable(t *testing.T) {
	f := asking(assignment(v1alpha1.DecisionApproved, time.Hour+123*time.Millisecond))
	s := conclude(f, decide(f, noon), noon)
	if got := s.Roles[0].ExpiresAt; !got.Time.Equal(noon.Add(time.Hour)) {
		t.Errorf("expires at %s", got)
	}
	f.client.Status = s
	later := noon.Add(time.Minute)
	if diff := cmp.Diff(s, conclude(f, decide(f, later), later)); diff != "" {
		t.Errorf("a minute later (-before +after):\n%s", diff)
	}
}

// Ready is the client's; that one of its ways to authenticate does not work is said
// beside it.
func TestConcludeSaysThatTheSecretDoesNotWork(t *testing.T) {
	c := &v1alpha1.OAuthClient{Status: v1alpha1.OAuthClientStatus{Conditions: []metav1.Condition{{
		Type: v1alpha1.ConditionClientSecret, Status: metav1.ConditionFalse, Reason: v1alpha1.ReasonClientSecretsDisabled,
	}}}}
	for _, works := range []bool{true, false} {
		got := ready(facts{client: c}, decision{verdict: rules.Verdict{OK: works, Message: "x"}})
		if strings.Contains(got.Message, v1alpha1.ReasonClientSecretsDisabled) != works {
			t.Errorf("a client that works (%t) reads: %s", works, got.Message)
		}
	}
}

// The status has a second writer, whose part stays as it is.
func TestConcludeLeavesClientSecretsAlone(t *testing.T) {
	f := asking()
	secrets := []v1alpha1.ClientSecretStatus{{Hash: "sha256:x", CreatedAt: metav1.NewTime(noon), ExpiresAt: metav1.NewTime(noon)}}
	condition := metav1.Condition{Type: v1alpha1.ConditionClientSecret, Status: metav1.ConditionTrue, Reason: v1alpha1.ReasonClientSecretIssued, LastTransitionTime: metav1.NewTime(noon)}
	f.client.Status.ClientSecrets, f.client.Status.Conditions = secrets, []metav1.Condition{condition}
	s := conclude(f, decide(f, noon), noon)
	if diff := cmp.Diff(secrets, s.ClientSecrets); diff != "" {
		t.Errorf("clientSecrets (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(condition, s.Conditions[0]); diff != "" {
		t.Errorf("the condition (-want +got):\n%s", diff)
	}
}
