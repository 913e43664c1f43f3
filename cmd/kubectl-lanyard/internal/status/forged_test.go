package status

import (
	"bytes"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/lanyard-dev/lanyard/api/v1alpha1"
	"github.com/lanyard-dev/lanyard/cmd/kubectl-lanyard/internal/cli"
)

// What a client's owner writes is read by the platform: it must not look like what Lanyard
// says of it.
func TestRefusesForgedLinesOfAReport(t *testing.T) {
	const forged = "x\n  FORGED\tGranted"
	c := &v1alpha1.OAuthClient{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "checkout"}}
	c.Spec.DisplayName = forged
	c.Status.Roles = []v1alpha1.ClientRoleStatus{{Namespace: "orders", Name: forged, Value: forged, DecidedBy: forged, State: v1alpha1.RoleNotFound}}
	c.Status.Conditions = []metav1.Condition{{
		Type: v1alpha1.ConditionRolesGranted, Status: metav1.ConditionFalse, Reason: v1alpha1.ReasonRolesNotFound, Message: forged,
	}}
	f := clientFacts{client: c, events: []corev1.Event{{
		Type: corev1.EventTypeWarning, InvolvedObject: corev1.ObjectReference{Kind: "OAuthClient", Name: "checkout"}, Reason: forged, Message: forged,
	}}}
	var out bytes.Buffer
	p := &page{w: &out, now: noon, wide: true, paint: func(_ cli.Colour, text string) string { return text }}
	p.client(reportClient(f, noon))
	for line := range strings.Lines(out.String()) {
		if strings.HasPrefix(strings.TrimSpace(line), "FORGED") {
			t.Errorf("a line of its own: %q in\n%s", line, out.String())
		}
	}
}
