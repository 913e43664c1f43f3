//go:build e2e

package e2e

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
)

// The story shows that a pod with the mark is accepted; here is the same service account, in a pod
// that was not injected.
func TestRefusesAPodWithoutTheMarkWhereAdmissionIsRequired(t *testing.T) {
	beside(t)
	s := newShop(t)
	s.declareClient(t)
	s.apply(t, manifest(t, "pod.yaml"))
	pod := s.readyPod(t, "by-hand")
	assertion := strings.TrimSpace(s.file(t, pod, "app", "/assertion/token"))
	status, answer := s.tokenWith(t, assertion)
	if status != http.StatusUnauthorized || answer["error"] != "invalid_client" {
		t.Fatalf("a pod without the mark: %d %v", status, answer)
	}
	eventually(t, patience, func() error { // the log, which it reads, is written after the answer
		why, err := s.tryPlugin(t, "why", "--trace", fmt.Sprint(answer["trace_id"]))
		if err == nil || !strings.Contains(why, "admission") {
			return fmt.Errorf("kubectl lanyard why --trace does not say that admission: Required is not met (%w):\n%s", err, why)
		}
		return nil
	})

	s.do(t, "patch", "oauthclient", "checkout", "--type=merge", "-p",
		`{"spec":{"authentication":{"serviceAccounts":[{"name":"checkout","admission":"Optional"}]}}}`)
	eventually(t, patience, func() error {
		if status, answer := s.tokenWith(t, assertion); status != http.StatusOK {
			return fmt.Errorf("with admission: Optional: %d %v", status, answer)
		}
		return nil
	})
}

func TestTellsOfPodsThatWantASidecarAndHaveNone(t *testing.T) {
	beside(t)
	s := newShop(t)
	s.declareClient(t)
	s.apply(t, manifest(t, "pod.yaml"))
	s.awaitPod(t, "app=by-hand", "is ready", ready)
	s.do(t, "label", "pod", "by-hand", "lanyard.dev/inject=true")
	s.awaitEvent(t, "by-hand", "sidecar")
	eventually(t, patience, func() error {
		if n := s.controllerMetric(t, "lanyard_pods_not_injected", map[string]string{"namespace": s.namespace}); n != 1 {
			return fmt.Errorf("lanyard_pods_not_injected of %s is %g, want 1", s.namespace, n)
		}
		return nil
	})
	s.do(t, "delete", "pod", "by-hand", "--now")
	eventually(t, patience, func() error {
		if n := s.controllerMetric(t, "lanyard_pods_not_injected", map[string]string{"namespace": s.namespace}); n != 0 {
			return fmt.Errorf("lanyard_pods_not_injected of %s is %g after the pod is gone", s.namespace, n)
		}
		return nil
	})
}

// controllerMetric is that of the replica that leads: the others have none of it.
func (w *world) controllerMetric(t *testing.T, name string, labels map[string]string) (sum float64) {
	t.Helper()
	for _, pod := range w.systemPods(t, "lanyard-controller") {
		read, err := readMetrics(t, metricsURL(&pod, "metrics"))
		if err != nil {
			t.Fatal(err)
		}
		sum += read.sum(name, labels)
	}
	return sum
}
