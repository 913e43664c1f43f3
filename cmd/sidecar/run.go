package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"runtime/debug"
	"sync"
	"time"

	"golang.org/x/net/netutil"

	"github.com/lanyard-dev/lanyard/cmd/internal/program"
	"github.com/lanyard-dev/lanyard/sidecar/egress"
	"github.com/lanyard-dev/lanyard/sidecar/endpoint"
	"github.com/lanyard-dev/lanyard/sidecar/files"
	"github.com/lanyard-dev/lanyard/sidecar/metrics"
	"github.com/lanyard-dev/lanyard/sidecar/ops"
	"github.com/lanyard-dev/lanyard/sidecar/settings"
	"github.com/lanyard-dev/lanyard/sidecar/tokens"
)

const (
	// shutdownTimeout is how long requests that are being served may take to end. The app
	// has ended before: a sidecar is stopped after it.
	shutdownTimeout = 5 * time.Second
	// maxConnections on each of the two ports, so that the sidecar stays small: a program beside
	// this one that opens too many waits, and on the plain port is turned away, as strangers are.
	maxConnections = 256
)

// Run holds tokens until ctx ends, and then until what was begun is done. It logs to w.
func Run(ctx context.Context, o Options, w io.Writer) error {
	level, err := o.level()
	if err != nil {
		return err
	}
	log := slog.New(slog.NewJSONHandler(w, &slog.HandlerOptions{Level: level}))
	settings, err := o.settings()
	if err != nil {
		return err
	}
	tuneGarbage(os.Getenv)
	s, err := newSidecar(o, settings, log)
	if err != nil {
		return err
	}
	log.Info("starting", "version", program.Version(), "issuer", o.Issuer, "client_id", o.ClientID, "resources", settings.Identifiers())

	// Tokens are held until the last request is answered.
	background, cancel := context.WithCancel(context.WithoutCancel(ctx))
	var wg sync.WaitGroup
	defer wg.Wait()
	defer cancel()
	wg.Go(func() { s.source.Run(background) })
	if s.files != nil {
		wg.Go(func() { s.files.Run(background, s.source) })
	}
	wg.Go(func() { s.announce(background) })
	wg.Go(func() { returnMemory(background) })
	return s.serve(ctx)
}

// sidecar is what runs.
type sidecar struct {
	options Options
	source  *tokens.Source
	files   *files.Writer // nil: none are written
	proxies *egress.Proxies
	public  *http.Server
	ops     *http.Server
	log     *slog.Logger

	started sync.Once
	ready   chan struct{} // closed when the app may start
}

func newSidecar(o Options, settings settings.Settings, log *slog.Logger) (*sidecar, error) {
	s := &sidecar{options: o, log: log, ready: make(chan struct{})}
	s.source = tokens.New(tokens.Config{
		Issuer:      tokens.NewClient(tokens.ClientConfig{Issuer: o.Issuer, ClientID: o.ClientID, AssertionFile: o.AssertionFile, CAFile: o.CAFile}),
		Resources:   settings.Identifiers(),
		Certificate: o.certificate(),
		Now:         time.Now,
		Random:      rand.Float64,
		Log:         log,
	})
	if o.Directory != "" {
		mode, err := o.mode()
		if err != nil {
			return nil, err
		}
		s.files, err = files.Open(files.Config{Directory: o.Directory, Resources: settings.Resources, Expose: o.ExposeCertificate, Mode: mode, Log: log})
		if err != nil {
			return nil, fmt.Errorf("--directory=%s: %w", o.Directory, err)
		}
	}
	registry := &metrics.Registry{}
	registry.Add(ops.Tokens(s.source))
	s.proxies = egress.New(settings.Upstreams, egress.Options{Tokens: s.source, CADirectory: o.UpstreamCADirectory, Metrics: registry, Now: time.Now, Log: log})
	requests := registry.Counter("lanyard_sidecar_endpoint_requests_total", "Requests to the token endpoint, by endpoint and outcome: ok or the error code.", "endpoint", "outcome")
	_, port, err := net.SplitHostPort(o.Listen)
	if err != nil {
		return nil, fmt.Errorf("--listen=%s: %w", o.Listen, err)
	}
	s.public = s.server(endpoint.New(endpoint.Config{
		Source: s.source, Resources: settings.Identifiers(), Port: port, Now: time.Now, Log: log,
		Count: func(name, outcome string) { requests.Add(1, name, outcome) },
	}))
	s.ops = s.server(ops.New(ops.Config{Started: s.mayStart, Metrics: registry}))
	return s, nil
}

