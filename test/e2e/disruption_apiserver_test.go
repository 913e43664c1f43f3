//go:build e2e

package e2e

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"testing"
	"time"
)

const apiServer = "kube-apiserver"

// The issuer goes on from memory, and so does everything that runs.
func TestTokensAreMintedAndCheckedWhileTheAPIServerIsAway(t *testing.T) {
	away := lasting(20*time.Second, 2*time.Minute)
	l := disturbed(t)
	s := l.shop
	asking := l.askIssuer(t)
	assertion := l.assertion(t)
	checkout, orders := s.client(t, s.namespace, "checkout-mtls"), s.client(t, "orders", "orders-mtls")
	issuers := s.awaitReplicas(t, "lanyard-issuer", 2)
	ctx := t.Context()
	if err := s.node.Stop(ctx, apiServer); err != nil {
		t.Fatal(err)
	}
	started := false
	start := func() error {
		if started {
			return nil
		}
		started = true
		return s.node.Start(ctx, apiServer)
	}
	defer func() {
		if err := start(); err != nil {
			t.Error(err)
		}
		s.do(t, "patch", "oauthclient", "checkout", "--type=merge", "-p", `{"spec":{"suspend":false}}`)
		s.watchAgain(t)
	}()
	stopped := time.Now()
	if _, err := s.clientset.Discovery().ServerVersion(); err == nil {
		t.Fatal("the API server answers, although it was stopped")
	}
	all, refused := requestsOf(t, issuers)
	l.goesOn(t, "without the API server", away)
	status, answer := s.post(t, checkout, "/oauth2/token", tokenForm(assertion))
	mine, _ := answer["access_token"].(string)
	if mine == "" {
		t.Errorf("without the API server a request for a token is answered %d %v", status, answer)
	}
	if status, answer := s.post(t, orders, "/oauth2/introspect", url.Values{"client_id": {"orders/orders"}, "token": {mine}}); answer["active"] != true {
		t.Errorf("without the API server introspection answers %d %v of a good token", status, answer)
	}
	allThen, refusedThen := requestsOf(t, issuers)
	figure(t, "without the API server, for %s, the issuer was asked for %.0f tokens, and refused %.0f", round(time.Since(stopped)), allThen-all, refusedThen-refused)

	begun := time.Now()
	if err := start(); err != nil {
		t.Fatal(err)
	}
	eventually(t, patience, func() error { _, err := s.clientset.Discovery().ServerVersion(); return err })
	figure(t, "the API server answered %s after its start", round(time.Since(begun)))
	back := time.Now()
	pods := l.createPods(t)
	eventually(t, 2*patience, func() error { return pods.latest() })
	pods.end()
	figure(t, "a pod with the label was admitted, with its sidecar, %s later", round(time.Since(back)))
	asking.allServed(t, "while the API server was away and came back")
	l.unharmed(t, "while the API server was away and came back")

	// What is declared from then on is in force as ever.
	back = time.Now()
	s.do(t, "patch", "oauthclient", "checkout", "--type=merge", "-p", `{"spec":{"suspend":true}}`)
	eventually(t, patience, func() error {
		if status, _ := s.tokenWith(t, assertion); status != http.StatusUnauthorized {
			return fmt.Errorf("a suspended client is answered %d", status)
		}
		return nil
	})
	figure(t, "and a suspension was in force %s after it was declared", round(time.Since(back)))
}

// watchAgain restarts those that watch the API server, which look for it again after up to a minute:
// the tests after this one need not wait for that. Without kube-proxy Services would lead to pods that
// were replaced meanwhile.
func (s *shop) watchAgain(t *testing.T) {
	t.Helper()
	for _, name := range []string{"kube-proxy", "kube-controller-manager", "kube-scheduler", "certmanager-controllers"} {
		if err := errors.Join(s.node.Stop(t.Context(), name), s.node.Start(t.Context(), name)); err != nil {
			t.Error(err)
		}
	}
	system().do(t, "rollout", "restart", "deployment/lanyard-controller")
	system().do(t, "rollout", "status", "deployment/lanyard-controller", "--timeout=2m")
}
