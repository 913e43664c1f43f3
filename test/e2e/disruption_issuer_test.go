//go:build e2e

package e2e

import (
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/lanyard-dev/lanyard/test/e2e/app"
)

// Fifteen sidecars with tokens of a minute ask for a token every three seconds together, and the test itself ten times a
// second, so that no moment passes unasked.
func TestNoCallFailsWhileTheIssuerIsRestartedOneReplicaAfterTheOther(t *testing.T) {
	l := disturbed(t)
	before := l.awaitReplicas(t, "lanyard-issuer", 2)
	asking := l.askIssuer(t)
	begun := time.Now()
	system().do(t, "rollout", "restart", "deployment/lanyard-issuer")
	system().do(t, "rollout", "status", "deployment/lanyard-issuer", "--timeout=2m")
	after := l.awaitReplicas(t, "lanyard-issuer", 2)
	for _, old := range before {
		l.awaitEnd(t, old) // it serves on for a while
	}
	figure(t, "the issuer's two replicas were replaced within %s", round(time.Since(begun)))
	if slices.ContainsFunc(after, func(p *corev1.Pod) bool { return p.UID == before[0].UID || p.UID == before[1].UID }) {
		t.Error("a replica is still the one from before")
	}
	pause(t, 2*time.Second)
	asking.allServed(t, "while the issuer was restarted one replica after the other")
	l.unharmed(t, "while the issuer was restarted one replica after the other")
}

func TestNoCallFailsWhenAReplicaOfTheIssuerIsKilled(t *testing.T) {
	l := disturbed(t)
	victim := l.awaitReplicas(t, "lanyard-issuer", 2)[0]
	asking := l.askIssuer(t)
	killed := time.Now()
	l.kill(t, victim, "issuer")
	l.awaitRestart(t, victim)
	figure(t, "a replica that was killed was ready again after %s", round(time.Since(killed)))
	pause(t, 5*time.Second)
	// What is under way ends with the process, and nobody who asks once is spared that. A sidecar asks again.
	asking.end(t, "when a replica of the issuer was killed")
	l.unharmed(t, "when a replica of the issuer was killed")
}

// The whole issuer is away for longer than tokens live. Each sidecar serves its token until it ends, and not a second
// longer; when the issuer is back, all are fresh soon, and none asks more often than it must.
func TestCallsGoOnWithoutTheIssuerUntilTokensEndAndAreFreshSoonAfter(t *testing.T) {
	const (
		pods  = sidecars
		fresh = 30 * time.Second
	)
	var l *load
	if soak() {
		l = newShop(t).startLoad(t, pods, tokensOfThreeMinutes...)
	} else {
		l = disturbed(t)
	}
	s := l.shop
	system().do(t, "scale", "deployment/lanyard-issuer", "--replicas=0")
	scaled := false
	back := func() {
		if !scaled {
			scaled = true
			system().do(t, "scale", "deployment/lanyard-issuer", "--replicas=2")
		}
	}
	defer back()
	eventually(t, patience, func() error {
		list, err := s.clientset.CoreV1().Pods(systemNamespace).List(t.Context(), metav1.ListOptions{LabelSelector: "app.kubernetes.io/name=lanyard-issuer"})
		if err == nil && len(list.Items) != 0 {
			err = fmt.Errorf("%d replicas of the issuer are still there", len(list.Items))
		}
		return err
	})
	gone := time.Now()
	ends := map[string]time.Time{}
	for _, pod := range l.pods {
		ends[pod.Name] = s.tokenEnds(t, pod)
	}
	// In `make e2e` until the last token has ended, and what is asked for then has been refused.
	away := lasting(slices.MaxFunc(slices.Collect(maps.Values(ends)), time.Time.Compare).Sub(gone)+5*time.Second, 5*time.Minute)
	l.begin(t)
	for time.Since(gone) < away {
		pause(t, min(30*time.Second, away-time.Since(gone)))
		sum := l.sum(t)
		t.Logf("without the issuer, after %s: %d calls, %d failed", time.Since(gone).Round(time.Second), sum.Successes+sum.Failures, sum.Failures)
	}
	l.failedOnlyAfter(t, ends, gone)

	back()
	issuers := s.awaitReplicas(t, "lanyard-issuer", 2)
	returned := firstReady(issuers)
	l.begin(t)
	var last time.Time
	eventually(t, 2*fresh, func() error {
		for _, pod := range l.pods {
			if end := s.tokenEnds(t, pod); !end.After(time.Now()) {
				return fmt.Errorf("%s has no token", pod.Name)
			}
		}
		last = time.Now()
		return nil
	})
	figure(t, "after the issuer's return all %d sidecars had fresh tokens within %s (limit %s)", pods, round(last.Sub(returned)), fresh)
	if late := last.Sub(returned); late > fresh {
		t.Errorf("the last sidecar was fresh %s after the issuer's return; want %s at most", late, fresh)
	}
	pause(t, time.Second)
	l.begin(t)
	all, refused := requestsOf(t, issuers)
	figure(t, "for %d sidecars with one resource each the issuer was asked %.0f times meanwhile, and refused %.0f", pods, all, refused)
	if all > 2*pods {
		t.Errorf("%d sidecars asked %.0f times; want about once each", pods, all)
	}
	pause(t, 5*time.Second)
	l.unharmed(t, "after the issuer's return")
}

