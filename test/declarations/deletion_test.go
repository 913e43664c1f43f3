package declarations

import (
	"context"
	"fmt"
	"slices"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/lanyard-dev/lanyard/api/v1alpha1"
	"github.com/lanyard-dev/lanyard/issuer/oauth"
	"github.com/lanyard-dev/lanyard/test/testenv"
)

// story is a client with a pinned certificate that has a role, at the issuer and in
// status.
type story struct {
	issuer     issuer
	shop       string
	orders     string
	identifier string
	role       *v1alpha1.AppRole
	client     *v1alpha1.OAuthClient
	approval   *v1alpha1.AppRoleAssignment
	pinned     *v1alpha1.ClientCertificate
}

func granted(t *testing.T) story {
	t.Helper()
	shop, orders := two(t)
	s := story{issuer: newIssuer(t), shop: shop, orders: orders, identifier: "api://" + orders}
	s.role, s.client = declared(t, shop, orders)
	s.pinned = pin(t, s.client)
	s.approval = create(t, approve("yes", s.role, s.client))
	awaitRole(t, s.client, s.role, v1alpha1.RoleGranted)
	s.issuer.awaitRoles(t, shop+"/checkout", s.identifier, "Read")
	return s
}

// A tenant whose client was deleted keeps it readable with a finalizer.
func TestRefusesADeletedClientThatAFinalizerHolds(t *testing.T) {
	s := granted(t)
	release := hold(t, s.client)
	s.issuer.awaitRefusal(t, s.shop+"/checkout", s.identifier, oauth.ErrIdentity)
	awaitNobody(t, s.role)
	awaitCount(t, s.approval, 0)
	release()
	s.issuer.awaitRefusal(t, s.shop+"/checkout", s.identifier, oauth.ErrIdentity)
}

// awaitNobody waits until a role is granted to nobody, and nobody waits for it.
func awaitNobody(t *testing.T, role *v1alpha1.AppRole) {
	t.Helper()
	testenv.Eventually(t, func(ctx context.Context) error {
		if err := env.Client.Get(ctx, client.ObjectKeyFromObject(role), role); err != nil {
			return err
		}
		s := role.Status
		if s.GrantedCount == nil || *s.GrantedCount != 0 || s.PendingCount == nil || *s.PendingCount != 0 {
			return fmt.Errorf("role: %+v; want nobody", s)
		}
		return nil
	})
}

// What a deleted client holds is free for the next at once, and the two never have
// it together.
func TestRefusesADeletedClientItsClientID(t *testing.T) {
	shop, orders := two(t)
	i := newIssuer(t)
	id := "legacy-" + shop
	annotate(t, shop, v1alpha1.AnnotationClientIDs, id)
	role, _ := declared(t, shop, orders)
	claim := func(name string) *v1alpha1.OAuthClient {
		c := newClient(shop, name, role)
		c.Spec.ClientID = id
		return create(t, c)
	}
	holder := claim(first)
	awaitReady(t, holder)
	next := claim(second)
	awaitReason(t, next, v1alpha1.ReasonConflict, shop+"/"+first)
	pin(t, next)
	create(t, approve("yes", role, next))
	i.awaitRefusal(t, id, "api://"+orders, oauth.ErrIdentity) // the older one has no certificate

	release := hold(t, holder)
	awaitReady(t, next)
	i.awaitRoles(t, id, "api://"+orders, "Read")
	release()
	awaitReady(t, next)
}

func TestRefusesADeletedResourceThatAFinalizerHolds(t *testing.T) {
	s := granted(t)
	release := hold(t, newResource(s.orders, "orders", ""))
	s.issuer.awaitRefusal(t, s.shop+"/checkout", s.identifier, oauth.ErrNoSuchScope)
	awaitReason(t, s.role, v1alpha1.ReasonResourceNotFound, "")
	awaitRole(t, s.client, s.role, v1alpha1.RoleNotFound)

	next := create(t, newResource(s.orders, "next", s.identifier))
	awaitReady(t, next)
	create(t, newRole(s.orders, "next", "next", "Next"))
	change(t, s.client, func(c *v1alpha1.OAuthClient) { c.Spec.Roles[0].Name = "next" })
	create(t, approve("next", newRole(s.orders, "next", "", ""), s.client))
	s.issuer.awaitRoles(t, s.shop+"/checkout", s.identifier, "Next")
	release()
}

func TestRefusesADeletedRoleThatAFinalizerHolds(t *testing.T) {
	s := granted(t)
	release := hold(t, s.role.DeepCopy())
	s.issuer.awaitRefusal(t, s.shop+"/checkout", s.identifier, oauth.ErrNoSuchScope)
	awaitReason(t, s.approval, v1alpha1.ReasonRoleNotFound, "")
	testenv.Eventually(t, func(ctx context.Context) error {
		if err := env.Client.Get(ctx, client.ObjectKeyFromObject(s.client), s.client); err != nil || s.client.Status.Roles[0].State != v1alpha1.RoleNotFound {
			return fmt.Errorf("client: %+v, %w", s.client.Status.Roles, err)
		}
		return nil
	})
	awaitReady(t, create(t, newRole(s.orders, "next", "orders", "Read"))) // its value is free
	release()
}

func TestRefusesADeletedCertificateThatAFinalizerHolds(t *testing.T) {
	s := granted(t)
	release := hold(t, s.pinned)
	s.issuer.awaitRefusal(t, s.shop+"/checkout", s.identifier, oauth.ErrIdentity)
	release()
	s.issuer.awaitRefusal(t, s.shop+"/checkout", s.identifier, oauth.ErrIdentity)
}

