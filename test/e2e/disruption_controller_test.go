//go:build e2e

package e2e

import (
	"testing"
	"time"
)

func TestNothingThatRunsNoticesThatTheControllerIsKilled(t *testing.T) {
	l := disturbed(t)
	replicas := l.awaitReplicas(t, "lanyard-controller", 2)
	asking := l.askIssuer(t)
	killed := time.Now()
	for _, pod := range replicas {
		l.kill(t, pod, "controller")
	}
	for _, pod := range replicas {
		l.awaitRestart(t, pod)
	}
	figure(t, "both replicas of the controller, which were killed, were ready again after %s", round(time.Since(killed)))
	pause(t, lasting(10*time.Second, time.Minute))
	asking.allServed(t, "when the controller was killed")
	l.unharmed(t, "when the controller was killed")
}
