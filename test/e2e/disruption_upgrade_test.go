//go:build e2e

package e2e

import (
	"slices"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
)

// previousChart is the chart of the version before; see its folder.
const previousChart = "test/e2e/testdata/lanyard-0.1.0.tgz"

// beforeTag is the image of that version. It holds today's programs under another name: there are no others yet.
const beforeTag = "before"

// It begins with the version before, goes to this one, and back. Each step replaces every pod of Lanyard's, and with the
// image the sidecars of pods that are created.
func TestNoCallFailsWhileLanyardIsUpgradedAndRolledBack(t *testing.T) {
	if err := lanyard.importImage(t.Context(), "lanyard:"+beforeTag, lanyard.bin("lanyard")); err != nil {
		t.Fatal(err)
	}
	l := disturbed(t)
	asking := l.askIssuer(t)
	admission := l.createPods(t)
	for _, step := range []struct {
		what string
		args []string
	}{
		{"helm upgrade to the chart before", []string{"upgrade", "lanyard", previousChart, "--values=" + l.values(), "--set=image.tag=" + beforeTag}},
		{"helm upgrade to this chart", []string{"upgrade", "lanyard", "charts/lanyard", "--values=" + l.values()}},
		{"helm rollback to the chart before", []string{"rollback", "lanyard"}},
		{"helm upgrade to this chart again", []string{"upgrade", "lanyard", "charts/lanyard", "--values=" + l.values()}},
	} {
		before := append(l.replicas(t, "lanyard-issuer"), l.replicas(t, "lanyard-controller")...)
		begun := time.Now()
		if _, err := l.helm(t.Context(), append(step.args, "--namespace="+systemNamespace, "--wait", "--timeout=2m")...); err != nil {
			t.Fatalf("%s: %v", step.what, err)
		}
		l.awaitReplicas(t, "lanyard-issuer", 2)
		l.awaitReplicas(t, "lanyard-controller", 2)
		figure(t, "%s took %s", step.what, round(time.Since(begun)))
		for _, pod := range before {
			if !slices.ContainsFunc(l.replicas(t, pod.Labels["app.kubernetes.io/name"]), func(now *corev1.Pod) bool { return now.UID == pod.UID }) {
				continue
			}
			t.Errorf("%s: pod %s is still the one from before: that was no test of an upgrade", step.what, pod.Name)
		}
	}
	pause(t, 6*time.Second) // in which the last old replica ends
	asking.allServed(t, "while Lanyard was upgraded and rolled back")
	admission.allAdmitted(t, "while Lanyard was upgraded and rolled back")
	l.unharmed(t, "while Lanyard was upgraded and rolled back")
}
