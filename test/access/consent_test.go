package access

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/lanyard-dev/lanyard/api/v1alpha1"
	"github.com/lanyard-dev/lanyard/test/testenv"
)

// story is an API of one namespace, and a client of another whose admin is Mallory.
type story struct {
	orders, shop string
	mallory      client.Client
	checkout     *unstructured.Unstructured
}

// labelled is the role that a client of the shop has as soon as it says of itself that
// it is gold: it shows when the controller has seen a change.
const labelled = "labelled"

func newStory(t *testing.T, decision string) story {
	t.Helper()
	s := story{orders: namespace(t), shop: namespace(t)}
	s.mallory = owner(t, "mallory-"+s.shop, "admin", s.shop)
	create(t, object("ProtectedResource", s.orders, "orders", spec{"identifier": "api://" + s.orders}))
	inShop := spec{"matchLabels": spec{"kubernetes.io/metadata.name": s.shop}}
	elsewhere := spec{"matchLabels": spec{"team": "gold"}}
	gold := spec{"matchLabels": spec{"tier": "gold"}}
	for role, selector := range map[string]spec{
		"orders-read": {"namespaceSelector": elsewhere, "labelSelector": gold},
		labelled:      {"namespaceSelector": inShop, "labelSelector": gold},
	} {
		create(t, object("AppRole", s.orders, role, spec{"resourceRef": spec{"name": "orders"}, "value": role}))
		create(t, object("AppRoleAssignment", s.orders, role, spec{"roleRef": spec{"name": role}, "decision": "Approved", "clientSelector": selector}))
	}
	if decision == "Denied" {
		create(t, object("AppRoleAssignment", s.orders, "yes", s.decides("Approved", spec{"clientRef": spec{"namespace": s.shop, "name": "checkout"}})))
		create(t, object("AppRoleAssignment", s.orders, "no", s.decides("Denied", spec{"clientSelector": spec{"namespaceSelector": inShop}})))
	}
	s.checkout = s.client("checkout")
	if err := s.mallory.Create(t.Context(), s.checkout.DeepCopy()); err != nil {
		t.Fatal(err)
	}
	return s
}

func (s story) decides(decision string, subject spec) spec {
	out := spec{"roleRef": spec{"name": "orders-read"}, "decision": decision}
	maps.Copy(out, subject)
	return out
}

func (s story) client(name string) *unstructured.Unstructured {
	return object("OAuthClient", s.shop, name, spec{
		"authentication": spec{"serviceAccounts": []any{spec{"name": "checkout"}}},
		"roles":          []any{spec{"namespace": s.orders, "name": "orders-read"}, spec{"namespace": s.orders, "name": labelled}},
	})
}

// stays labels the client, in every way and whatever the labels say, and fails if that
// changes how orders-read stands.
func (s story) stays(t *testing.T, state v1alpha1.RoleState) {
	t.Helper()
	s.awaitStates(t, state, v1alpha1.RolePending)
	labels := spec{
		"tier": "gold", "team": "gold", "kubernetes.io/metadata.name": s.orders,
		"lanyard.dev/denied": "false", "lanyard.dev/approved": "true", "lanyard.dev/roles": "orders-read",
	}
	for w, label := range map[way]func(value spec) error{
		merges: func(value spec) error {
			body := encode(t, spec{"metadata": spec{"labels": value, "annotations": value}})
			return s.mallory.Patch(t.Context(), s.checkout.DeepCopy(), client.RawPatch(types.MergePatchType, body))
		},
		updates: func(value spec) error {
			for {
				now := stored(t, s.checkout)
				now.SetLabels(nil)
				if value != nil {
					now.Object["metadata"].(spec)["labels"] = value
				}
				if err := s.mallory.Update(t.Context(), now); !apierrors.IsConflict(err) {
					return err
				}
			}
		},
		applies: func(value spec) error {
			o := s.client("checkout")
			if value != nil {
				o.Object["metadata"].(spec)["labels"] = value
			}
			return apply(t, s.mallory, o)
		},
		recreates: func(value spec) error {
			o := s.client("checkout")
			if value != nil {
				o.Object["metadata"].(spec)["labels"] = value
			}
			if err := s.mallory.Delete(t.Context(), s.checkout.DeepCopy()); err != nil {
				return err
			}
			return s.mallory.Create(t.Context(), o)
		},
	} {
		t.Run(string(w), func(t *testing.T) {
			if err := label(labels); err != nil {
				t.Fatal(err)
			}
			s.awaitStates(t, state, v1alpha1.RoleGranted) // the label was seen, and does what its owner said
			none := spec{}
			for name := range labels {
				none[name] = nil
			}
			if w != merges { // only a merge patch takes away what it names
				none = nil
			}
			if err := label(none); err != nil {
				t.Fatal(err)
			}
			s.awaitStates(t, state, v1alpha1.RolePending)
		})
	}
}

