//go:build e2e

package e2e

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// system is Lanyard's own namespace, with what newShop's tests do in theirs.
func system() *shop { return &shop{world: lanyard, namespace: systemNamespace} }

// replicas are the pods of one of Lanyard's Deployments that are not about to end.
func (w *world) replicas(t *testing.T, deployment string) []*corev1.Pod {
	t.Helper()
	list, err := w.clientset.CoreV1().Pods(systemNamespace).List(t.Context(), metav1.ListOptions{LabelSelector: "app.kubernetes.io/name=" + deployment})
	if err != nil {
		t.Fatal(err)
	}
	var all []*corev1.Pod
	for i := range list.Items {
		if pod := &list.Items[i]; pod.DeletionTimestamp == nil {
			all = append(all, pod)
		}
	}
	return all
}

// awaitReplicas waits until so many pods of a Deployment are there, and all of them are ready.
func (w *world) awaitReplicas(t *testing.T, deployment string, n int) []*corev1.Pod {
	t.Helper()
	var all []*corev1.Pod
	eventually(t, 3*patience, func() error {
		all = w.replicas(t, deployment)
		if len(all) != n {
			return fmt.Errorf("%s has %d pods; want %d", deployment, len(all), n)
		}
		for _, pod := range all {
			if !ready(pod) {
				return fmt.Errorf("%s is not ready: %s", pod.Name, statusOf(pod))
			}
		}
		return nil
	})
	return all
}

// awaitEnd waits until a pod is gone.
func (w *world) awaitEnd(t *testing.T, pod *corev1.Pod) {
	t.Helper()
	eventually(t, patience, func() error {
		now, err := w.clientset.CoreV1().Pods(pod.Namespace).Get(t.Context(), pod.Name, metav1.GetOptions{})
		switch {
		case apierrors.IsNotFound(err) || err == nil && now.UID != pod.UID:
			return nil
		case err != nil:
			return err
		}
		return fmt.Errorf("%s is still there: %s", pod.Name, statusOf(now))
	})
}

// kill ends the process of a container with SIGKILL, as the kernel does when memory is short.
func (w *world) kill(t *testing.T, pod *corev1.Pod, container string) {
	t.Helper()
	if err := syscall.Kill(system().process(t, pod, container), syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
}

// restarts is how often the containers of a pod were started again.
func restarts(pod *corev1.Pod) (n int32) {
	for _, c := range pod.Status.ContainerStatuses {
		n += c.RestartCount
	}
	return n
}

// awaitRestart waits until a pod whose process was killed is ready again.
func (w *world) awaitRestart(t *testing.T, killed *corev1.Pod) {
	t.Helper()
	eventually(t, 2*patience, func() error {
		pod, err := w.clientset.CoreV1().Pods(systemNamespace).Get(t.Context(), killed.Name, metav1.GetOptions{})
		if err == nil && (restarts(pod) == restarts(killed) || !ready(pod)) {
			err = fmt.Errorf("%s was restarted %d times: %s", pod.Name, restarts(pod), statusOf(pod))
		}
		return err
	})
}

// requestsOf is how often replicas of the issuer were asked for a token since they started, and how many of
// these requests they did not serve.
func requestsOf(t *testing.T, replicas []*corev1.Pod) (all, refused float64) {
	t.Helper()
	const requests = "lanyard_issuer_requests_total"
	for _, pod := range replicas {
		read, err := readMetrics(t, "http://"+pod.Status.PodIP+":8080/metrics")
		if err != nil {
			t.Fatal(err)
		}
		all += read.sum(requests, map[string]string{"endpoint": "token"})
		refused -= read.sum(requests, map[string]string{"endpoint": "token", "outcome": "ok"})
	}
	return all, refused + all
}

// asking is a program that asks the issuer for tokens and for its keys ten times a second, each time over a new connection,
// and never a second time: what a sidecar would forgive, it notes.
type asking struct {
	cancel context.CancelFunc
	wg     sync.WaitGroup

	mu     sync.Mutex
	n      int
	failed []string
	worst  time.Duration
}

// askIssuer begins to ask as the client of the load's first pod.
func (l *load) askIssuer(t *testing.T) *asking {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	a := &asking{cancel: cancel}
	t.Cleanup(cancel)
	with := l.client(t, l.namespace, l.name+"-mtls")
	form := tokenForm(l.assertion(t)).Encode()
	a.wg.Go(func() {
		tick := time.NewTicker(100 * time.Millisecond)
		defer tick.Stop()
		for token := true; ; token = !token {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
			a.wg.Go(func() { a.ask(ctx, with, token, form) })
		}
	})
	return a
}

// tokenForm asks for a token for the orders API with an assertion.
func tokenForm(assertion string) url.Values {
	return url.Values{
		"grant_type": {"client_credentials"}, "resource": {"api://orders"},
		"client_assertion_type": {"urn:ietf:params:oauth:client-assertion-type:jwt-bearer"},
		"client_assertion":      {assertion},
	}
}

// assertion is the service account token of the load's first pod, which only its sidecar sees.
func (l *load) assertion(t *testing.T) string {
	t.Helper()
	return l.file(t, l.pods[0], "lanyard-sidecar", "/var/run/secrets/lanyard.dev/assertion/token")
}

func (a *asking) ask(ctx context.Context, with *http.Client, token bool, form string) {
	begun := time.Now()
	cause := ""
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, issuerURL+"/oauth2/keys", http.NoBody)
	if token {
		request, err = http.NewRequestWithContext(ctx, http.MethodPost, issuerURL+"/oauth2/token", strings.NewReader(form))
		request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	var response *http.Response
	if err == nil {
		response, err = with.Do(request)
	}
	switch {
	case err != nil:
		cause = err.Error()
	case response.StatusCode != http.StatusOK:
		cause = response.Request.URL.Path + ": " + response.Status
	}
	if err == nil {
		_ = response.Body.Close()
	}
	if ctx.Err() != nil { // it was given up
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.n++
	a.worst = max(a.worst, time.Since(begun))
	if cause != "" {
		a.failed = append(a.failed, begun.Format("15:04:05.000 ")+cause)
	}
}

// end stops asking, prints the figures and returns what failed.
func (a *asking) end(t *testing.T, during string) (failed []string) {
	t.Helper()
	a.cancel()
	a.wg.Wait()
	figure(t, "%s: asked the issuer %d times, %d failed, the longest answer took %s", during, a.n, len(a.failed), round(a.worst))
	return a.failed
}

// allServed ends the asking, and fails the test if a request failed.
func (a *asking) allServed(t *testing.T, during string) {
	t.Helper()
	if failed := a.end(t, during); len(failed) > 0 {
		t.Errorf("%s, %d requests to the issuer failed, and none may:\n\t%s", during, len(failed), strings.Join(failed[:min(len(failed), 5)], "\n\t"))
	}
	if a.n == 0 {
		t.Errorf("%s, the issuer was not asked", during)
	}
}
