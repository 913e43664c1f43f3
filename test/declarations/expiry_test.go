package declarations

import (
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/lanyard-dev/lanyard/api/v1alpha1"
)

// An approval ends when its time has come by the clock: after a sleep of the machine, a
// restart of the controller, or while there was none. Nobody touches any object.
func TestApprovalsEndByTheClock(t *testing.T) {
	shop := env.Namespace(t, map[string]string{"team": "shop"}, nil).Name
	orders := env.Namespace(t, nil, nil).Name
	user := controller(t, shop)
	var clock clock
	start := time.Now()
	clock.set(start)
	var role *v1alpha1.AppRole
	var c *v1alpha1.OAuthClient
	var a *v1alpha1.AppRoleAssignment

	expired := func(t *testing.T) {
		t.Helper()
		awaitRole(t, c, role, v1alpha1.RoleExpired)
		awaitReason(t, a, v1alpha1.ReasonExpired, "set a later time")
	}
	granted := func(t *testing.T) {
		t.Helper()
		awaitRole(t, c, role, v1alpha1.RoleGranted)
		awaitReady(t, a)
	}
	t.Run("the clock jumps past the end, and is set back", func(t *testing.T) {
		runAs(t, user, clock.now, shop, orders)
		role, c = declared(t, shop, orders)
		a = approve("hour", role, c)
		a.Spec.ExpiresAt = &metav1.Time{Time: start.Add(time.Hour)}
		create(t, a)
		granted(t)
		clock.set(start.Add(2 * time.Hour))
		expired(t)
		clock.set(start)
		granted(t)
	})
	t.Run("the controller is another when it ends", func(t *testing.T) {
		runAs(t, user, clock.now, shop, orders)
		granted(t)
		clock.set(start.Add(time.Hour))
		expired(t)
		change(t, a, func(a *v1alpha1.AppRoleAssignment) {
			a.Spec.ExpiresAt = &metav1.Time{Time: start.Add(3 * time.Hour)}
		})
		granted(t)
	})
	t.Run("it ended while there was no controller", func(t *testing.T) {
		clock.set(start.Add(4 * time.Hour))
		runAs(t, user, clock.now, shop, orders)
		expired(t)
	})
}
