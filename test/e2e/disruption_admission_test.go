//go:build e2e

package e2e

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// creating creates a pod with the label again and again. These are dry runs: each is admitted as if it were to run,
// and none runs.
type creating struct {
	cancel context.CancelFunc
	wg     sync.WaitGroup

	mu     sync.Mutex
	n      int
	last   error
	failed []string
}

var errNotTried = errors.New("no pod was created yet")

// createPods begins to create the load's pods, five a second.
func (l *load) createPods(t *testing.T) *creating {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	t.Cleanup(cancel)
	deployment, err := l.clientset.AppsV1().Deployments(l.namespace).Get(ctx, l.name, metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	template := deployment.Spec.Template
	pod := &corev1.Pod{Spec: template.Spec, ObjectMeta: metav1.ObjectMeta{
		Namespace: l.namespace, GenerateName: l.name + "-", Labels: template.Labels, Annotations: template.Annotations,
	}}
	create := func() error {
		created, err := l.clientset.CoreV1().Pods(l.namespace).Create(ctx, pod.DeepCopy(), metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
		if err == nil && (len(created.Spec.InitContainers) == 0 || created.Spec.InitContainers[0].Name != "lanyard-sidecar") {
			err = errors.New("it has no sidecar")
		}
		return err
	}
	c := &creating{cancel: cancel, last: errNotTried}
	c.wg.Go(func() {
		for ctx.Err() == nil {
			begun := time.Now()
			if err := create(); ctx.Err() == nil {
				c.note(begun, err)
			}
			select {
			case <-ctx.Done():
			case <-time.After(200 * time.Millisecond):
			}
		}
	})
	return c
}

func (c *creating) note(begun time.Time, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.n++
	if c.last = err; err != nil {
		c.failed = append(c.failed, fmt.Sprintf("%s after %s: %v", begun.Format("15:04:05.000"), round(time.Since(begun)), err))
	}
}

// latest says what became of the last one.
func (c *creating) latest() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.last
}

func (c *creating) end() {
	c.cancel()
	c.wg.Wait()
}

// allAdmitted ends the creating, and fails the test if a pod was refused.
func (c *creating) allAdmitted(t *testing.T, during string) {
	t.Helper()
	c.end()
	figure(t, "%s: %d pods were to be created, %d were refused", during, c.n, len(c.failed))
	if len(c.failed) > 0 {
		t.Errorf("%s, %d pods were refused, and none may be:\n\t%s", during, len(c.failed), strings.Join(c.failed[:min(len(c.failed), 5)], "\n\t"))
	}
}
