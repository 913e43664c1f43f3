//go:build e2e

package e2e

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/lanyard-dev/lanyard/test/e2e/app"
	"github.com/lanyard-dev/lanyard/test/orders"
)

// ordersURL is the orders API itself, for those who bring token and certificate.
const ordersURL = "https://orders.orders.svc:8443/orders"

// The story of the README, with real pods: a client and its certificate, an API and its role, and
// two lines on a pod template.
func TestStory(t *testing.T) {
	beside(t)
	s := newShop(t)
	s.declareClient(t)
	s.declareClient(t, neighbour...)
	s.apply(t, manifest(t, "deployment.yaml", slices.Concat(exposed, quiet, anotherUser, withGroup, withInit)...))
	s.apply(t, manifest(t, "deployment.yaml", slices.Concat(exposed, quiet, anotherUser, withInit, neighbour)...))
	pod, stranger := s.readyPod(t, "checkout"), s.readyPod(t, "packing")
	t.Run("with fsGroup the sidecar's files are the group's", func(t *testing.T) { s.ownedBy(t, pod, groupOfPod, 0o440) })
	t.Run("without it they are for everybody who has the mount", func(t *testing.T) { s.ownedBy(t, stranger, anyGroup, 0o444) })
	t.Run("init containers have tokens, too", func(t *testing.T) { initContainerEndedWell(t, pod); initContainerEndedWell(t, stranger) })
	checkout, packing := callerOf(pod), callerOf(stranger)
	token := strings.TrimSpace(s.file(t, pod, "app", boundDirectory+"/token"))

	for name, answer := range map[string]app.Answer{
		"the app calls the orders API in plain HTTP, at a port of its sidecar": checkout.call(t, app.Call{URL: upstream}),
		"and itself, with token and certificate from its directory":            checkout.call(t, app.Call{URL: ordersURL, Directory: boundDirectory}),
	} {
		t.Run(name, func(t *testing.T) {
			if refusal := answer.Refusal(); refusal != "" {
				t.Fatal(refusal)
			}
			var list orders.List
			if err := json.Unmarshal([]byte(answer.Body), &list); err != nil {
				t.Fatal(err)
			}
			if who := list.Caller; who.ClientID != s.namespace+"/checkout" || who.Pod != pod.Name || who.Certificate == "" {
				t.Errorf("the orders API was called by %+v, want client %s/checkout in pod %s with a bound token", who, s.namespace, pod.Name)
			}
			if len(list.Orders) == 0 {
				t.Error("no orders")
			}
		})
	}
	if answer := packing.call(t, app.Call{URL: ordersURL, Directory: boundDirectory}); answer.Refusal() != "" {
		t.Fatalf("the neighbour's own token: %s", answer.Refusal())
	}
	for name, answer := range map[string]app.Answer{
		"the same token from another pod is refused": packing.call(t, app.Call{URL: ordersURL, Token: token}),
		"also with that pod's own certificate":       packing.call(t, app.Call{URL: ordersURL, Token: token, Directory: boundDirectory}),
		"and in its own pod without the certificate": checkout.call(t, app.Call{URL: ordersURL, Token: token}),
	} {
		t.Run(name, func(t *testing.T) {
			if answer.Status != http.StatusUnauthorized || !strings.Contains(answer.Header.Get("WWW-Authenticate"), "invalid_token") {
				t.Errorf("answer: %d %s %s", answer.Status, answer.Header.Get("WWW-Authenticate"), answer.Body)
			}
		})
	} // Whatever the other pod's sidecar makes of it, it does not speak as checkout.
	if answer := packing.call(t, app.Call{URL: upstream, Token: token}); strings.Contains(answer.Body, s.namespace+"/checkout") {
		t.Errorf("through the other pod's sidecar: %d %s", answer.Status, answer.Body)
	}
}
