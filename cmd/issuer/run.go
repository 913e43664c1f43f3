package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"k8s.io/klog/v2"

	"github.com/lanyard-dev/lanyard/issuer/clientauth"
	"github.com/lanyard-dev/lanyard/issuer/httpapi"
	"github.com/lanyard-dev/lanyard/issuer/kube"
	"github.com/lanyard-dev/lanyard/issuer/mint"
	"github.com/lanyard-dev/lanyard/issuer/oauth"
	"github.com/lanyard-dev/lanyard/issuer/registry"
	"github.com/lanyard-dev/lanyard/issuer/replay"
	"github.com/lanyard-dev/lanyard/issuer/tokenservice"
)

// shutdownTimeout is how long requests that are being served may take to end.
const shutdownTimeout = 15 * time.Second

// Run serves until ctx ends, and then until what was begun is done. It logs to w.
func Run(ctx context.Context, o Options, w io.Writer) error {
	level, err := o.level()
	if err != nil {
		return err
	}
	journal := httpapi.NewJournal(w)
	defer func() { _ = journal.Flush() }() // there is nowhere else to say it
	log := slog.New(slog.NewJSONHandler(journal, &slog.HandlerOptions{Level: level}))
	klog.SetSlogLogger(log) // what client-go says

	own, err := loadCertificate(o.TLSCert, o.TLSKey)
	if err != nil {
		return err
	}
	proxies, err := loadProxyCAs(o.ProxyCA)
	if err != nil {
		return err
	}
	metrics := prometheus.NewRegistry()
	metrics.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	known := registry.New(o.ClusterDomain)
	keys := mint.NewKeys()
	cluster, err := newCluster(o, known, keys, metrics, log)
	if err != nil {
		return err
	}
	config := apiConfig(o, known, keys, cluster, metrics, log)
	config.Proxies = proxies.trusted(o.ProxyNames)
	api, err := httpapi.New(config)
	if err != nil {
		return err
	}
	health := &health{cluster: cluster}
	server := httpapi.NewServer(api, httpapi.ServerConfig{
		GetCertificate: own.get,
		MaxConnections: o.MaxConnections,
		Strangers:      httpapi.Rate{PerSecond: o.StrangerRate, Burst: o.StrangerBurst},
	})
	ops := httpapi.NewOpsServer(httpapi.NewOps(health, metrics, log), time.Now, log)

	// What is known of the cluster is kept up to date until the last request is answered.
	background, cancel := context.WithCancel(context.WithoutCancel(ctx))
	var wg sync.WaitGroup
	defer wg.Wait()
	defer cancel()
	wg.Go(func() { cluster.Run(background) })
	wg.Go(func() { tuneGarbage(background, os.Getenv) })
	wg.Go(func() { reread(background, "the issuer's certificate", own.load, log) })
	if proxies != nil {
		wg.Go(func() { reread(background, "the CAs of proxies", proxies.load, log) })
	}
	wg.Go(func() { announce(background, cluster, log) })
	return serve(ctx, o, &servers{public: server, api: api, ops: ops, health: health}, log)
}

func newCluster(o Options, known *registry.Registry, keys *mint.Keys, metrics prometheus.Registerer, log *slog.Logger) (*kube.Cluster, error) {
	cfg, err := kube.LoadConfig(o.Kubeconfig)
	if err != nil {
		return nil, fmt.Errorf("--kubeconfig=%s: %w", o.Kubeconfig, err)
	}
	return kube.New(kube.Config{
		REST:                  cfg,
		Registry:              known,
		Keys:                  keys,
		Namespace:             o.Namespace,
		SigningKeySecret:      o.SigningKeySecret,
		ControllerLease:       o.ControllerLease,
		ServiceAccountIssuers: o.ServiceAccountIssuers,
		MaxStaleness:          o.MaxStaleness,
		Now:                   time.Now,
		Log:                   log,
		Metrics:               metrics,
	})
}

