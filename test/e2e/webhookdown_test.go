//go:build e2e

package e2e

import (
	"context"
	"strings"
	"testing"
	"time"
)

// While nobody answers the webhooks, what has nothing to do with Lanyard is as ever, and what asks
// for a sidecar waits: never does it start without.
func TestWithoutTheWebhookOtherPodsStartAsEver(t *testing.T) {
	s := newShop(t)
	s.declareClient(t)
	s.scaleController(t, "0")
	restored := false
	restore := func() {
		if !restored {
			restored = true
			s.scaleController(t, "2")
		}
	}
	t.Cleanup(restore)

	begun := time.Now()
	s.apply(t, manifest(t, "pod.yaml"))
	s.awaitPod(t, "app=by-hand", "is ready", ready)
	figure(t, "without the webhook a pod without the label is ready %v after kubectl apply", time.Since(begun).Round(time.Millisecond))

	_, err := s.try(t, manifest(t, "pod.yaml", "by-hand", "labelled", "labels: {app: labelled}",
		"labels: {app: labelled, lanyard.dev/inject: \"true\"}\n  annotations: {lanyard.dev/client: checkout}"))
	if err == nil || !strings.Contains(err.Error(), "inject.lanyard.dev") {
		t.Errorf("a pod with the label: %v", err)
	}
	s.apply(t, manifest(t, "deployment.yaml"))
	s.awaitEvent(t, "checkout-", "inject.lanyard.dev")

	restore()
	back := time.Now()
	pod := s.readyPod(t, "checkout")
	callerOf(pod).awaitSuccesses(t, 1)
	figure(t, "the Deployment's pod came by itself %v after the controller was back", time.Since(back).Round(time.Millisecond))
}

// scaleController changes the number of the controller's replicas, and returns when they are so.
func (s *shop) scaleController(t *testing.T, replicas string) {
	t.Helper()
	ctx := context.WithoutCancel(t.Context()) // also after the test
	for _, args := range [][]string{
		{"scale", "deployment/lanyard-controller", "--replicas=" + replicas},
		{"rollout", "status", "deployment/lanyard-controller", "--timeout=3m"},
	} {
		if _, err := s.kubectl(ctx, nil, append([]string{"-n", systemNamespace}, args...)...); err != nil {
			t.Fatal(err)
		}
	}
	if replicas != "0" {
		return
	}
	// Those that were told to stop answer a while longer.
	if _, err := s.kubectl(ctx, nil, "-n", systemNamespace, "wait", "--for=delete", "--timeout=3m", "pod", "-l", "app.kubernetes.io/name=lanyard-controller"); err != nil {
		t.Fatal(err)
	}
}
