package main

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"log/slog"
	"os"
	"sync"
	"time"

	"github.com/lanyard-dev/lanyard/cmd/internal/program"
	"github.com/lanyard-dev/lanyard/sidecar/ingress"
	"github.com/lanyard-dev/lanyard/sidecar/metrics"
	"github.com/lanyard-dev/lanyard/verifier"
)

// Ingress runs lanyard-sidecar ingress, and returns the exit code.
func Ingress(args []string) int {
	var o IngressOptions
	return program.Main("sidecar ingress", args, &o, func(ctx context.Context, log io.Writer) error { return RunIngress(ctx, o, log) })
}

// RunIngress serves until ctx ends, and then until what was begun is done. It logs to w.
func RunIngress(ctx context.Context, o IngressOptions, w io.Writer) error {
	level, err := o.level()
	if err != nil {
		return err
	}
	log := slog.New(slog.NewJSONHandler(w, &slog.HandlerOptions{Level: level}))
	tuneGarbage(os.Getenv)
	f, err := openIngressFiles(o)
	if err != nil {
		return err
	}
	v, err := verifier.New(verifier.Config{
		Issuer: o.Issuer, Audience: o.Audience, URLs: o.URLs, AllowUnbound: o.AllowUnbound,
		HTTPClient: ingress.KeyClient(f.issuerRoots), Now: time.Now, Logger: log,
	})
	if err != nil {
		return fmt.Errorf("--issuer, --audience, --url: %w", err)
	}
	registry := &metrics.Registry{}
	if f.own != nil {
		registry.Add(ingress.Expiry(f.own.Get))
	}
	gate := ingress.NewGate(ingress.Config{
		Verifier: v, Audience: o.Audience, Rules: f.rules.Get, Metrics: registry, Random: rand.Text, Now: time.Now, Log: log,
	})
	s := &ingressServers{options: o, log: log}
	s.ops = ingress.NewPlainServer(ingress.NewOps(s.ready, registry), log)
	if err := s.add(gate, f); err != nil {
		return err
	}

	background, cancel := context.WithCancel(context.WithoutCancel(ctx))
	var wg sync.WaitGroup
	defer wg.Wait()
	defer cancel()
	f.watch(background, &wg, log)
	return s.serve(ctx)
}

// add makes the servers that the flags ask for.
func (s *ingressServers) add(gate *ingress.Gate, f *ingressFiles) error {
	o := s.options
	kind := ingress.Proxy(o.Proxy) // valid, or not used
	if o.Listen != "" {
		app, err := ingress.ParseApp(o.Forward)
		if err != nil {
			return fmt.Errorf("--forward: %w", err)
		}
		s.public = ingress.NewServer(gate.Forward(ingress.ForwardConfig{App: app, KeepToken: o.ForwardToken, Peers: f.peers(o), Proxy: kind}), f.own.Get, s.log)
	}
	if o.AuthListen == "" {
		return nil
	}
	auth := ingress.AuthConfig{Proxy: kind}
	if o.authOverTLS() {
		auth.Peers = f.peers(o)
		s.auth = ingress.NewServer(gate.AuthRequest(auth), f.own.Get, s.log)
		return nil
	}
	s.auth = ingress.NewPlainServer(gate.AuthRequest(auth), s.log)
	return nil
}

// ingressFiles are the files that the flags name, each read again when it changes.
type ingressFiles struct {
	rules   *ingress.File[*ingress.Rules]
	own     *ingress.File[*tls.Certificate] // nil: none is needed
	issuer  *ingress.File[*x509.CertPool]   // nil: the system's roots
	proxies *ingress.File[*x509.CertPool]   // nil: there are none
}

func openIngressFiles(o IngressOptions) (f *ingressFiles, err error) {
	f = &ingressFiles{}
	if f.rules, err = ingress.Load(ingress.RulesOf, o.RulesFile); err != nil {
		return nil, fmt.Errorf("--rules: %w", err)
	}
	if o.Listen != "" || o.authOverTLS() {
		if f.own, err = ingress.Load(ingress.CertificateOf, o.TLSCert, o.TLSKey); err != nil {
			return nil, fmt.Errorf("--tls-cert, --tls-key: %w", err)
		}
	}
	if o.CAFile != "" {
		if f.issuer, err = ingress.Load(ingress.PoolOf, o.CAFile); err != nil {
			return nil, fmt.Errorf("--ca: %w", err)
		}
	}
	if o.ProxyCA != "" {
		if f.proxies, err = ingress.Load(ingress.PoolOf, o.ProxyCA); err != nil {
			return nil, fmt.Errorf("--client-cert-proxy-ca: %w", err)
		}
	}
	return f, nil
}

// issuerRoots are nil for those of the system.
func (f *ingressFiles) issuerRoots() *x509.CertPool {
	if f.issuer == nil {
		return nil
	}
	return f.issuer.Get()
}

// peers are the proxies that may name certificates; nil: there are none.
func (f *ingressFiles) peers(o IngressOptions) *ingress.Peers {
	if f.proxies == nil {
		return nil
	}
	return &ingress.Peers{CAs: f.proxies.Get, Names: o.ProxyNames}
}

func (f *ingressFiles) watch(ctx context.Context, wg *sync.WaitGroup, log *slog.Logger) {
	wg.Go(func() { f.rules.Watch(ctx, log) })
	if f.own != nil {
		wg.Go(func() { f.own.Watch(ctx, log) })
	}
	for _, pool := range []*ingress.File[*x509.CertPool]{f.issuer, f.proxies} {
		if pool != nil {
			wg.Go(func() { pool.Watch(ctx, log) })
		}
	}
}