func (s *sidecar) server(handler http.Handler) *http.Server {
	const timeout = 10 * time.Second
	return &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: timeout,
		ReadTimeout:       timeout,
		WriteTimeout:      2 * timeout,
		IdleTimeout:       30 * time.Second,
		MaxHeaderBytes:    16 << 10,
		ErrorLog:          slog.NewLogLogger(s.log.Handler(), slog.LevelDebug),
	}
}

// certificate reads the certificate; nil if there is to be none.
func (o *Options) certificate() func() (*tls.Certificate, error) {
	if o.CertFile == "" {
		return nil
	}
	f := &tokens.CertificateFiles{CertFile: o.CertFile, KeyFile: o.KeyFile}
	return f.Load
}

// missing says what is not there yet of what the app waits for.
func (s *sidecar) missing() error {
	if err := s.source.Missing(); err != nil {
		return err
	}
	if view, _ := s.source.View(); s.files != nil && !s.files.Written(view) {
		return errors.New("the token files are being written")
	}
	return nil
}

// mayStart answers /startedz. Whoever has started stays so: only the start waits.
func (s *sidecar) mayStart() error {
	if !s.options.Wait {
		return nil
	}
	select {
	case <-s.ready:
		return nil
	default:
	}
	err := s.missing()
	if err == nil {
		s.started.Do(func() { close(s.ready) })
	}
	return err
}

// announce logs the moment from which every resource has a token.
func (s *sidecar) announce(ctx context.Context) {
	began := time.Now()
	for {
		_, changed := s.source.View()
		if s.source.Missing() == nil {
			break
		}
		select {
		case <-ctx.Done():
			return
		case <-changed:
		}
	}
	s.log.Info("started", "after_ms", time.Since(began).Milliseconds())
	// The start leaves several times as much behind as the rest needs.
	debug.FreeOSMemory()
}

// serve listens on all ports until ctx ends, and then until the last request is answered.
func (s *sidecar) serve(ctx context.Context) error {
	public, plain, err := s.listen(ctx)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	failed := make(chan error, 3)
	go func() { failed <- s.public.Serve(netutil.LimitListener(public, maxConnections)) }()
	go func() { failed <- s.ops.Serve(newSeats(plain, maxConnections)) }()
	proxies := make(chan struct{})
	go func() {
		defer close(proxies)
		if err := s.proxies.Serve(ctx); err != nil {
			failed <- err
		}
	}()
	select {
	case err = <-failed:
		cancel()
	case <-ctx.Done():
		s.log.Info("stopping")
	}
	ending, done := context.WithTimeout(context.WithoutCancel(ctx), shutdownTimeout)
	defer done()
	if cut := s.public.Shutdown(ending); cut != nil {
		s.log.Warn("requests were cut off", "error", cut)
	}
	<-proxies
	_ = s.ops.Close()
	return err
}

// listen takes all ports, or none. The one where the startup probe asks is the last: with
// --wait=false it says at once that the app may start, which calls the others.
func (s *sidecar) listen(ctx context.Context) (public, plain net.Listener, err error) {
	var lc net.ListenConfig
	if public, err = lc.Listen(ctx, "tcp", s.options.Listen); err != nil {
		return nil, nil, fmt.Errorf("--listen=%s: %w", s.options.Listen, err)
	}
	if err = s.proxies.Listen(ctx); err != nil {
		return nil, nil, errors.Join(err, public.Close())
	}
	if plain, err = lc.Listen(ctx, "tcp", s.options.MetricsListen); err != nil {
		s.proxies.Close()
		return nil, nil, errors.Join(fmt.Errorf("--metrics-listen=%s: %w", s.options.MetricsListen, err), public.Close())
	}
	return public, plain, nil
}
