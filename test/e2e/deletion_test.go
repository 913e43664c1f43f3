//go:build e2e

package e2e

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
)

// inactiveWithin is how soon introspection says that the token of a pod that is gone, or of a client that is suspended,
// is worth nothing, and that no new one is to be had.
const inactiveWithin = time.Second

func TestADeletedPodWorksWhileItDrainsAndItsTokenEndsWithIt(t *testing.T) {
	beside(t)
	s := newShop(t)
	s.declareClient(t)
	// It goes on calling for some seconds after it was told to end, as a server that drains does.
	s.apply(t, manifest(t, "deployment.yaml", slices.Concat(exposed, []string{"--per-second=10", "--per-second=20\n        - --drain=4s"})...))
	pod := s.readyPod(t, "checkout")
	calls := callerOf(pod)
	calls.awaitSuccesses(t, 5)
	token := strings.TrimSpace(s.file(t, pod, "app", boundDirectory+"/token"))
	assertion := strings.TrimSpace(s.file(t, pod, "lanyard-sidecar", "/var/run/secrets/lanyard.dev/assertion/token"))
	if status, answer := s.tokenWith(t, assertion); status != http.StatusOK {
		t.Fatalf("the pod's own assertion, while it lives: %d %v", status, answer)
	}
	if !s.active(t, token) {
		t.Fatal("the token of a living pod is inactive")
	}

	s.do(t, "delete", "deployment", "checkout", "--wait=false")
	report := calls.mustReport(t)
	drained := make(chan struct{})
	go func() {
		defer close(drained)
		for {
			next, err := calls.report(t.Context())
			if err != nil {
				return // it has ended
			}
			report = next
			time.Sleep(20 * time.Millisecond)
		}
	}()
	draining := s.awaitPod(t, "app=checkout", "drains", func(pod *corev1.Pod) bool { return pod.DeletionTimestamp != nil })
	if status, answer := s.tokenWith(t, assertion); status != http.StatusOK {
		t.Errorf("the pod's own assertion, while it drains: %d %v", status, answer)
	}
	if !s.active(t, token) {
		t.Error("the token of a pod that drains is inactive")
	}
	gone := s.awaitGone(t, draining)
	s.awaitInactive(t, token, gone)
	inactive := time.Since(gone)
	var status int
	var answer map[string]any
	refused := time.Duration(0)
	for status != http.StatusUnauthorized && refused <= inactiveWithin { // it may be another replica that answers
		refused = time.Since(gone)
		status, answer = s.tokenWith(t, assertion)
	}
	<-drained

	figure(t, "calls while the pod drained: %d well, %d failed", report.SuccessesEnding, report.Failures)
	figure(t, "inactive at introspection %v after the pod was gone (limit %v)", inactive.Round(time.Millisecond), inactiveWithin)
	if report.SuccessesEnding < 20 || report.Failures != 0 {
		t.Errorf("while it drained: %+v", report)
	}
	if status != http.StatusUnauthorized || answer["error"] != "invalid_client" {
		t.Errorf("the assertion of a pod that is gone for %v: %d %v", refused, status, answer)
	}
}

// awaitInactive asks introspection about a token until it is inactive, and fails the test if that took longer than
// inactiveWithin.
func (w *world) awaitInactive(t *testing.T, token string, since time.Time) {
	t.Helper()
	asked := time.Since(since) // what counts: how long the answer takes is another question
	for w.active(t, token) {
		if asked = time.Since(since); asked > 10*inactiveWithin {
			t.Fatalf("the token is still active after %v", asked)
		}
	}
	if asked > inactiveWithin {
		t.Errorf("the token was active for %v more", asked)
	}
}
