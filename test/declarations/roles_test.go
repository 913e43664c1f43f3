package declarations

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/lanyard-dev/lanyard/api/v1alpha1"
	"github.com/lanyard-dev/lanyard/test/testenv"
)

// What is declared before the things that it names heals when they come, and breaks
// again when they go.
func TestRolesHealInWhateverOrderTheyAreDeclared(t *testing.T) {
	shop, orders := two(t)
	role := newRole(orders, "read", "orders", "Read")
	c := create(t, newClient(shop, "checkout", role))
	awaitReady(t, c)
	awaitCondition(t, c, v1alpha1.ConditionRolesGranted, v1alpha1.ReasonRolesNotFound, "0 of 1 roles are granted; "+orders+"/read is NotFound")

	a := create(t, approve("checkout-reads", role, c))
	awaitReason(t, a, v1alpha1.ReasonRoleNotFound, `"read"`)
	create(t, role)
	awaitReason(t, role, v1alpha1.ReasonResourceNotFound, `"orders"`)
	awaitReady(t, a)

	resource := create(t, newResource(orders, "orders", "api://"+orders))
	awaitReady(t, resource)
	awaitReady(t, role)
	awaitRole(t, c, role, v1alpha1.RoleGranted)
	awaitCondition(t, c, v1alpha1.ConditionRolesGranted, v1alpha1.ReasonAllGranted, "1 of 1")
	want := v1alpha1.OAuthClientStatus{
		ObservedGeneration: 1, ClientID: shop + "/checkout", RolesGranted: "1/1",
		Roles: []v1alpha1.ClientRoleStatus{{
			Namespace: orders, Name: "read", State: v1alpha1.RoleGranted, Identifier: "api://" + orders, Value: "Read", Assignment: "checkout-reads",
		}},
	}
	got := c.Status
	got.Conditions = nil
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("status (-want +got):\n%s", diff)
	}
	awaitCount(t, a, 1)

	remove(t, resource)
	awaitRole(t, c, role, v1alpha1.RoleNotFound)
	awaitReason(t, role, v1alpha1.ReasonResourceNotFound, "")
	create(t, newResource(orders, "orders", "api://"+orders))
	awaitRole(t, c, role, v1alpha1.RoleGranted)

	remove(t, a)
	awaitRole(t, c, role, v1alpha1.RolePending)
	awaitCondition(t, c, v1alpha1.ConditionRolesGranted, v1alpha1.ReasonRolesPending, "create an AppRoleAssignment in namespace "+orders)

	remove(t, role)
	awaitRole(t, c, role, v1alpha1.RoleNotFound)
}

func awaitCount(t *testing.T, a *v1alpha1.AppRoleAssignment, want int32) {
	t.Helper()
	testenv.Eventually(t, func(ctx context.Context) error {
		if err := env.Client.Get(ctx, client.ObjectKeyFromObject(a), a); err != nil {
			return err
		}
		if ptr.Deref(a.Status.ClientCount, -1) != want {
			return fmt.Errorf("%s speaks of %d clients; want %d", a.Name, ptr.Deref(a.Status.ClientCount, -1), want)
		}
		return nil
	})
}

// declared is a resource with a role and a client that asks for it.
func declared(t *testing.T, shop, orders string) (*v1alpha1.AppRole, *v1alpha1.OAuthClient) {
	t.Helper()
	create(t, newResource(orders, "orders", "api://"+orders))
	role := create(t, newRole(orders, "read", "orders", "Read"))
	c := create(t, newClient(shop, "checkout", role))
	awaitRole(t, c, role, v1alpha1.RolePending)
	return role, c
}

