package consent

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/lanyard-dev/lanyard/api/v1alpha1"
)

func TestStanding(t *testing.T) {
	asking := func(state v1alpha1.RoleState, message string) *v1alpha1.OAuthClient {
		c := &v1alpha1.OAuthClient{}
		c.Spec.Roles = []v1alpha1.RoleReference{{Namespace: "orders", Name: "orders-read"}}
		if state != "" {
			c.Status.Roles = []v1alpha1.ClientRoleStatus{
				{Namespace: "orders", Name: "orders-write", State: v1alpha1.RoleGranted},
				{Namespace: "orders", Name: "orders-read", State: state, Message: message},
			}
		}
		return c
	}
	decided := func(seen bool, clients int32) []*v1alpha1.AppRoleAssignment {
		a := said("a", approved, 0, "")
		a.Generation, a.Status.ClientCount = 2, &clients
		if seen {
			a.Status.ObservedGeneration = 2
		}
		return []*v1alpha1.AppRoleAssignment{a}
	}
	tests := map[string]struct {
		decision      v1alpha1.Decision
		client        *v1alpha1.OAuthClient
		decided       []*v1alpha1.AppRoleAssignment
		settled, good bool
		says          string
	}{
		"the role is granted":                             {approved, asking(v1alpha1.RoleGranted, ""), decided(true, 1), true, true, "for client shop/checkout the role is Granted"},
		"it is granted, and no token can come of it":      {approved, asking(v1alpha1.RoleGranted, "tokens are not bound"), decided(true, 1), true, true, "Granted: tokens are not bound"},
		"the client's status is old":                      {approved, asking(v1alpha1.RolePending, "waits"), decided(true, 1), false, false, "Pending: waits"},
		"the decision was not seen":                       {approved, asking(v1alpha1.RoleGranted, ""), decided(false, 0), false, true, "Granted"},
		"the role is denied":                              {denied, asking(v1alpha1.RoleDenied, "by the owner"), decided(true, 1), true, true, "Denied: by the owner"},
		"the client has no status":                        {approved, asking("", ""), decided(true, 1), false, false, ""},
		"the client does not ask":                         {approved, &v1alpha1.OAuthClient{}, decided(false, 0), true, false, "does not ask for the role; the decision holds once its spec.roles has {namespace: orders, name: orders-read}"},
		"unread, and not seen":                            {approved, nil, decided(false, 0), false, false, ""},
		"unread, and the client asks":                     {approved, nil, decided(true, 1), true, true, "asks for the role, and the decision is in force"},
		"unread, and nobody asks, or the name is another": {approved, nil, decided(true, 0), true, false, "no client shop/checkout asks for the role yet"},
	}
	for sentence, test := range tests {
		t.Run(sentence, func(t *testing.T) {
			got := standingOf(wants(test.decision), test.client, test.decided)
			if got.settled != test.settled || got.good != test.good || !strings.Contains(got.text, test.says) || (test.says == "") != (got.text == "") {
				t.Errorf("standing %+v; want settled %t, good %t, saying %q", got, test.settled, test.good, test.says)
			}
		})
	}
}

func TestPendingCountsWhatIsNotListed(t *testing.T) {
	count := int32(53)
	r := v1alpha1.AppRole{ObjectMeta: metav1.ObjectMeta{Namespace: "orders", Name: "orders-read"}}
	r.Spec.ResourceRef.Name, r.Spec.Value = "orders", "Orders.Read.All"
	r.Status.PendingCount = &count
	for range 50 {
		r.Status.Pending = append(r.Status.Pending, v1alpha1.ClientReference{Namespace: "shop", Name: "checkout"})
	}
	got := reportPending([]v1alpha1.AppRole{r, {}})
	if len(got.Pending) != 50 {
		t.Errorf("%d are listed", len(got.Pending))
	}
	if diff := cmp.Diff([]more{{"orders", "orders-read", 3}}, got.More); diff != "" {
		t.Errorf("more (-want +got):\n%s", diff)
	}
	if want := "kubectl lanyard approve shop/checkout orders/orders-read"; got.Pending[0].Approve != want {
		t.Errorf("to approve: %s, want %s", got.Pending[0].Approve, want)
	}
}

func TestTheApprovalThatLastsLongestIsTold(t *testing.T) {
	soon, later, never := said("soon", approved, time.Hour, ""), said("later", approved, 2*time.Hour, ""), said("never", approved, 0, "")
	for want, all := range map[*v1alpha1.AppRoleAssignment][]*v1alpha1.AppRoleAssignment{
		later: {soon, later}, never: {soon, never, later}, soon: {soon},
	} {
		if got := lasting(all); got != want {
			t.Errorf("of %d it is %s; want %s", len(all), got.Name, want.Name)
		}
	}
}