func apiConfig(o Options, known *registry.Registry, keys *mint.Keys, cluster *kube.Cluster, metrics prometheus.Registerer, log *slog.Logger) httpapi.Config {
	replayed := replay.New(o.ReplayMemory, o.ReplayQuota)
	service := &tokenservice.Service{
		Authenticator: &clientauth.Authenticator{
			Registry:  known,
			Cluster:   cluster.Keys,
			Workloads: cluster.Workloads,
			Audience:  o.IssuerURL,
			Replay:    replayed,
			Secrets:   o.ClientSecrets,
		},
		Registry:        known,
		Minter:          &mint.Minter{Issuer: o.IssuerURL, Keys: keys, Random: rand.Reader},
		Replay:          replayed,
		Revocations:     cluster.Revocations,
		RevocationQuota: o.RevocationQuota,
		Now:             time.Now,
	}
	return httpapi.Config{
		Issuer:    o.IssuerURL,
		Service:   service,
		Keys:      keys,
		Health:    cluster,
		MTLSURL:   o.MTLSURL,
		Secrets:   o.ClientSecrets,
		PerPeer:   httpapi.Rate{PerSecond: o.PeerRate, Burst: o.PeerBurst},
		PerClient: httpapi.Rate{PerSecond: o.ClientRate, Burst: o.ClientBurst},
		Random:    rand.Reader,
		Now:       time.Now,
		Log:       log,
		Metrics:   metrics,
		Sizes:     known.Sizes,
	}
}

// health is what /readyz tells: the cluster's, until the end has begun.
type health struct {
	cluster *kube.Cluster
	ending  atomic.Bool
}

// Ready implements httpapi.Health.
func (h *health) Ready() *oauth.Error {
	if h.ending.Load() {
		return oauth.NewError(oauth.ErrNotReady, "the issuer is about to stop")
	}
	return h.cluster.Ready()
}

// announce logs the moment from which requests are answered.
func announce(ctx context.Context, cluster *kube.Cluster, log *slog.Logger) {
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	began := time.Now()
	for cluster.Ready() != nil {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
	log.Info("ready", "after_ms", time.Since(began).Milliseconds())
	// Reading all lists for the first time leaves several times as much behind.
	debug.FreeOSMemory()
}

type servers struct {
	public *httpapi.Server
	api    *httpapi.API
	ops    *http.Server
	health *health
}

// serve listens on both ports until ctx ends, then says that it is not ready,
// serves on for a while, and ends when the last request is answered.
func serve(ctx context.Context, o Options, s *servers, log *slog.Logger) error {
	var lc net.ListenConfig
	public, err := lc.Listen(ctx, "tcp", o.Listen)
	if err != nil {
		return fmt.Errorf("--listen=%s: %w", o.Listen, err)
	}
	plain, err := lc.Listen(ctx, "tcp", o.OpsListen)
	if err != nil {
		return errors.Join(fmt.Errorf("--ops-listen=%s: %w", o.OpsListen, err), public.Close())
	}
	log.Info("listening", "issuer", o.IssuerURL, "address", public.Addr().String(), "ops_address", plain.Addr().String())

	failed := make(chan error, 2)
	go func() { failed <- s.public.Serve(public) }()
	go func() { failed <- s.ops.Serve(plain) }()
	select {
	case err := <-failed:
		return errors.Join(err, s.public.Shutdown(ctx), s.ops.Close())
	case <-ctx.Done():
	}

	log.Info("stopping", "delay", o.ShutdownDelay.String())
	s.health.ending.Store(true)
	s.api.Drain()
	time.Sleep(o.ShutdownDelay)
	ending, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownTimeout)
	defer cancel()
	if err := s.public.Shutdown(ending); err != nil {
		log.Warn("requests were cut off", "error", err)
	}
	_ = s.ops.Close()
	log.Info("stopped")
	return nil
}
