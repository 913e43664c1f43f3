package plugin

import (
	"context"
	"fmt"
	"testing"

	"k8s.io/apimachinery/pkg/api/meta"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/lanyard-dev/lanyard/api/v1alpha1"
	"github.com/lanyard-dev/lanyard/test/testenv"
)

func TestSuspend(t *testing.T) {
	w := newWorld(t, "suspend")
	run(t, w.carol, "suspend", "checkout", "-n", w.shop, "--dry-run=server").succeeds(t).golden(t, "suspend-dry-run")
	run(t, w.carol, "suspend", "checkout", "-n", w.shop).succeeds(t).golden(t, "suspend")
	run(t, w.carol, "suspend", "client/checkout", "-n", w.shop).succeeds(t).golden(t, "suspend-again")
	run(t, w.vera, "status", "checkout", "-n", w.shop).succeeds(t).says(t, "False (Suspended)")
	run(t, w.carol, "resume", "checkout", "-n", w.shop).succeeds(t).golden(t, "resume")
	run(t, w.alice, "suspend", "resource/orders", "-n", w.orders).succeeds(t).golden(t, "suspend-resource")
	run(t, w.alice, "resume", "resource/orders", "-n", w.orders).succeeds(t).golden(t, "resume-resource")

	run(t, w.vera, "suspend", "checkout", "-n", w.shop).exits(t, 1).golden(t, "suspend-forbidden")
	run(t, w.carol, "suspend", "chekcout", "-n", w.shop).exits(t, 1).golden(t, "suspend-misspelt")
	run(t, w.alice, "resume", "role/orders-read", "-n", w.orders).exits(t, 2).golden(t, "resume-role")
}

func TestRotateKeys(t *testing.T) {
	w := newWorld(t, "rotate")
	admin := env.Kubeconfig(t, "admin", "system:masters")
	run(t, w.carol, "rotate", "keys").exits(t, 1).golden(t, "rotate-forbidden")
	run(t, admin, "rotate", "keys", "--dry-run=server").succeeds(t).golden(t, "rotate-dry-run")
	run(t, admin, "rotate", "keys").succeeds(t).golden(t, "rotate")
	run(t, admin, "rotate", "keys", "--drop", "current").succeeds(t).golden(t, "rotate-drop")
	run(t, admin, "rotate", "keys", "--drop", "no-such-key").exits(t, 1).golden(t, "rotate-drop-unknown")
	env.Kubectl(t, "-n", testenv.LanyardNamespace, "annotate", "secret", "lanyard-signing-keys", v1alpha1.AnnotationDropKey+"-") // as it says
	run(t, admin, "rotate", "keys", "--drop", "").exits(t, 2).golden(t, "rotate-drop-empty")
	run(t, admin, "rotate", "keys", "--lanyard-namespace", "elsewhere").exits(t, 1).golden(t, "rotate-elsewhere")
}

// The platform can suspend all clients of a namespace; resuming one does not help then.
func TestResumeInASuspendedNamespace(t *testing.T) {
	w := newWorld(t, "platform")
	run(t, w.carol, "suspend", "checkout", "-n", w.shop).succeeds(t)
	witness := newClient(w, "witness")
	create(t, witness)
	env.Kubectl(t, "annotate", "namespace", w.shop, v1alpha1.AnnotationSuspend+"=true")
	testenv.Eventually(t, func(ctx context.Context) error { // the controller has heard of it
		if err := env.Client.Get(ctx, client.ObjectKeyFromObject(witness), witness); err != nil {
			return err
		}
		if ready := meta.FindStatusCondition(witness.Status.Conditions, v1alpha1.ConditionReady); ready == nil || ready.Reason != v1alpha1.ReasonNamespaceSuspended {
			return fmt.Errorf("Ready is %v", ready)
		}
		return nil
	})
	run(t, w.carol, "resume", "checkout", "-n", w.shop).succeeds(t).says(t, v1alpha1.ReasonNamespaceSuspended)
}
