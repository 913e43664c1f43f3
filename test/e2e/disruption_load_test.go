//go:build e2e

package e2e

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/lanyard-dev/lanyard/test/e2e/app"
)

// callsPerSecond is the load of every disruption, over all of its pods.
const callsPerSecond = 50

// soak says that the long forms run: `make soak`.
func soak() bool { return os.Getenv("LANYARD_SOAK") == "1" }

// lasting is how long something lasts: short in `make e2e`, in full in `make soak`.
func lasting(short, full time.Duration) time.Duration {
	if soak() {
		return full
	}
	return short
}

// load is an app in one pod or several that calls the orders API through its sidecars.
type load struct {
	*shop
	name  string
	pods  []*corev1.Pod
	since time.Time
}

// Edits of client.yaml: how long tokens live.
var (
	tokensOfAMinute      = []string{"  displayName: Checkout\n", "  displayName: Checkout\n  accessTokenLifetime: 1m\n"}
	tokensOfThreeMinutes = []string{"  displayName: Checkout\n", "  displayName: Checkout\n  accessTokenLifetime: 3m\n"}
)

// startLoad runs the app in so many pods, which make callsPerSecond calls a second together, with a client
// that is client.yaml with edits. It returns when each has called well.
func (s *shop) startLoad(t *testing.T, replicas int, edits ...string) *load {
	t.Helper()
	s.declareClient(t, edits...)
	return s.startPods(t, "checkout", replicas)
}

// startPods is startLoad for a client that is there.
func (s *shop) startPods(t *testing.T, name string, replicas int, edits ...string) *load {
	t.Helper()
	l := &load{shop: s, name: name}
	s.apply(t, manifest(t, "deployment.yaml", slices.Concat(edits, []string{
		"replicas: 1", fmt.Sprintf("replicas: %d", replicas),
		"--per-second=10", fmt.Sprintf("--per-second=%g", callsPerSecond/float64(replicas)),
		"checkout", name, // the last one: others speak of checkout
	})...))
	eventually(t, 2*patience, func() error { // many pods at once, on two cores
		list, err := s.clientset.CoreV1().Pods(s.namespace).List(t.Context(), metav1.ListOptions{LabelSelector: "app=" + name})
		if err != nil {
			return err
		}
		l.pods = l.pods[:0]
		for i := range list.Items {
			if pod := &list.Items[i]; ready(pod) {
				l.pods = append(l.pods, pod)
			}
		}
		if len(l.pods) != replicas {
			return fmt.Errorf("%d of %d pods are ready", len(l.pods), replicas)
		}
		return nil
	})
	for _, pod := range l.pods {
		callerOf(pod).awaitSuccesses(t, 1)
	}
	l.begin(t)
	return l
}

// begin counts anew from now on.
func (l *load) begin(t *testing.T) {
	t.Helper()
	for _, pod := range l.pods {
		callerOf(pod).reset(t)
	}
	l.since = time.Now()
}

// goesOn waits while the load goes on, and says every half minute how it does. It ends the test early if a
// call fails.
func (l *load) goesOn(t *testing.T, during string, while time.Duration) {
	t.Helper()
	for begun := time.Now(); time.Since(begun) < while; {
		pause(t, min(30*time.Second, while-time.Since(begun)))
		sum := l.sum(t)
		t.Logf("%s, after %s: %d calls, %d failed", during, time.Since(l.since).Round(time.Second), sum.Successes+sum.Failures, sum.Failures)
		if sum.Failures > 0 {
			l.unharmed(t, during)
			return
		}
	}
}

// sum is the report of all pods together; its percentiles are those of the worst pod.
func (l *load) sum(t *testing.T) app.Report {
	t.Helper()
	sum := app.Report{Causes: map[string]int{}}
	for _, pod := range l.pods {
		r := callerOf(pod).mustReport(t)
		sum.Successes += r.Successes
		sum.Failures += r.Failures
		sum.Failed = append(sum.Failed, r.Failed...)
		for cause, n := range r.Causes {
			sum.Causes[cause] += n
		}
		sum.Latency.P50 = max(sum.Latency.P50, r.Latency.P50)
		sum.Latency.P99 = max(sum.Latency.P99, r.Latency.P99)
		sum.Latency.Max = max(sum.Latency.Max, r.Latency.Max)
	}
	return sum
}

// unharmed fails the test if a call failed since begin, or if there were not as many as there should have been, and
// prints the figures.
func (l *load) unharmed(t *testing.T, during string) {
	t.Helper()
	sum, took := l.sum(t), time.Since(l.since)
	figure(t, "%s: %d calls in %s through %d sidecars, %d failed; median %s, p99 %s, longest %s", during, sum.Successes+sum.Failures,
		took.Round(time.Second), len(l.pods), sum.Failures, round(sum.Latency.P50), round(sum.Latency.P99), round(sum.Latency.Max))
	if sum.Failures > 0 {
		t.Errorf("%s, %d calls failed, and none may; %s", during, sum.Failures, failures(sum))
	}
	if want := callsPerSecond * (took.Seconds() - 2) * 0.9; float64(sum.Successes) < want {
		t.Errorf("%s: %d calls in %s: that is not %d a second", during, sum.Successes, took, callsPerSecond)
	}
}

func failures(r app.Report) string {
	said := []string{fmt.Sprint(r.Causes)}
	for _, f := range r.Failed[:min(len(r.Failed), 5)] {
		said = append(said, fmt.Sprintf("%s, after %s: %s", f.Begun.Format("15:04:05.000"), f.Took, f.Cause))
	}
	return strings.Join(said, "\n\t")
}

// pause waits; the test is about what happens meanwhile.
func pause(t *testing.T, while time.Duration) {
	t.Helper()
	if while <= 0 {
		return
	}
	select {
	case <-time.After(while):
	case <-t.Context().Done():
		t.Fatal(t.Context().Err())
	}
}

func round(d time.Duration) time.Duration {
	if d < time.Second {
		return d.Round(100 * time.Microsecond)
	}
	return d.Round(10 * time.Millisecond)
}
