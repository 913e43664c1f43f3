package declarations

import (
	"context"
	"errors"
	"testing"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/lanyard-dev/lanyard/api/v1alpha1"
	"github.com/lanyard-dev/lanyard/test/testenv"
)

// Creation times are whole seconds, and within one second the names decide: what is
// created later has the later name, too.
const (
	first  = "a-first"
	second = "b-second"
)

// grow waits until what is created next is younger than o also by its time: between
// namespaces a name does not help.
func grow(t *testing.T, o client.Object) {
	t.Helper()
	testenv.Eventually(t, func(context.Context) error {
		if time.Since(o.GetCreationTimestamp().Time) < time.Second {
			return errors.New("its second has not passed")
		}
		return nil
	})
}

func TestClientIDs(t *testing.T) {
	shop, evil := env.Namespace(t, nil, nil).Name, env.Namespace(t, nil, nil).Name
	run(t, shop, evil)
	id := "legacy-" + shop
	claim := func(namespace, name string) *v1alpha1.OAuthClient {
		c := newClient(namespace, name)
		c.Spec.ClientID = id
		return create(t, c)
	}

	thief := claim(evil, second)
	awaitReason(t, thief, v1alpha1.ReasonClientIDNotAllowed, "lanyard.dev/client-ids: "+id)
	grow(t, thief)
	annotate(t, shop, v1alpha1.AnnotationClientIDs, "legacy-*")
	holder := claim(shop, first)
	awaitReady(t, holder) // an older one that is not allowed does not count
	if holder.Status.ClientID != id {
		t.Errorf("client id %q", holder.Status.ClientID)
	}
	next := claim(shop, second)
	awaitReason(t, next, v1alpha1.ReasonConflict, shop+"/"+first)

	remove(t, holder)
	awaitReady(t, next)
	annotate(t, evil, v1alpha1.AnnotationClientIDs, id)
	awaitReady(t, thief) // it is the oldest now
	awaitReason(t, next, v1alpha1.ReasonConflict, evil+"/"+second)
	annotate(t, evil, v1alpha1.AnnotationClientIDs, "")
	awaitReason(t, thief, v1alpha1.ReasonClientIDNotAllowed, "")
	awaitReady(t, next)
}

func TestSuspension(t *testing.T) {
	shop, orders := two(t)
	role, c := declared(t, shop, orders)
	create(t, approve("yes", role, c))
	awaitRole(t, c, role, v1alpha1.RoleGranted)

	annotate(t, shop, v1alpha1.AnnotationSuspend, "true")
	awaitReason(t, c, v1alpha1.ReasonNamespaceSuspended, shop)
	change(t, c, func(c *v1alpha1.OAuthClient) { c.Spec.Suspend = true })
	awaitReason(t, c, v1alpha1.ReasonSuspended, "spec.suspend")
	annotate(t, shop, v1alpha1.AnnotationSuspend, "")
	awaitReason(t, c, v1alpha1.ReasonSuspended, "spec.suspend")
	change(t, c, func(c *v1alpha1.OAuthClient) { c.Spec.Suspend = false })
	awaitReady(t, c)

	resource := newResource(orders, "orders", "")
	change(t, resource, func(r *v1alpha1.ProtectedResource) { r.Spec.Suspend = true })
	awaitReason(t, resource, v1alpha1.ReasonSuspended, "spec.suspend")
	awaitReady(t, role) // no fault of the role
	awaitRole(t, c, role, v1alpha1.RoleGranted)
	change(t, resource, func(r *v1alpha1.ProtectedResource) { r.Spec.Suspend = false })
	awaitReady(t, resource)
}

// Both are told, and each hears of the other's end.
func TestSharedServiceAccountsAreSaid(t *testing.T) {
	shop := env.Namespace(t, nil, nil).Name
	run(t, shop)
	share := func(name string) *v1alpha1.OAuthClient {
		c := newClient(shop, name)
		c.Spec.Authentication.ServiceAccounts = append(c.Spec.Authentication.ServiceAccounts, v1alpha1.ServiceAccountCredential{Name: "shared"})
		return create(t, c)
	}
	a := share(first)
	awaitReason(t, a, v1alpha1.ReasonReady, "")
	b := share(second)
	const says = "with a token of service account shared must send client_id, because OAuthClient "
	awaitReason(t, a, v1alpha1.ReasonReady, says+second)
	awaitReason(t, b, v1alpha1.ReasonReady, says+first)
	change(t, b, func(c *v1alpha1.OAuthClient) {
		c.Spec.Authentication.ServiceAccounts = c.Spec.Authentication.ServiceAccounts[:1]
	})
	alone := "the client can ask for tokens as " + shop + "/"
	for _, c := range []*v1alpha1.OAuthClient{a, b} {
		testenv.Eventually(t, func(ctx context.Context) error {
			if err := env.Client.Get(ctx, client.ObjectKeyFromObject(c), c); err != nil {
				return err
			}
			if got := c.Status.Conditions[0].Message; got != alone+c.Name {
				return errors.New(got)
			}
			return nil
		})
	}
}