func TestDenialBeatsApproval(t *testing.T) {
	shop, orders := two(t)
	role, c := declared(t, shop, orders)
	create(t, approve("yes", role, c))
	awaitRole(t, c, role, v1alpha1.RoleGranted)
	no := create(t, deny("no", role, c))
	awaitRole(t, c, role, v1alpha1.RoleDenied)
	if c.Status.Roles[0].Assignment != "no" {
		t.Errorf("decided by %q", c.Status.Roles[0].Assignment)
	}
	awaitCondition(t, c, v1alpha1.ConditionRolesGranted, v1alpha1.ReasonRolesDenied, orders+"/no")
	awaitReady(t, c) // Ready never waits for another team
	change(t, no, func(a *v1alpha1.AppRoleAssignment) { a.Spec.Decision = v1alpha1.DecisionApproved })
	awaitRole(t, c, role, v1alpha1.RoleGranted)
}

func TestApprovalEndsWithoutATouch(t *testing.T) {
	shop, orders := two(t)
	role, c := declared(t, shop, orders)
	var a *v1alpha1.AppRoleAssignment
	var end time.Time
	// On a busy machine it may have ended before anybody has looked: the next one lasts longer.
	for lasts := 3 * time.Second; a == nil || c.Status.Roles[0].State == v1alpha1.RoleExpired; lasts *= 2 {
		if a != nil {
			remove(t, a)
			awaitRole(t, c, role, v1alpha1.RolePending)
		}
		a = approve("short", role, c)
		end = time.Now().Add(lasts).Truncate(time.Second)
		a.Spec.ExpiresAt = &metav1.Time{Time: end}
		create(t, a)
		testenv.Eventually(t, func(ctx context.Context) error {
			if err := env.Client.Get(ctx, client.ObjectKeyFromObject(c), c); err != nil {
				return err
			}
			if state := c.Status.Roles[0].State; state != v1alpha1.RoleGranted && state != v1alpha1.RoleExpired {
				return fmt.Errorf("the role is %s", state)
			}
			return nil
		})
		if early := time.Until(end); c.Status.Roles[0].State == v1alpha1.RoleExpired && early > 0 {
			t.Fatalf("expired %s too early", early)
		}
	}
	if got := c.Status.Roles[0].ExpiresAt; got == nil || !got.Time.Equal(end) {
		t.Errorf("expires at %v, want %s", got, end)
	}
	awaitRole(t, c, role, v1alpha1.RoleExpired)
	if early := time.Until(end); early > 0 {
		t.Errorf("expired %s too early", early)
	}
	awaitReason(t, a, v1alpha1.ReasonExpired, "set a later time")
	change(t, a, func(a *v1alpha1.AppRoleAssignment) { a.Spec.ExpiresAt = nil })
	awaitRole(t, c, role, v1alpha1.RoleGranted)
	awaitReady(t, a)
}

func TestSelectorsFollowLabels(t *testing.T) {
	shop, orders := two(t)
	role, c := declared(t, shop, orders)
	a := approve("team", role, nil)
	a.Spec.ClientSelector = &v1alpha1.ClientSelector{
		NamespaceSelector: metav1.LabelSelector{MatchLabels: map[string]string{"team": "shop"}},
		LabelSelector:     &metav1.LabelSelector{MatchLabels: map[string]string{"tier": "gold"}},
	}
	create(t, a)
	awaitReady(t, a)
	awaitRole(t, c, role, v1alpha1.RolePending)

	change(t, c, func(c *v1alpha1.OAuthClient) { c.Labels = map[string]string{"tier": "gold"} })
	awaitRole(t, c, role, v1alpha1.RoleGranted)
	awaitCount(t, a, 1)
	relabel := func(team string) {
		change(t, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: shop}}, func(ns *corev1.Namespace) { ns.Labels["team"] = team })
	}
	relabel("other")
	awaitRole(t, c, role, v1alpha1.RolePending)
	awaitCount(t, a, 0)
	relabel("shop")
	awaitRole(t, c, role, v1alpha1.RoleGranted)

	no := deny("no", role, nil)
	no.Spec.ClientSelector = &v1alpha1.ClientSelector{NamespaceSelector: metav1.LabelSelector{MatchLabels: map[string]string{"team": "shop"}}}
	create(t, no)
	awaitRole(t, c, role, v1alpha1.RoleDenied)
	change(t, c, func(c *v1alpha1.OAuthClient) { c.Labels = nil })
	awaitCount(t, a, 0)
	awaitRole(t, c, role, v1alpha1.RoleDenied) // a denial cannot be labelled away
}

