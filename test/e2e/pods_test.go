//go:build e2e

package e2e

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"
)

// awaitPod watches the pods that match a label selector until one is as it should be, and
// returns it. What says in words what is waited for.
func (s *shop) awaitPod(t *testing.T, selector, what string, is func(*corev1.Pod) bool) *corev1.Pod {
	t.Helper()
	return s.awaitPodEvent(t, selector, what, func(event watch.EventType, pod *corev1.Pod) bool {
		return event != watch.Deleted && is(pod)
	})
}

func (s *shop) awaitPodEvent(t *testing.T, selector, what string, is func(watch.EventType, *corev1.Pod) bool) *corev1.Pod {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	// Without a resource version the watch begins with what is there.
	watcher, err := s.clientset.CoreV1().Pods(s.namespace).Watch(ctx, metav1.ListOptions{LabelSelector: selector})
	if err != nil {
		t.Fatal(err)
	}
	defer watcher.Stop()
	last := "none is there"
	for event := range watcher.ResultChan() {
		pod, ok := event.Object.(*corev1.Pod)
		if !ok {
			t.Fatalf("watching pods %s: %v", selector, event.Object)
		}
		if is(event.Type, pod) {
			return pod
		}
		last = fmt.Sprintf("%s %s: %s", event.Type, pod.Name, statusOf(pod))
	}
	t.Fatalf("no pod %s that %s within %s; last seen: %s", selector, what, patience, last)
	return nil
}

// statusOf says how far a pod is.
func statusOf(pod *corev1.Pod) string {
	said := []string{string(pod.Status.Phase)}
	for _, c := range slices.Concat(pod.Status.InitContainerStatuses, pod.Status.ContainerStatuses) {
		state := "running"
		switch {
		case c.State.Waiting != nil:
			state = "waits: " + c.State.Waiting.Reason + " " + c.State.Waiting.Message
		case c.State.Terminated != nil:
			state = fmt.Sprintf("ended with %d: %s", c.State.Terminated.ExitCode, c.State.Terminated.Message)
		}
		said = append(said, c.Name+" "+state)
	}
	return strings.Join(said, "; ")
}

func ready(pod *corev1.Pod) bool {
	return pod.DeletionTimestamp == nil && slices.ContainsFunc(pod.Status.Conditions, func(c corev1.PodCondition) bool {
		return c.Type == corev1.PodReady && c.Status == corev1.ConditionTrue
	})
}

// readyPod waits for a pod of the app that is ready.
func (s *shop) readyPod(t *testing.T, app string) *corev1.Pod {
	t.Helper()
	return s.awaitPod(t, "app="+app, "is ready", ready)
}

// awaitGone waits until the pod is gone from the API server, and returns when.
func (s *shop) awaitGone(t *testing.T, pod *corev1.Pod) time.Time {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	watcher, err := s.clientset.CoreV1().Pods(s.namespace).Watch(ctx, metav1.ListOptions{
		FieldSelector: "metadata.name=" + pod.Name, ResourceVersion: pod.ResourceVersion,
	})
	if err != nil {
		t.Fatal(err)
	}
	defer watcher.Stop()
	for event := range watcher.ResultChan() {
		if event.Type == watch.Deleted {
			return time.Now()
		}
	}
	t.Fatalf("pod %s is still there after %s", pod.Name, patience)
	return time.Time{}
}

// logs is what a container of the pod has said.
func (s *shop) logs(t *testing.T, pod *corev1.Pod, container string) string {
	t.Helper()
	return s.do(t, "logs", pod.Name, "-c", container)
}

// awaitEvent waits for an event on the object of that name, or whose name begins so, that says text.
func (s *shop) awaitEvent(t *testing.T, name, text string) corev1.Event {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	watcher, err := s.clientset.CoreV1().Events(s.namespace).Watch(ctx, metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer watcher.Stop()
	var others []string
	for event := range watcher.ResultChan() {
		said, ok := event.Object.(*corev1.Event)
		if !ok || !strings.HasPrefix(said.InvolvedObject.Name, name) {
			continue
		}
		if strings.Contains(said.Message, text) {
			t.Logf("event on %s: %s: %s", said.InvolvedObject.Name, said.Reason, said.Message)
			return *said
		}
		others = append(others, said.Message)
	}
	t.Fatalf("no event on %s says %q within %s; others: %q", name, text, patience, others)
	return corev1.Event{}
}

// current is the pod as it is now.
func (s *shop) current(t *testing.T, pod *corev1.Pod) *corev1.Pod {
	t.Helper()
	now, err := s.clientset.CoreV1().Pods(s.namespace).Get(t.Context(), pod.Name, metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return now
}

// systemPods are those of the Deployment lanyard-controller, or lanyard-issuer.
func (w *world) systemPods(t *testing.T, name string) []corev1.Pod {
	t.Helper()
	list, err := w.clientset.CoreV1().Pods(systemNamespace).List(t.Context(), metav1.ListOptions{LabelSelector: "app.kubernetes.io/name=" + name})
	if err != nil {
		t.Fatal(err)
	}
	if len(list.Items) == 0 {
		t.Fatalf("no pods of %s", name)
	}
	return list.Items
}
