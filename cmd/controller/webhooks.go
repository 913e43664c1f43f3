package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
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
