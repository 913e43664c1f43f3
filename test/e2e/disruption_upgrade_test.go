//go:build e2e

package e2e

import (
	"testing"
	"time"
)

// previousChart is the chart of the version before; see its folder.
const previousChart = "test/e2e/testdata/lanyard-0.1.0.tgz"

// It begins with the version before, goes to this one, and back.
func TestNoCallFailsWhileLanyardIsUpgradedAndRolledBack(t *testing.T) {
	l := newShop(t).startLoad(t, 10, tokensOfAMinute...)
	asking := l.askIssuer(t)
	admission := l.createPods(t)
	for _, step := range []struct {
		what string
		args []string
	}{
		{"helm upgrade to the chart before", []string{"upgrade", "lanyard", previousChart, "--values=" + l.values()}},
		{"helm upgrade to this chart", []string{"upgrade", "lanyard", "charts/lanyard", "--values=" + l.values()}},
		{"helm rollback to the chart before", []string{"rollback", "lanyard"}},
		{"helm upgrade to this chart again", []string{"upgrade", "lanyard", "charts/lanyard", "--values=" + l.values()}},
	} {
		begun := time.Now()
		if _, err := l.helm(t.Context(), append(step.args, "--namespace="+systemNamespace, "--wait", "--timeout=2m")...); err != nil {
			t.Fatalf("%s: %v", step.what, err)
		}
		l.awaitReplicas(t, "lanyard-issuer", 2)
		l.awaitReplicas(t, "lanyard-controller", 2)
		figure(t, "%s took %s", step.what, round(time.Since(begun)))
	}
	pause(t, 6*time.Second) // in which the last old replica ends
	asking.allServed(t, "while Lanyard was upgraded and rolled back")
	admission.allAdmitted(t, "while Lanyard was upgraded and rolled back")
	l.unharmed(t, "while Lanyard was upgraded and rolled back")
}