func TestRefusesADeletedApprovalThatAFinalizerHolds(t *testing.T) {
	s := granted(t)
	release := hold(t, s.approval)
	s.issuer.awaitRefusal(t, s.shop+"/checkout", s.identifier, oauth.ErrNoSuchScope)
	awaitRole(t, s.client, s.role, v1alpha1.RolePending)
	release()
	awaitRole(t, s.client, s.role, v1alpha1.RolePending)
}

// A denial must not be ended early by being deleted slowly.
func TestADenialHoldsUntilItIsGone(t *testing.T) {
	s := granted(t)
	no := create(t, deny("no", s.role, s.client))
	s.issuer.awaitRefusal(t, s.shop+"/checkout", s.identifier, oauth.ErrNoSuchScope)
	awaitRole(t, s.client, s.role, v1alpha1.RoleDenied)

	release := hold(t, no)
	awaitReady(t, no) // its status still speaks: the controllers have seen the deletion
	s.sees(t)
	s.issuer.awaitRefusal(t, s.shop+"/checkout", s.identifier, oauth.ErrNoSuchScope)
	awaitRole(t, s.client, s.role, v1alpha1.RoleDenied)

	release()
	s.issuer.awaitRoles(t, s.shop+"/checkout", s.identifier, "Read")
	awaitRole(t, s.client, s.role, v1alpha1.RoleGranted)
}

// sees waits until the issuer has seen every assignment as it is now: assignments
// come in order, and the newest one gives another client a role.
func (s story) sees(t *testing.T) {
	t.Helper()
	mark := create(t, newClient(s.shop, "mark", s.role))
	pin(t, mark)
	create(t, approve("mark", s.role, mark))
	s.issuer.awaitRoles(t, s.shop+"/mark", s.identifier, "Read")
	remove(t, mark)
	awaitCount(t, s.approval, 1)
	testenv.Eventually(t, func(ctx context.Context) error {
		if err := env.Client.Get(ctx, client.ObjectKeyFromObject(s.role), s.role); err != nil || *s.role.Status.GrantedCount != 0 {
			return fmt.Errorf("role: %+v, %w", s.role.Status, err)
		}
		return nil
	})
}

// Labels are their owner's claim: a client that takes off, or puts on, a label stays
// denied. A second role, which is approved by label, shows that the change was seen.
func TestRefusesADenialLabelledAway(t *testing.T) {
	s := granted(t)
	byLabel := create(t, newRole(s.orders, "labelled", "orders", "Labelled"))
	gold := approve("gold", byLabel, nil)
	gold.Spec.ClientSelector = &v1alpha1.ClientSelector{
		NamespaceSelector: metav1.LabelSelector{MatchLabels: map[string]string{"team": "shop"}},
		LabelSelector:     &metav1.LabelSelector{MatchLabels: map[string]string{"tier": "gold"}},
	}
	create(t, gold)
	no := deny("no", s.role, nil)
	no.Spec.ClientSelector = &v1alpha1.ClientSelector{NamespaceSelector: metav1.LabelSelector{MatchLabels: map[string]string{"team": "shop"}}}

	labelled := no.DeepCopy()
	labelled.Spec.ClientSelector.LabelSelector = &metav1.LabelSelector{MatchLabels: map[string]string{"tier": "bronze"}}
	if err := env.Client.Create(t.Context(), labelled); err == nil {
		t.Error("a denial that looks at the client's own labels was accepted")
	}
	create(t, no)
	s.issuer.awaitRefusal(t, s.shop+"/checkout", s.identifier, oauth.ErrNoSuchScope)

	change(t, s.client, func(c *v1alpha1.OAuthClient) {
		c.Spec.Roles = append(c.Spec.Roles, v1alpha1.RoleReference{Namespace: s.orders, Name: "labelled"})
	})
	for name, labels := range map[string]map[string]string{
		"a label more":         {"tier": "gold"},
		"labels that say away": {"tier": "gold", "lanyard.dev/denied": "false", "team": "other"},
	} {
		change(t, s.client, func(c *v1alpha1.OAuthClient) { c.Labels = labels })
		s.issuer.awaitRoles(t, s.shop+"/checkout", s.identifier, "Labelled") // and not Read
		awaitStates(t, s.client, name, v1alpha1.RoleDenied, v1alpha1.RoleGranted)
		change(t, s.client, func(c *v1alpha1.OAuthClient) { c.Labels = nil })
		s.issuer.awaitRefusal(t, s.shop+"/checkout", s.identifier, oauth.ErrNoSuchScope)
		awaitStates(t, s.client, name+", taken off", v1alpha1.RoleDenied, v1alpha1.RolePending)
	}
}

// awaitStates waits until the client's status says this of its roles, in order.
func awaitStates(t *testing.T, c *v1alpha1.OAuthClient, when string, want ...v1alpha1.RoleState) {
	t.Helper()
	testenv.Eventually(t, func(ctx context.Context) error {
		if err := env.Client.Get(ctx, client.ObjectKeyFromObject(c), c); err != nil {
			return err
		}
		var got []v1alpha1.RoleState
		for _, r := range c.Status.Roles {
			got = append(got, r.State)
		}
		if !slices.Equal(got, want) {
			return fmt.Errorf("%s: the client's roles are %v; want %v", when, got, want)
		}
		return nil
	})
}
