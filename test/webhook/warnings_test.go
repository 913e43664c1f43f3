package webhook

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/lanyard-dev/lanyard/api/v1alpha1"
	"github.com/lanyard-dev/lanyard/test/testenv"
)

// api is a resource with a role that clients have.
type api struct {
	namespace, clients string // names of namespaces
	resource           *v1alpha1.ProtectedResource
	role               *v1alpha1.AppRole
	assignments        []*v1alpha1.AppRoleAssignment
}

// newAPI gives n clients a role, and returns when all of them have it.
func newAPI(t *testing.T, n int) *api {
	t.Helper()
	a := &api{namespace: env.Namespace(t, nil, nil).Name, clients: env.Namespace(t, nil, nil).Name}
	a.resource = resource(a.namespace, "orders", "api://"+a.namespace)
	a.role = role(a.namespace, "reads", "orders", "Orders.Read")
	testenv.Create(t, env.Client, a.resource, a.role)
	for i := range n {
		c := oauthClient(a.clients, fmt.Sprintf("c%02d", i), a.role)
		decision := assignment(a.namespace, c.Name, "reads", c)
		testenv.Create(t, env.Client, c, decision)
		a.assignments = append(a.assignments, decision)
	}
	testenv.Create(t, env.Client, oauthClient(a.clients, "waits", a.role)) // it has nothing to lose
	testenv.Eventually(t, func(ctx context.Context) error {
		if err := env.Client.Get(ctx, client.ObjectKeyFromObject(a.role), a.role); err != nil {
			return err
		}
		if got := a.role.Status.GrantedCount; got == nil || *got != int32(n) {
			return fmt.Errorf("granted to %v clients; want %d", got, n)
		}
		return nil
	})
	return a
}

func TestWhoLosesAccessIsNamedBeforeItHappens(t *testing.T) {
	alice := newPerson(t, "alice")
	const deny = `{"spec":{"decision":"Denied"}}`
	ctx := t.Context()
	tests := map[string]struct {
		clients int
		does    func(a *api) error
		says    []string
	}{
		"a role is deleted": {
			2, func(a *api) error { return alice.Delete(ctx, a.role) },
			[]string{"deleting AppRole NS/reads takes it from 2 clients: CLIENTS/c00, CLIENTS/c01"},
		},
		"a role of many is deleted": {
			12, func(a *api) error { return alice.Delete(ctx, a.role) },
			[]string{"takes it from 12 clients: CLIENTS/c00, CLIENTS/c01, ", "CLIENTS/c09 and 2 more"},
		},
		"a role that nobody has is deleted": {0, func(a *api) error { return alice.Delete(ctx, a.role) }, nil},
		"roles are deleted together": {1, func(a *api) error {
			return alice.DeleteAllOf(ctx, &v1alpha1.AppRole{}, client.InNamespace(a.namespace))
		}, []string{"deleting AppRole NS/reads takes it from 1 client: CLIENTS/c00"}},
		"a resource is deleted": {
			2, func(a *api) error { return alice.Delete(ctx, a.resource) },
			[]string{"deleting ProtectedResource NS/orders takes its roles from 2 clients: CLIENTS/c00, CLIENTS/c01"},
		},
		"a resource is suspended": {1, func(a *api) error {
			return alice.Patch(ctx, a.resource, merge(`{"spec":{"suspend":true}}`))
		}, []string{"suspending ProtectedResource NS/orders ends new tokens for it for 1 client: CLIENTS/c00"}},
		"a resource is changed otherwise": {1, func(a *api) error {
			return alice.Patch(ctx, a.resource, merge(`{"spec":{"accessTokenLifetime":"5m"}}`))
		}, nil},
		"an approval is deleted": {
			2, func(a *api) error { return alice.Delete(ctx, a.assignments[1]) },
			[]string{"deleting AppRoleAssignment NS/c01 takes role NS/reads from 1 client: CLIENTS/c01"},
		},
		"an approval becomes a denial": {
			1, func(a *api) error { return alice.Patch(ctx, a.assignments[0], merge(deny)) },
			[]string{"this decision takes role NS/reads from 1 client: CLIENTS/c00"},
		},
		"an approval ends in the past": {1, func(a *api) error {
			return alice.Patch(ctx, a.assignments[0], merge(`{"spec":{"expiresAt":"2020-01-01T00:00:00Z"}}`))
		}, []string{"spec.expiresAt 2020-01-01T00:00:00Z has passed", "this decision takes role NS/reads from 1 client: CLIENTS/c00"}},
		"an approval gets a reason": {1, func(a *api) error {
			return alice.Patch(ctx, a.assignments[0], merge(`{"spec":{"reason":"x"}}`))
		}, nil},
		"a denial of a whole namespace": {2, func(a *api) error {
			d := assignment(a.namespace, "all", "reads", oauthClient("", ""))
			d.Spec.ClientRef, d.Spec.Decision = nil, v1alpha1.DecisionDenied
			d.Spec.ClientSelector = &v1alpha1.ClientSelector{NamespaceSelector: metav1.LabelSelector{MatchLabels: map[string]string{"kubernetes.io/metadata.name": a.clients}}}
			return alice.Create(ctx, d)
		}, []string{"this decision takes role NS/reads from 2 clients: CLIENTS/c00, CLIENTS/c01"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			a := newAPI(t, test.clients)
			check(t, test.does(a))
			var says []string
			for _, s := range test.says {
				says = append(says, strings.NewReplacer("NS", a.namespace, "CLIENTS", a.clients).Replace(s))
			}
			alice.warns(t, says...)
		})
	}
}

