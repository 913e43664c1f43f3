package declarations

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/lanyard-dev/lanyard/api/v1alpha1"
	"github.com/lanyard-dev/lanyard/controllers/index"
	"github.com/lanyard-dev/lanyard/test/testenv"
)

// crowd is how many clients ask for one role.
const crowd = 300

// Hundreds of clients ask for one role. Each change costs each object whose status
// it changes at most a status and an event, and the role next to nothing while they come;
// a controller that starts in that world writes nothing at all.
func TestRefusesToStormTheAPIServer(t *testing.T) {
	shop := env.Namespace(t, map[string]string{"team": "shop"}, nil).Name
	orders := env.Namespace(t, nil, nil).Name
	user := controller(t, shop)
	config, writes := counted(user)
	runAs(t, config, time.Now, shop, orders)
	resource := create(t, newResource(orders, "orders", "api://"+orders))
	role := create(t, newRole(orders, "read", "orders", "Read"))
	awaitReady(t, role)
	writes.atMostTwo(t, "a role on a resource")

	measure := func(change string, act func(), state v1alpha1.RoleState) map[string]int {
		t.Helper()
		begun := time.Now()
		act()
		awaitCrowd(t, shop, role, state)
		took := time.Since(begun)
		about, sum := writes.since(t)
		t.Logf("%s: %d writes, %d of them about the role; seen everywhere after %s", change, sum, about["approles "+orders+"/read"], took.Round(time.Millisecond))
		for object, n := range about {
			if n > 2 && object != "approles "+orders+"/read" {
				t.Errorf("%s: %d writes about %s; want at most 2", change, n, object)
			}
		}
		return about
	}
	roleOnce := func(change string, about map[string]int) {
		t.Helper()
		if n := about["approles "+orders+"/read"]; n > 2 {
			t.Errorf("%s: %d writes about the role; want at most 2", change, n)
		}
	}

	begun := time.Now()
	about := measure("the clients come", func() { createCrowd(t, shop, role) }, v1alpha1.RolePending)
	if n, most := about["approles "+orders+"/read"], int(time.Since(begun)/index.Breath)+1; n > most {
		t.Errorf("%d clients cost their role %d writes; want at most %d, one each %s", crowd, n, most, index.Breath)
	}
	awaitOwnersSideStaysSmall(t, role)

	approval := approve("team", role, nil)
	approval.Spec.ClientSelector = &v1alpha1.ClientSelector{NamespaceSelector: metav1.LabelSelector{MatchLabels: map[string]string{"team": "shop"}}}
	relabel := func(team string) {
		change(t, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: shop}}, func(ns *corev1.Namespace) { ns.Labels["team"] = team })
	}
	for _, step := range []struct {
		change string
		act    func()
		state  v1alpha1.RoleState
	}{
		{"one assignment approves them all", func() { create(t, approval) }, v1alpha1.RoleGranted},
		{"the role is deleted", func() { remove(t, role) }, v1alpha1.RoleNotFound},
		{"it is made again", func() { role = create(t, newRole(orders, "read", "orders", "Read")) }, v1alpha1.RoleGranted},
		{"their namespace is labelled otherwise", func() { relabel("other") }, v1alpha1.RolePending},
		{"the resource is deleted", func() { remove(t, resource) }, v1alpha1.RoleNotFound},
	} {
		roleOnce(step.change, measure(step.change, step.act, step.state))
	}
	startsWithoutAWrite(t, shop, orders)
}

// startsWithoutAWrite starts another controller, which finds everything as it should be.
func startsWithoutAWrite(t *testing.T, shop, orders string) {
	t.Helper()
	before, begun := reconciles(t, "oauthclient"), time.Now()
	config, writes := counted(controller(t, orders))
	runAs(t, config, time.Now, shop, orders)
	testenv.EventuallyWithin(t, 3*time.Minute, func(context.Context) error {
		if n := reconciles(t, "oauthclient") - before; n < crowd {
			return fmt.Errorf("%d clients were looked at", n)
		}
		return nil
	})
	t.Logf("a controller that starts has looked at %d clients after %s", crowd, time.Since(begun).Round(time.Millisecond))
	if about, sum := writes.since(t); sum != 0 {
		t.Errorf("a controller that starts writes %d times where nothing has changed: %v", sum, about)
	}
}

func createCrowd(t *testing.T, namespace string, role *v1alpha1.AppRole) {
	t.Helper()
	var hands sync.WaitGroup
	const many = 8
	for hand := range many {
		hands.Go(func() {
			for i := hand; i < crowd; i += many {
				if err := env.Client.Create(t.Context(), newClient(namespace, fmt.Sprintf("client-%04d", i), role)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	hands.Wait()
}

// awaitCrowd waits until both sides say that the role of all clients stands so.
func awaitCrowd(t *testing.T, namespace string, role *v1alpha1.AppRole, state v1alpha1.RoleState) {
	t.Helper()
	granted, pending := int32(0), int32(0)
	switch state {
	case v1alpha1.RoleGranted:
		granted = crowd
	case v1alpha1.RolePending:
		pending = crowd
	default:
	}
	look := func(ctx context.Context) error {
		err := env.Client.Get(ctx, client.ObjectKeyFromObject(role), role)
		if client.IgnoreNotFound(err) != nil {
			return err
		}
		if err == nil && (ptr.Deref(role.Status.GrantedCount, -1) != granted || ptr.Deref(role.Status.PendingCount, -1) != pending) {
			return fmt.Errorf("the role counts %d and %d", ptr.Deref(role.Status.GrantedCount, -1), ptr.Deref(role.Status.PendingCount, -1))
		}
		var list v1alpha1.OAuthClientList
		if err := env.Client.List(ctx, &list, client.InNamespace(namespace)); err != nil {
			return err
		}
		for _, c := range list.Items {
			if len(c.Status.Roles) != 1 || c.Status.Roles[0].State != state {
				return fmt.Errorf("%s: %+v; want %s", c.Name, c.Status.Roles, state)
			}
		}
		return nil
	}
	// A look at a thousand objects is work for the API server, too: not at each beat.
	var looked time.Time
	var found error
	testenv.EventuallyWithin(t, 3*time.Minute, func(ctx context.Context) error {
		if time.Since(looked) > 200*time.Millisecond {
			found = look(ctx)
			looked = time.Now()
		}
		return found
	})
}

// awaitOwnersSideStaysSmall looks at the role as its owner has it.
func awaitOwnersSideStaysSmall(t *testing.T, role *v1alpha1.AppRole) {
	t.Helper()
	if len(role.Status.Pending) != 50 {
		t.Errorf("%d who wait are listed; want 50", len(role.Status.Pending))
	}
	data, err := json.Marshal(role)
	if err != nil {
		t.Fatal(err)
	}
	if len(data) > 16<<10 { // with who wrote which field
		t.Errorf("the role of a crowd takes %d bytes; want at most 16 KiB", len(data))
	}
}
