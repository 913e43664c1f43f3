//go:build e2e

package e2e

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// Introspection says at once that its tokens are worth nothing. Its sidecars go on with the one in hand until it ends,
// since an API that checks offline accepts it, and say what is wrong meanwhile.
func TestASuspendedClientIsReportedByItsSidecarsAndRecovers(t *testing.T) {
	beside(t)
	s := newShop(t)
	s.declareClient(t, "  displayName: Checkout", "  displayName: Checkout\n  accessTokenLifetime: 1m")
	s.apply(t, manifest(t, "deployment.yaml"))
	pod := s.readyPod(t, "checkout")
	calls := callerOf(pod)
	calls.awaitSuccesses(t, 1)
	token := strings.TrimSpace(s.file(t, pod, "app", "/var/run/lanyard/tokens/orders"))
	if !s.active(t, token) {
		t.Fatal("the token is inactive before its client is suspended")
	}

	s.plugin(t, "suspend", "checkout", "-n", s.namespace)
	suspended := time.Now()
	s.awaitInactive(t, token, suspended)
	figure(t, "inactive at introspection %v after its client was suspended (limit %v)", round(time.Since(suspended)), inactiveWithin)
	eventually(t, 2*patience, func() error {
		report, err := calls.report(t.Context())
		if err == nil && report.Failures == 0 {
			err = fmt.Errorf("calls still succeed %v after the suspension", time.Since(suspended))
		}
		return err
	})
	report := calls.mustReport(t)
	figure(t, "the last token of a suspended client (lifetime 1m) ended %v after the suspension; the app is told: %v",
		time.Since(suspended).Round(time.Second), report.Causes)
	if logs := s.logs(t, pod, "lanyard-sidecar"); !strings.Contains(logs, "invalid_client") {
		t.Errorf("the sidecar's log does not say that the issuer refuses:\n%s", logs)
	}
	if failing := s.sidecarMetrics(t, pod).sum("lanyard_sidecar_token_failing", map[string]string{"resource": "api://orders"}); failing != 1 {
		t.Errorf("lanyard_sidecar_token_failing is %g, want 1", failing)
	}

	s.plugin(t, "resume", "checkout", "-n", s.namespace)
	resumed := time.Now()
	eventually(t, 2*patience, func() error {
		calls.reset(t)
		time.Sleep(time.Second) // ten calls
		report, err := calls.report(t.Context())
		if err == nil && (report.Successes == 0 || report.Failures > 0) {
			err = fmt.Errorf("%d calls succeed; failures: %v", report.Successes, report.Causes)
		}
		return err
	})
	if failing := s.sidecarMetrics(t, pod).sum("lanyard_sidecar_token_failing", nil); failing != 0 {
		t.Errorf("lanyard_sidecar_token_failing is %g after it was resumed", failing)
	}
	figure(t, "recovered %v after it was resumed", time.Since(resumed).Round(time.Second))
}
