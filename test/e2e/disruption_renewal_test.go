//go:build e2e

package e2e

import (
	"encoding/json"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/lanyard-dev/lanyard/test/e2e/app"
	"github.com/lanyard-dev/lanyard/test/orders"
)

// renewedEveryMinute is an edit of client.yaml: cert-manager renews the certificate a minute after it made it.
var renewedEveryMinute = []string{"    secretName: checkout-mtls", "    secretName: checkout-mtls\n    duration: 1h\n    renewBefore: 59m"}

// The kubelet brings a renewed Secret into a pod after a minute or two; the sidecar gets tokens for it, and
// switches both together. In `make e2e` the pod is changed again and again, which has the kubelet look at once: so
// every renewal arrives, and the third certificate in use is enough.
func TestNoCallFailsWhileTheCertificateIsRenewedEveryMinute(t *testing.T) {
	beside(t)
	while := lasting(160*time.Second, 10*time.Minute)
	// Otherwise it is there after two minutes at the latest, and may then be the one after the next.
	want := 1 + int((while-30*time.Second)/(2*time.Minute))
	if !soak() {
		want = 3
	}
	s := newShop(t)
	l := s.startLoad(t, 1, renewedEveryMinute...)
	// Beside it an app that speaks mutual TLS itself, with what it finds in its directory at each call.
	s.declareClient(t, slices.Concat(renewedEveryMinute, neighbour)...)
	direct := s.startPods(t, "packing", 1, slices.Concat(exposed, []string{
		"--url=" + upstream, "--url=" + ordersURL + "\n        - --directory=" + boundDirectory,
	})...)
	l.begin(t)
	var used []string // thumbprints of certificates, as the API saw them
	look := func() {
		answer := callerOf(l.pods[0]).call(t, app.Call{URL: upstream})
		var list orders.List
		if err := json.Unmarshal([]byte(answer.Body), &list); err != nil || answer.Refusal() != "" {
			t.Errorf("a call: %s %v", answer.Refusal(), err)
			return
		}
		if c := list.Caller.Certificate; !slices.Contains(used, c) {
			used = append(used, c)
			t.Logf("after %s the API sees the certificate %s", time.Since(l.since).Round(time.Second), c)
		}
	}
	for begun := time.Now(); time.Since(begun) < while && (soak() || len(used) < want); {
		look()
		if !soak() {
			s.do(t, "annotate", "pods", "--all", "--overwrite", fmt.Sprintf("shop.example/looked-at=%d", time.Now().Unix()))
		}
		l.goesOn(t, "the certificate is renewed every minute", min(10*time.Second, while-time.Since(begun)))
		if t.Failed() {
			return
		}
	}
	look()
	took := time.Since(l.since)
	l.unharmed(t, "while the certificate was renewed every minute")
	direct.unharmed(t, "while the certificate was renewed every minute, and the app used it itself")
	figure(t, "%d certificates were in use within %s", len(used), round(took))
	if len(used) < want {
		t.Errorf("%d certificates were used within %s; want %d: that was no test of renewals", len(used), round(took), want)
	}
}
