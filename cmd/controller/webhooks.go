package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net/http"
	"time"

	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/certwatcher"
	ctrlmetrics "sigs.k8s.io/controller-runtime/pkg/metrics"
	ctrlwebhook "sigs.k8s.io/controller-runtime/pkg/webhook"

	"github.com/lanyard-dev/lanyard/controllers/injection"
	"github.com/lanyard-dev/lanyard/controllers/webhook"
)

// setUpWebhooks adds the admission webhooks, which every replica serves.
func setUpWebhooks(ctx context.Context, mgr ctrl.Manager, o Options) error {
	if o.WebhookListen == "0" {
		return nil
	}
	host, port, err := o.webhookAddress()
	if err != nil {
		return err
	}
	// It reads the files again when they change, and every ten seconds.
	certificate, err := certwatcher.New(o.WebhookTLSCert, o.WebhookTLSKey)
	if err != nil {
		return fmt.Errorf("--webhook-tls-cert=%s --webhook-tls-key=%s: %w; name the files of a certificate, or serve no webhooks with --webhook-listen=0",
			o.WebhookTLSCert, o.WebhookTLSKey, err)
	}
	server := ctrlwebhook.NewServer(ctrlwebhook.Options{Host: host, Port: port, TLSOpts: []func(*tls.Config){func(c *tls.Config) {
		c.GetCertificate, c.MinVersion = certificate.GetCertificate, tls.VersionTLS12
	}}})
	server = leaving{server, ctx}
	guard := webhook.NewGuard(ctrlmetrics.Registry, mgr.GetCache())
	injection.SetupWithManager(mgr, injection.Config{Installation: o.installation(), Server: server, Guard: guard.Judging})
	return errors.Join(
		webhook.SetupWithManager(ctx, mgr, webhook.Config{
			Server: server, Now: time.Now, ClusterDomain: o.ClusterDomain, AllowedIssuers: o.AllowedIssuers, Guard: guard,
		}),
		mgr.Add(certificate),
		mgr.Add(server),
		mgr.AddReadyzCheck("webhooks", webhook.Serving(o.WebhookListen, time.Now)),
	)
}

// leaving serves webhooks, and from the end of ctx on has each connection closed after its answer:
// the API server keeps its connections, and a review that it sends on one in the moment that the
// process ends would be a refused write.
type leaving struct {
	ctrlwebhook.Server
	ctx context.Context //nolint:containedctx // of the process, not of a call
}

// Register adds a webhook to the server.
func (s leaving) Register(path string, hook http.Handler) {
	s.Server.Register(path, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if s.ctx.Err() != nil {
			w.Header().Set("Connection", "close") // in HTTP/2 it sends GOAWAY
		}
		hook.ServeHTTP(w, r)
	}))
}
