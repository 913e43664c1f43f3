package access

import (
	"context"
	"fmt"
	"testing"
	"time"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// withoutWebhooks removes Lanyard's webhooks until the test ends.
func withoutWebhooks(t *testing.T) {
	t.Helper()
	ns := namespace(t)
	configurations := []client.Object{&admissionv1.MutatingWebhookConfiguration{}, &admissionv1.ValidatingWebhookConfiguration{}}
	t.Cleanup(func() {
		for _, c := range configurations {
			c.SetResourceVersion("")
			if err := env.Client.Create(context.Background(), c); err != nil { // t.Context() has ended
				t.Error(err)
			}
		}
		if err := webhooksAsked(ns, true); err != nil {
			t.Error(err)
		}
	})
	for _, c := range configurations {
		if err := env.Client.Get(t.Context(), client.ObjectKey{Name: "lanyard"}, c); err != nil {
			t.Fatal(err)
		}
		if err := env.Client.Delete(t.Context(), c); err != nil {
			t.Fatal(err)
		}
	}
	if err := webhooksAsked(ns, false); err != nil {
		t.Fatal(err)
	}
}

// webhooksAsked waits until the API server asks the webhooks, or no longer does.
func webhooksAsked(ns string, want bool) error {
	var recorded, judged bool
	err := wait.PollUntilContextTimeout(context.Background(), 20*time.Millisecond, 30*time.Second, true, func(ctx context.Context) (bool, error) {
		decides := object("AppRoleAssignment", ns, "probe", approval())
		claims := object("OAuthClient", ns, "probe", spec{"clientID": "not-allowed", "authentication": spec{"serviceAccounts": []any{spec{"name": "probe"}}}})
		recorded, judged = env.Client.Create(ctx, decides, client.DryRunAll) == nil, env.Client.Create(ctx, claims, client.DryRunAll) != nil
		return recorded == want && judged == want, nil
	})
	if err != nil {
		return fmt.Errorf("the webhooks record who decided: %t, and judge names: %t; want %t of both: %w", recorded, judged, want, err)
	}
	return nil
}