// failedOnlyAfter fails the test if a call failed while its sidecar's token was good, or succeeded when it was not. That the
// API would accept a token for 30 s more (its leeway) is for clocks that differ: the sidecar does not make use of it.
func (l *load) failedOnlyAfter(t *testing.T, ends map[string]time.Time, since time.Time) {
	t.Helper()
	// The clock of a second, in which metrics and tokens tell time.
	const rounding = time.Second
	var shortest, longest time.Duration
	latest := -time.Hour // of the last success, after its token's end
	sentences := map[string]int{}
	for _, pod := range l.pods {
		report := callerOf(pod).mustReport(t)
		end := ends[pod.Name]
		if lasted := end.Sub(since); shortest == 0 || lasted < shortest {
			shortest = lasted
		}
		longest = max(longest, end.Sub(since))
		latest = max(latest, report.LastSuccess.Sub(end))
		var first app.Failure
		if len(report.Failed) > 0 {
			first = report.Failed[0]
		}
		switch ended := end.Before(time.Now().Add(-2 * rounding)); {
		case report.Failures > 0 && first.Begun.Before(end.Add(-rounding)):
			t.Errorf("%s: a call failed %s before its token's end: %s", pod.Name, end.Sub(first.Begun), first.Cause)
		case report.Failures == 0 && ended:
			t.Errorf("%s: no call failed although its token ended %s ago", pod.Name, time.Since(end))
		case report.LastSuccess.After(end.Add(rounding)):
			t.Errorf("%s: a call that was due %s after its token's end succeeded", pod.Name, report.LastSuccess.Sub(end))
		}
		for cause, n := range report.Causes {
			sentences[cause] += n
		}
	}
	figure(t, "without the issuer calls went on until their tokens ended, %s to %s after it", round(shortest), round(longest))
	figure(t, "the last call that succeeded was due %s after its token's end (negative: before; limit %s)", round(latest), rounding)
	for cause, n := range sentences {
		t.Logf("then %d times: %s", n, cause)
	}
}

// tokenEnds is when the token that a sidecar holds ends.
func (s *shop) tokenEnds(t *testing.T, pod *corev1.Pod) time.Time {
	t.Helper()
	seconds := s.sidecarMetrics(t, pod).sum("lanyard_sidecar_token_expiry_timestamp_seconds", nil)
	return time.UnixMilli(int64(seconds * 1000))
}

// firstReady is when the first of the pods became ready.
func firstReady(pods []*corev1.Pod) (first time.Time) {
	for _, pod := range pods {
		for _, c := range pod.Status.Conditions {
			if c.Type == corev1.PodReady && (first.IsZero() || c.LastTransitionTime.Time.Before(first)) {
				first = c.LastTransitionTime.Time
			}
		}
	}
	return first
}