func TestNobodyLosesWhatTwoApprovalsGive(t *testing.T) {
	alice := newPerson(t, "alice")
	a := newAPI(t, 1)
	second := assignment(a.namespace, "second", "reads", oauthClient(a.clients, "c00"))
	testenv.Create(t, env.Client, second)
	settled(t, second)
	check(t, alice.Delete(t.Context(), a.assignments[0]))
	alice.warns(t)
}

func TestADryRunOfADeletionShowsWhoLosesAccess(t *testing.T) {
	newPerson(t, "alice")
	a := newAPI(t, 1)
	out := env.Kubectl(t, "delete", "approle", "reads", "--namespace", a.namespace, "--dry-run=server", "--as=alice")
	if want := fmt.Sprintf("Warning: deleting AppRole %s/reads takes it from 1 client: %s/c00", a.namespace, a.clients); !strings.Contains(out, want) {
		t.Errorf("kubectl says\n%s\nwant %q", out, want)
	}
	get(t, a.role) // it is still there
}

func TestAResourceForEverybodySaysSo(t *testing.T) {
	alice := newPerson(t, "alice")
	namespace := env.Namespace(t, nil, nil).Name
	r := resource(namespace, "open", "api://"+namespace)
	r.Spec.Assignment = v1alpha1.AssignmentOptional
	testenv.Create(t, alice, r)
	check(t, alice.Delete(t.Context(), r))
	alice.warns(t, "ProtectedResource "+namespace+"/open has assignment: Optional: clients without a role lose access, too")
}

func TestWhatDoesNotExistIsNamed(t *testing.T) {
	alice := newPerson(t, "alice")
	namespace := env.Namespace(t, nil, nil).Name
	there, absent := role(namespace, "there", "orders", "There"), role(namespace, "absent", "orders", "Absent")
	testenv.Create(t, alice, there, oauthClient(namespace, "sound", there)) // one right after the other
	alice.warns(t)

	c := oauthClient(namespace, "asks", there, absent)
	testenv.Create(t, alice, c)
	alice.warns(t, fmt.Sprintf("spec.roles: there is no AppRole %s/absent; correct spec.roles, or have the API's owner create it", namespace))
	check(t, alice.Patch(t.Context(), c, merge(`{"spec":{"displayName":"x"},"metadata":{"labels":{"a":"b"}}}`)))
	alice.warns(t) // it was said

	early := assignment(namespace, "early", "absent", c)
	testenv.Create(t, alice, early)
	alice.warns(t, fmt.Sprintf("spec.roleRef names no AppRole %q in namespace %s", "absent", namespace))
	check(t, alice.Patch(t.Context(), early, merge(`{"metadata":{"labels":{"a":"b"}}}`)))
	alice.warns(t)

	ended := assignment(namespace, "ended", "there", c)
	ended.Spec.ExpiresAt = &metav1.Time{Time: time.Unix(1.6e9, 0)}
	testenv.Create(t, alice, ended)
	alice.warns(t, "spec.expiresAt 2020-09-13T12:26:40Z has passed; set a later time to approve again")
}

// Who deletes a namespace is asked once, by whatever asks for that, and not about each
// object in it; nor is the garbage collector.
func TestNobodyIsWarnedOfTheContentsOfANamespaceThatEnds(t *testing.T) {
	alice := newPerson(t, "alice")
	a := newAPI(t, 1)
	namespaces := env.As(t, "system:serviceaccount:kube-system:namespace-controller", "system:masters")
	collected := &testenv.Warnings{}
	namespaces.WarningHandlerWithContext = collected
	check(t, env.ClientOf(t, namespaces).Delete(t.Context(), a.role, client.DryRunAll))
	if got := collected.Take(); len(got) > 0 {
		t.Errorf("the namespace controller is warned with %q", got)
	}
	check(t, alice.Delete(t.Context(), a.role, client.DryRunAll))
	alice.warns(t, "takes it from 1 client")
}
