//go:build e2e

package e2e

import (
	"slices"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
)

const (
	// firstTokenLimit is from the start of the sidecar's process to a token in hand.
	firstTokenLimit = 150 * time.Millisecond
	// firstCallLimit is from kubectl apply of a Deployment to the app's first successful call.
	firstCallLimit = 5 * time.Second
)

// Alone on the node: it measures.
func TestFirstTokenAndFirstCallComeSoon(t *testing.T) {
	s := newShop(t)
	s.declareClient(t)
	var tokens, calls []time.Duration
	for range 5 {
		applied := time.Now()
		s.apply(t, manifest(t, "deployment.yaml"))
		pod := s.readyPod(t, "checkout")
		report := callerOf(pod).awaitSuccesses(t, 1)
		calls = append(calls, report.FirstSuccess.Sub(applied))
		tokens = append(tokens, s.firstToken(t, pod))
		s.do(t, "delete", "deployment", "checkout", "--wait=false")
		s.awaitGone(t, pod)
	}
	figure(t, "from the start of the sidecar to its first token: %v (limit %v)", tokens, firstTokenLimit)
	figure(t, "from kubectl apply of a Deployment to the first successful call: %v (limit %v)", calls, firstCallLimit)
	if took := secondBest(tokens); took > firstTokenLimit {
		t.Errorf("the first token took %v, more than %v", took, firstTokenLimit)
	}
	if took := secondBest(calls); took > firstCallLimit {
		t.Errorf("the first call took %v, more than %v", took, firstCallLimit)
	}
}

// secondBest is what the software takes, rather than what else the machine was busy with; the best
// alone might be luck.
func secondBest(of []time.Duration) time.Duration { return slices.Sorted(slices.Values(of))[1] }

// firstToken is how long the sidecar of a pod took from the start of its process, as the kernel
// says, until its last listed token stood in its file.
func (s *shop) firstToken(t *testing.T, pod *corev1.Pod) time.Duration {
	t.Helper()
	process := s.process(t, pod, "lanyard-sidecar")
	begun := startOf(t, process)
	return s.stat(t, process, "/var/run/lanyard/tokens/orders").ModTime().Sub(begun)
}

// The app checks at its first instruction that its token is there: exit code 3 would say that it
// was not.
func TestTheAppStartsOnlyWithItsTokens(t *testing.T) {
	beside(t)
	s := newShop(t)
	// A Deployment that is applied before its client waits for it, and begins by itself.
	s.apply(t, manifest(t, "deployment.yaml"))
	waiting := s.awaitPod(t, "app=checkout", "waits for its client", func(pod *corev1.Pod) bool { return pod.Spec.NodeName != "" })
	s.awaitEvent(t, waiting.Name, "OAuthClient")
	if pod := s.current(t, waiting); containerStarted(pod, "app") {
		t.Fatalf("the app started before there was a client: %s", statusOf(pod))
	}
	declared := time.Now()
	s.apply(t, manifest(t, "client.yaml"))
	pod := s.readyPod(t, "checkout")
	report := callerOf(pod).awaitSuccesses(t, 1)
	figure(t, "from kubectl apply of the client to the first successful call of a pod that waited for it: %v", report.FirstSuccess.Sub(declared))
	if pod.UID != waiting.UID {
		t.Errorf("it was another pod that began: %s, and not %s", pod.Name, waiting.Name)
	}
	if restarts := pod.Status.ContainerStatuses[0].RestartCount; restarts != 0 {
		t.Errorf("the app was restarted %d times", restarts)
	}
	if report.Failures != 0 {
		t.Errorf("calls failed: %v", report.Causes)
	}
}

// The other way round, so that the test above shows something.
func TestAnAppThatDoesNotWaitStartsWithoutTokens(t *testing.T) {
	beside(t)
	s := newShop(t)
	s.declareClient(t)
	s.do(t, "patch", "oauthclient", "checkout", "--type=merge", "-p", `{"spec":{"suspend":true}}`)
	s.apply(t, manifest(t, "deployment.yaml", "lanyard.dev/client: checkout", "lanyard.dev/client: checkout\n        lanyard.dev/wait: \"false\""))
	s.awaitPod(t, "app=checkout", "ended with 3", func(pod *corev1.Pod) bool {
		for _, c := range pod.Status.ContainerStatuses {
			for _, ended := range []*corev1.ContainerStateTerminated{c.State.Terminated, c.LastTerminationState.Terminated} {
				if ended != nil && ended.ExitCode == 3 {
					return true
				}
			}
		}
		return false
	})
}

func containerStarted(pod *corev1.Pod, name string) bool {
	for _, c := range pod.Status.ContainerStatuses {
		if c.Name == name && (c.State.Running != nil || c.State.Terminated != nil || c.RestartCount > 0) {
			return true
		}
	}
	return false
}

func TestAJobWithTheSidecarCompletes(t *testing.T) {
	beside(t)
	s := newShop(t)
	s.declareClient(t)
	begun := time.Now()
	s.apply(t, manifest(t, "job.yaml"))
	s.do(t, "wait", "--for=condition=Complete", "--timeout=60s", "job/checkout")
	figure(t, "a Job of three calls took %v from kubectl apply to Complete", time.Since(begun).Round(time.Millisecond))
	pod := s.awaitPod(t, "app=checkout", "succeeded", func(pod *corev1.Pod) bool { return pod.Status.Phase == corev1.PodSucceeded })
	for _, c := range slices.Concat(pod.Status.InitContainerStatuses, pod.Status.ContainerStatuses) {
		if c.State.Terminated == nil || c.State.Terminated.ExitCode != 0 {
			t.Errorf("container %s did not end well: %s", c.Name, statusOf(pod))
		}
	}
}
