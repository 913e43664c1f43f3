package main

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/lanyard-dev/lanyard/test/testenv"
)

// A rolling update tells a pod to stop before everybody has heard that it does: kube-proxy
// still sends requests there for a moment. None of them may fail.
func TestAnswersWhatArrivesDuringShutdown(t *testing.T) {
	s := newStage(t)
	s.account(t, "checkout")
	s.declareOrders(t)
	s.declare(t, "checkout")
	s.keys(t)
	s.opts.ShutdownDelay = 10 * time.Second // within which all that follows is asked
	stop := s.start(t)
	s.waitFor(t, http.StatusOK)

	// A pod that is Ready answers its first request, whoever asks.
	clients := map[string]*http.Client{}
	for _, protocol := range []string{"HTTP/1.1", "HTTP/2.0"} {
		c := s.clientOf(t, protocol)
		clients["a new connection, "+protocol], clients["a kept connection, "+protocol] = s.clientOf(t, protocol), c
		if resp := s.tokenOver(t, c); resp.StatusCode != http.StatusOK || resp.Close || resp.Proto != protocol {
			t.Fatalf("the first request after Ready, %s: %s %s, closed: %v", protocol, resp.Proto, resp.Status, resp.Close)
		}
	}

	ended := make(chan error, 1)
	go func() { ended <- stop() }()
	s.waitFor(t, http.StatusServiceUnavailable)
	if status, text := s.get(t.Context(), t, "/healthz"); status != http.StatusOK {
		t.Errorf("/healthz while it stops: %d %s; the kubelet would kill it", status, text)
	}
	for name, c := range clients {
		for range 3 { // each time anew: the answer before told the client to go elsewhere
			resp := s.tokenOver(t, c)
			if resp.StatusCode != http.StatusOK {
				t.Errorf("over %s: %s", name, resp.Status)
			}
			if resp.ProtoMajor == 1 && !resp.Close {
				t.Errorf("over %s: the client is not told to go elsewhere", name)
			}
		}
	}
	select {
	case err := <-ended:
		t.Fatalf("it ended before the test of it: %v", err)
	default:
	}
	if err := <-ended; err != nil {
		t.Errorf("the issuer ended: %v", err)
	}
	if log := s.log.String(); strings.Contains(log, "requests were cut off") || !strings.Contains(log, `"msg":"stopped"`) {
		t.Errorf("it did not stop in order:\n%s", log)
	}
}

// waitFor waits until /readyz answers want.
func (s *stage) waitFor(t *testing.T, want int) {
	t.Helper()
	testenv.Eventually(t, func(ctx context.Context) error {
		if status, text := s.get(ctx, t, "/readyz"); status != want {
			return fmt.Errorf("/readyz: %d %s; want %d", status, text, want)
		}
		return nil
	})
}

// clientOf is one that speaks protocol, with connections of its own.
func (s *stage) clientOf(t *testing.T, protocol string) *http.Client {
	t.Helper()
	transport := &http.Transport{TLSClientConfig: s.http.Transport.(*http.Transport).TLSClientConfig.Clone(), ForceAttemptHTTP2: protocol == "HTTP/2.0"}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport, Timeout: 20 * time.Second}
}

// tokenOver asks for a token over c, and returns the answer without its body.
func (s *stage) tokenOver(t *testing.T, c *http.Client) *http.Response {
	t.Helper()
	form := url.Values{"grant_type": {"client_credentials"}, "client_id": {s.shop + "/checkout"}, "scope": {s.identifier() + "/.default"}}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.opts.IssuerURL+"/oauth2/token", strings.NewReader(form.Encode()))
	check(t, err)
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	resp, err := c.Do(req)
	check(t, err)
	check(t, resp.Body.Close())
	return resp
}
