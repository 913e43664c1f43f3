package declarations

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/metrics"

	"github.com/lanyard-dev/lanyard/api/v1alpha1"
	"github.com/lanyard-dev/lanyard/test/testenv"
)

// One owner has a thousand clients that cannot work, and goes on changing them all.
// Another's new object waits for those that are in line already, and no longer: how long
// that takes is the machine's affair, so that turns are counted, not seconds.
func TestOneOwnersBrokenObjectsDoNotSlowAnothers(t *testing.T) {
	shop, evil := env.Namespace(t, nil, nil).Name, env.Namespace(t, nil, nil).Name
	run(t, shop, evil)
	const broken = 1000
	stop := disturbAll(t, evil, broken)
	for kind, o := range map[string]client.Object{
		"oauthclient":       newClient(shop, "checkout"),
		"protectedresource": newResource(shop, "shop", "api://"+shop),
	} {
		before := reconciles(t, kind)
		awaitPatiently(t, create(t, o), v1alpha1.ReasonReady, "") // while the hands go on
		// Each broken object can be in line before it once. The second time round is what
		// the controller did before it heard of the new object, and after it was ready.
		if turns := reconciles(t, kind) - before; turns > 2*broken {
			t.Errorf("%s: it was ready after %d turns; want %d at most, of which %d are in line before it", kind, turns, 2*broken, broken)
		}
	}
	awaitPatiently(t, create(t, newRole(shop, "read", "shop", "Read")), v1alpha1.ReasonReady, "")
	stop()
	for _, i := range []int{0, broken / 2, broken - 1} { // and they are told why they do not work
		awaitPatiently(t, brokenClient(evil, i), v1alpha1.ReasonClientIDNotAllowed, "lanyard.dev/client-ids")
	}
}

// awaitPatiently waits for Ready as long as a line of a thousand may take.
func awaitPatiently(t *testing.T, o client.Object, reason, says string) {
	t.Helper()
	testenv.EventuallyWithin(t, 3*time.Minute, func(ctx context.Context) error {
		return lacks(ctx, o, v1alpha1.ConditionReady, reason, says)
	})
}

// disturbAll makes n broken clients, and goes on changing them until stop is called.
func disturbAll(t *testing.T, namespace string, n int) (stop func()) {
	t.Helper()
	const hands = 8
	ctx, cancel := context.WithCancel(t.Context())
	var made, working sync.WaitGroup
	made.Add(hands)
	for hand := range hands {
		working.Go(func() {
			for round := 0; ctx.Err() == nil; round++ {
				for i := hand; i < n && ctx.Err() == nil; i += hands {
					if err := disturb(ctx, round, brokenClient(namespace, i)); err != nil && ctx.Err() == nil {
						t.Errorf("round %d: %v", round, err)
					}
				}
				if round == 0 {
					made.Done()
				}
			}
		})
	}
	stop = func() { cancel(); working.Wait() }
	t.Cleanup(stop)
	made.Wait()
	return stop
}

// reconciles is how often the controller of that name took something in hand.
func reconciles(t *testing.T, controller string) (n int) {
	t.Helper()
	families, err := metrics.Registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	found := false
	for _, f := range families {
		if f.GetName() != "controller_runtime_reconcile_total" {
			continue
		}
		for _, m := range f.GetMetric() {
			for _, l := range m.GetLabel() {
				if l.GetName() == "controller" && l.GetValue() == controller {
					found = true
					n += int(m.GetCounter().GetValue())
				}
			}
		}
	}
	if !found {
		t.Fatalf("controller-runtime counts no reconciles of %s", controller)
	}
	return n
}

func brokenClient(namespace string, i int) *v1alpha1.OAuthClient {
	c := newClient(namespace, fmt.Sprintf("broken-%04d", i))
	c.Spec.ClientID = "stolen" // all the same one
	return c
}

// disturb makes a client in the first round, and changes it in each later one.
func disturb(ctx context.Context, round int, c *v1alpha1.OAuthClient) error {
	if round == 0 {
		return env.Client.Create(ctx, c)
	}
	patch := client.RawPatch("application/merge-patch+json", fmt.Appendf(nil, `{"metadata":{"labels":{"round":"%d"}}}`, round))
	return env.Client.Patch(ctx, c, patch)
}
