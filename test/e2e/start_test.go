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

	startRounds    = 3
	startsOfARound = 5
)

// Alone on the node: it measures. The medians of five starts keep both limits. A machine that is
// busy with other things may take up to three rounds to show that; the first that keeps both ends
// the test, and the figures of those that did not are told, too.
func TestFirstTokenAndFirstCallComeSoon(t *testing.T) {
	s := newShop(t)
	s.declareClient(t)
	for round := 1; ; round++ {
		tokens, calls := s.starts(t, startsOfARound)
		figure(t, "from the start of the sidecar to its first token: %v (limit of the median %v, round %d)", tokens, firstTokenLimit, round)
		figure(t, "from kubectl apply of a Deployment to the first successful call: %v (limit of the median %v, round %d)", calls, firstCallLimit, round)
		token, call := median(tokens), median(calls)
		if token <= firstTokenLimit && call <= firstCallLimit {
			return
		}
		if round == startRounds {
			t.Fatalf("in none of %d rounds both were kept: the first token took %v (limit %v), the first call %v (limit %v)",
				startRounds, token, firstTokenLimit, call, firstCallLimit)
		}
	}
}

// starts starts the app n times, and returns how long each took to its first token and to its first
// call.
func (s *shop) starts(t *testing.T, n int) (tokens, calls []time.Duration) {
	t.Helper()
	for range n {
		applied := time.Now()
		s.apply(t, manifest(t, "deployment.yaml"))
		pod := s.readyPod(t, "checkout")
		report := callerOf(pod).awaitSuccesses(t, 1)
		calls = append(calls, report.FirstSuccess.Sub(applied))
		tokens = append(tokens, s.firstToken(t, pod))
		s.do(t, "delete", "deployment", "checkout", "--wait=false")
		s.awaitGone(t, pod)
	}
	return tokens, calls
}

func median(of []time.Duration) time.Duration { return slices.Sorted(slices.Values(of))[len(of)/2] }

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
	s.do(t, "wait", "--for=condition=Complete", "--timeout=3m", "job/checkout")
	figure(t, "a Job of three calls took %v from kubectl apply to Complete", time.Since(begun).Round(time.Millisecond))
	pod := s.awaitPod(t, "app=checkout", "succeeded", func(pod *corev1.Pod) bool { return pod.Status.Phase == corev1.PodSucceeded })
	for _, c := range slices.Concat(pod.Status.InitContainerStatuses, pod.Status.ContainerStatuses) {
		if c.State.Terminated == nil || c.State.Terminated.ExitCode != 0 {
			t.Errorf("container %s did not end well: %s", c.Name, statusOf(pod))
		}
	}
}