func TestIdentifiers(t *testing.T) {
	shop, orders, evil := env.Namespace(t, nil, nil).Name, env.Namespace(t, nil, nil).Name, env.Namespace(t, nil, nil).Name
	run(t, shop, orders, evil)

	awaitReady(t, create(t, newResource(orders, "own", "https://api."+orders+".svc.cluster.local:8443/v2")))
	awaitReason(t, create(t, newResource(orders, "odd", "api://"+orders+"/a/../b")), v1alpha1.ReasonIdentifierNotCanonical, "canonical")
	awaitReason(t, create(t, newResource(evil, "theft", "api://"+orders)), v1alpha1.ReasonIdentifierNotAllowed, "use api://"+evil)

	identifier := "https://example.com/" + orders
	thief := create(t, newResource(evil, "example", identifier))
	awaitReason(t, thief, v1alpha1.ReasonIdentifierNotAllowed, "lanyard.dev/identifiers: "+identifier)
	grow(t, thief)
	holder := create(t, newResource(orders, first, identifier))
	awaitReason(t, holder, v1alpha1.ReasonIdentifierNotAllowed, "")
	annotate(t, orders, v1alpha1.AnnotationIdentifiers, "https://example.com/*")
	awaitReady(t, holder)
	next := create(t, newResource(orders, second, identifier))
	awaitReason(t, next, v1alpha1.ReasonConflict, orders+"/"+first)

	// What rests on a resource follows it, through conflict and policy.
	role := create(t, newRole(orders, "read", second, "Read"))
	c := create(t, newClient(shop, "checkout", role))
	create(t, approve("yes", role, c))
	awaitReason(t, role, v1alpha1.ReasonResourceNotReady, "Conflict")
	awaitRole(t, c, role, v1alpha1.RoleNotFound)
	remove(t, holder)
	awaitReady(t, next)
	awaitReady(t, role)
	awaitRole(t, c, role, v1alpha1.RoleGranted)
	annotate(t, orders, v1alpha1.AnnotationIdentifiers, "")
	awaitReason(t, next, v1alpha1.ReasonIdentifierNotAllowed, "")
	awaitRole(t, c, role, v1alpha1.RoleNotFound)
	annotate(t, evil, v1alpha1.AnnotationIdentifiers, identifier)
	awaitReady(t, thief)
	annotate(t, orders, v1alpha1.AnnotationIdentifiers, identifier)
	awaitReason(t, next, v1alpha1.ReasonConflict, evil+"/example")
	awaitRole(t, c, role, v1alpha1.RoleNotFound)
	annotate(t, evil, v1alpha1.AnnotationIdentifiers, "")
	awaitRole(t, c, role, v1alpha1.RoleGranted)
}

func TestRoleValues(t *testing.T) {
	shop, orders := two(t)
	create(t, newResource(orders, "orders", "api://"+orders))
	holder := create(t, newRole(orders, first, "orders", "Read"))
	awaitReady(t, holder)
	next := create(t, newRole(orders, second, "orders", "Read"))
	awaitReason(t, next, v1alpha1.ReasonConflict, orders+"/"+first)
	awaitReady(t, create(t, newRole(orders, "other-value", "orders", "Write")))

	c := create(t, newClient(shop, "checkout", next))
	create(t, approve("yes", next, c))
	awaitRole(t, c, next, v1alpha1.RoleNotFound)
	remove(t, holder)
	awaitReady(t, next)
	awaitRole(t, c, next, v1alpha1.RoleGranted)
}

// An object that is deleted and made again under its name is another one.
func TestReplacedObjects(t *testing.T) {
	shop, orders := two(t)
	role, c := declared(t, shop, orders)
	create(t, approve("yes", role, c))
	awaitRole(t, c, role, v1alpha1.RoleGranted)
	remove(t, role)
	role = create(t, newRole(orders, "read", "another", "Read"))
	awaitReason(t, role, v1alpha1.ReasonResourceNotFound, "another")
	awaitRole(t, c, role, v1alpha1.RoleNotFound)
}