func TestClientThatStopsAskingIsCountedNoMore(t *testing.T) {
	shop, orders := two(t)
	role, c := declared(t, shop, orders)
	a := create(t, approve("yes", role, c))
	awaitRole(t, c, role, v1alpha1.RoleGranted)
	awaitCount(t, a, 1)
	change(t, c, func(c *v1alpha1.OAuthClient) { c.Spec.Roles = nil })
	awaitCondition(t, c, v1alpha1.ConditionRolesGranted, v1alpha1.ReasonNoneRequested, "")
	awaitCount(t, a, 0)
	testenv.Eventually(t, func(ctx context.Context) error {
		if err := env.Client.Get(ctx, client.ObjectKeyFromObject(role), role); err != nil || ptr.Deref(role.Status.GrantedCount, -1) != 0 {
			return fmt.Errorf("the role is granted to %d: %w", ptr.Deref(role.Status.GrantedCount, -1), err)
		}
		return nil
	})
}

// Strangers who ask for a role do not make its owner's object grow.
func TestPendingListsTheFiftyOldest(t *testing.T) {
	shop, orders := two(t)
	create(t, newResource(orders, "orders", "api://"+orders))
	role := create(t, newRole(orders, "read", "orders", "Read"))
	for i := range 60 {
		create(t, newClient(shop, fmt.Sprintf("stranger-%02d", i), role))
	}
	testenv.Eventually(t, func(ctx context.Context) error {
		if err := env.Client.Get(ctx, client.ObjectKeyFromObject(role), role); err != nil {
			return err
		}
		s := role.Status
		if ptr.Deref(s.PendingCount, -1) != 60 || len(s.Pending) != 50 || s.Pending[0].Name != "stranger-00" || s.Pending[49].Name != "stranger-49" {
			return fmt.Errorf("%d wait, %d are listed: %v", ptr.Deref(s.PendingCount, -1), len(s.Pending), s.Pending)
		}
		return nil
	})
}

// A change that leaves the verdict as it was writes nothing, and neither does the
// write of a status itself.
func TestNothingIsWrittenWhereNothingChanged(t *testing.T) {
	shop, orders := two(t)
	role, c := declared(t, shop, orders)
	a := create(t, approve("yes", role, c))
	awaitRole(t, c, role, v1alpha1.RoleGranted)
	awaitCount(t, a, 1)
	version := func(o client.Object) string {
		if err := env.Client.Get(t.Context(), client.ObjectKeyFromObject(o), o); err != nil {
			t.Fatal(err)
		}
		return o.GetResourceVersion()
	}
	before := []string{version(role), version(c)}
	for i := range 5 {
		change(t, a, func(a *v1alpha1.AppRoleAssignment) { a.Spec.Reason = fmt.Sprint("because ", i) })
		awaitReady(t, a) // it has looked at this generation; the others were told at the same time
	}
	// Whatever is still under way comes before what a new object causes.
	other := create(t, newClient(shop, "other"))
	awaitReady(t, other)
	if diff := cmp.Diff(before, []string{version(role), version(c)}); diff != "" {
		t.Errorf("written without need (-before +after):\n%s", diff)
	}
}

// A status that somebody else wrote is put right.
func TestForeignStatusHeals(t *testing.T) {
	shop, orders := two(t)
	role, c := declared(t, shop, orders)
	forged := c.DeepCopy()
	forged.Status.Roles[0].State = v1alpha1.RoleGranted
	if err := env.Client.Status().Patch(t.Context(), forged, client.MergeFrom(c)); err != nil {
		t.Fatal(err)
	}
	awaitRole(t, c, role, v1alpha1.RolePending)
}
