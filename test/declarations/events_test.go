package declarations

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/lanyard-dev/lanyard/api/v1alpha1"
	"github.com/lanyard-dev/lanyard/test/testenv"
)

// The caller sees it on the client and the API's owner on the role, each with who decided.
// What goes is told, too.
func TestDecisionsAreToldOnBothObjects(t *testing.T) {
	shop, orders := two(t)
	role, c := declared(t, shop, orders)
	told(t, c, corev1.EventTypeNormal, "Ready", "the client can ask for tokens as "+shop+"/checkout")

	yes := approve("yes", role, c)
	yes.Spec.DecidedBy, yes.Spec.Reason = "alice", "checkout shows order history"
	yes.Spec.ExpiresAt = &metav1.Time{Time: time.Date(2999, 1, 1, 0, 0, 0, 0, time.UTC)}
	create(t, yes)
	awaitRole(t, c, role, v1alpha1.RoleGranted)
	if by := c.Status.Roles[0].DecidedBy; by != "alice" {
		t.Errorf("the client's status says that %q decided", by)
	}
	told(t, c, corev1.EventTypeNormal, v1alpha1.EventRoleGranted, orders+"/read is Granted until 2999-01-01T00:00:00Z by alice")
	told(t, role, corev1.EventTypeNormal, v1alpha1.EventApproved, "alice approved "+shop+"/checkout until 2999-01-01T00:00:00Z: checkout shows order history")

	change(t, yes, func(a *v1alpha1.AppRoleAssignment) { a.Spec.DecidedBy, a.Spec.Reason = "carol", "another reason" })
	told(t, role, corev1.EventTypeNormal, v1alpha1.EventApproved, "carol approved "+shop+"/checkout until 2999-01-01T00:00:00Z: another reason")

	no := deny("no", role, c)
	no.Spec.DecidedBy = "bob"
	create(t, no)
	awaitRole(t, c, role, v1alpha1.RoleDenied)
	told(t, c, corev1.EventTypeWarning, v1alpha1.EventRoleDenied, orders+"/read is Denied by bob")
	told(t, role, corev1.EventTypeNormal, v1alpha1.EventDenied, "bob denied "+shop+"/checkout")

	remove(t, no)
	awaitRole(t, c, role, v1alpha1.RoleGranted) // seen on its own: only a loss of what was granted is a Warning
	remove(t, yes)
	awaitRole(t, c, role, v1alpha1.RolePending)
	told(t, c, corev1.EventTypeWarning, v1alpha1.EventRoleWithdrawn, orders+"/read is Pending")
	told(t, role, corev1.EventTypeNormal, v1alpha1.EventDecisionRemoved, "AppRoleAssignment no is gone, which said: bob denied "+shop+"/checkout")
	told(t, role, corev1.EventTypeNormal, v1alpha1.EventDecisionRemoved, "AppRoleAssignment yes is gone, which said: carol approved")
}

// Of a decision that was there before its role the role tells when it comes.
func TestDecisionBeforeItsRoleIsTold(t *testing.T) {
	shop, orders := two(t)
	create(t, newResource(orders, "orders", "api://"+orders))
	role := newRole(orders, "read", "orders", "Read")
	awaitReason(t, create(t, approve("early", role, newClient(shop, "checkout"))), v1alpha1.ReasonRoleNotFound, "")
	create(t, role)
	told(t, role, corev1.EventTypeNormal, "Ready", "the role can be granted; it was decided on before, with AppRoleAssignment early")
}

// told waits until an event about an object was told, once.
func told(t *testing.T, o client.Object, eventType, reason, note string) {
	t.Helper()
	testenv.Eventually(t, func(ctx context.Context) error {
		var events eventsv1.EventList
		if err := env.Client.List(ctx, &events, client.InNamespace(o.GetNamespace())); err != nil {
			return err
		}
		var others []string
		for _, e := range events.Items {
			if e.Regarding.UID != o.GetUID() {
				continue
			}
			if e.Type == eventType && e.Reason == reason && strings.HasPrefix(e.Note, note) {
				if e.Series != nil {
					t.Errorf("event %s was told %d times", e.Reason, e.Series.Count)
				}
				return nil
			}
			others = append(others, e.Type+" "+e.Reason+": "+e.Note)
		}
		return fmt.Errorf("no %s event %s of %s says %q; there are %q", eventType, reason, o.GetName(), note, others)
	})
}