// awaitStates waits until the client's status says this of orders-read and labelled.
func (s story) awaitStates(t *testing.T, want ...v1alpha1.RoleState) {
	t.Helper()
	testenv.Eventually(t, func(ctx context.Context) error {
		c := &v1alpha1.OAuthClient{}
		if err := env.Client.Get(ctx, client.ObjectKeyFromObject(s.checkout), c); err != nil {
			return err
		}
		var got []v1alpha1.RoleState
		for _, r := range c.Status.Roles {
			got = append(got, r.State)
		}
		if !slices.Equal(got, want) {
			return fmt.Errorf("the client's roles are %v; want %v", got, want)
		}
		return nil
	})
}

// A client's owner has every way to its own objects, and none to the API's.
func TestRefusesARoleThatAClientsOwnerGives(t *testing.T) {
	s := newStory(t, "")
	yes := s.decides("Approved", spec{"clientRef": spec{"namespace": s.shop, "name": "checkout"}})
	a := attack{by: s.mallory, owner: env.Client, kind: "AppRoleAssignment", namespace: s.orders, good: approval, bad: func(is spec) {
		clear(is)
		maps.Copy(is, yes)
	}}
	for r := range a.each(t) {
		if !apierrors.IsForbidden(r.err) {
			t.Errorf("%s: err = %v; want forbidden", r.way, r.err)
		}
	}
	// In her own namespace she may decide: of her own roles, and of no others.
	mine := object("AppRoleAssignment", s.shop, "mine", yes)
	if err := s.mallory.Create(t.Context(), mine); err != nil {
		t.Fatal(err)
	}
	awaitReason(t, mine, v1alpha1.ReasonRoleNotFound)
	role := object("AppRole", s.shop, "orders-read", spec{"resourceRef": spec{"name": "orders"}, "value": "orders-read"})
	if err := s.mallory.Create(t.Context(), role); err != nil {
		t.Fatal(err)
	}
	awaitReason(t, role, v1alpha1.ReasonResourceNotFound)
	awaitReason(t, mine, v1alpha1.ReasonReady, v1alpha1.ReasonRoleNotFound)
	s.stays(t, v1alpha1.RolePending)
}

// Labels are their owner's claim: a denial never looks at them.
func TestRefusesADenialThatTheDeniedLabelAway(t *testing.T) {
	s := newStory(t, "Denied")
	no := object("AppRoleAssignment", s.orders, "no", nil)
	for way, err := range map[string]error{
		"delete":  s.mallory.Delete(t.Context(), no.DeepCopy()),
		"patch":   s.mallory.Patch(t.Context(), no.DeepCopy(), client.RawPatch(types.MergePatchType, []byte(`{"spec":{"decision":"Approved"}}`))),
		"approve": s.mallory.Create(t.Context(), object("AppRoleAssignment", s.orders, "mine", approval())),
	} {
		if !apierrors.IsForbidden(err) {
			t.Errorf("%s: err = %v; want forbidden", way, err)
		}
	}
	s.stays(t, v1alpha1.RoleDenied)

	// Nor does another client of hers have what the namespace is denied.
	s.checkout = s.client("checkout-2")
	if err := s.mallory.Create(t.Context(), s.checkout.DeepCopy()); err != nil {
		t.Fatal(err)
	}
	s.awaitStates(t, v1alpha1.RoleDenied, v1alpha1.RolePending)
}

// An owner cannot make a denial that its subject could label away.
func TestRefusesADenialByLabel(t *testing.T) {
	o := newOwners(t)
	byLabel := func(s spec) {
		delete(s, "clientRef")
		delete(s, "expiresAt")
		s["decision"] = "Denied"
		s["clientSelector"] = spec{"namespaceSelector": spec{"matchLabels": spec{"team": "shop"}}, "labelSelector": spec{"matchLabels": spec{"tier": "bronze"}}}
	}
	approved := func() spec {
		s := approval()
		byLabel(s)
		s["decision"] = "Approved"
		return s
	}
	for r := range o.attack(approved, byLabel).each(t) {
		refused(t, r, "who could label the denial away")
	}
}
