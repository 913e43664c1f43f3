package main

import (
	"context"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"testing"

	ctrlwebhook "sigs.k8s.io/controller-runtime/pkg/webhook"
)

func TestConnectionsOfWebhooksAreGivenUpBeforeTheEnd(t *testing.T) {
	for _, http2 := range []bool{true, false} {
		ctx, end := context.WithCancel(t.Context())
		t.Cleanup(end)
		server := ctrlwebhook.NewServer(ctrlwebhook.Options{})
		leaving{server, ctx}.Register("/review", http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
		s := httptest.NewUnstartedServer(server.WebhookMux())
		s.EnableHTTP2 = http2
		s.StartTLS()
		t.Cleanup(s.Close)
		reused := func(ctx context.Context) (was bool) {
			trace := &httptrace.ClientTrace{GotConn: func(i httptrace.GotConnInfo) { was = i.Reused }}
			r, err := http.NewRequestWithContext(httptrace.WithClientTrace(ctx, trace), http.MethodPost, s.URL+"/review", http.NoBody)
			if err != nil {
				t.Fatal(err)
			}
			resp, err := s.Client().Do(r)
			if err != nil {
				t.Fatal(err)
			}
			if err := resp.Body.Close(); err != nil {
				t.Fatal(err)
			}
			return was
		}
		reused(t.Context())
		if !reused(t.Context()) {
			t.Errorf("HTTP/2 %t: a connection is not used again", http2)
		}
		end()
		reused(t.Context())
		if reused(t.Context()) {
			t.Errorf("HTTP/2 %t: a connection is used again by the time that the process ends", http2)
		}
	}
}
