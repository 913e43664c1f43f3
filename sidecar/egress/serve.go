package egress

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/lanyard-dev/lanyard/sidecar/settings"
)

const (
	readHeaderTimeout = 10 * time.Second
	keepAlive         = 2 * time.Minute
	maxHeaders        = 64 << 10
	// drainTimeout is how long calls that are being passed on may take to end. The app is gone
	// by then, or about to be: a sidecar is stopped after it.
	drainTimeout = 5 * time.Second
)

// Proxies are those of one pod.
type Proxies struct {
	upstreams []*upstream
	listeners []net.Listener // one for each of them, after Listen
	log       *slog.Logger
}

// New returns the proxies to the upstreams. Nothing is read or called yet.
func New(upstreams []settings.Upstream, o Options) *Proxies {
	p := &Proxies{log: o.Log}
	c := newCounts(o.Metrics)
	for _, u := range upstreams {
		p.upstreams = append(p.upstreams, newUpstream(u, o, c))
	}
	return p
}

// Handler is the proxy on that port, or nil.
func (p *Proxies) Handler(port int) http.Handler {
	for _, u := range p.upstreams {
		if u.Port == port {
			return u
		}
	}
	return nil
}

// Listen takes the port of each upstream, on the loopback address only, or none. The error says
// which could not be had. Who calls from then on is answered once Serve runs.
func (p *Proxies) Listen(ctx context.Context) error {
	var config net.ListenConfig
	for _, u := range p.upstreams {
		l, err := config.Listen(ctx, "tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(u.Port)))
		if err != nil {
			p.Close()
			return fmt.Errorf("the port of upstream %s: %w", u.URL.Host, err)
		}
		p.listeners = append(p.listeners, l)
	}
	return nil
}

// Close gives the ports back that Listen took, where Serve is not called after all.
func (p *Proxies) Close() {
	for _, l := range p.listeners {
		_ = l.Close()
	}
	p.listeners = nil
}

// Serve serves on the ports that Listen took, until ctx ends and then until the calls that are
// being passed on have ended.
func (p *Proxies) Serve(ctx context.Context) (err error) {
	servers := make([]*http.Server, len(p.listeners))
	failed := make(chan error, len(p.listeners))
	for i, l := range p.listeners {
		servers[i] = newServer(p.upstreams[i])
		go func() { failed <- servers[i].Serve(l) }()
	}
	select {
	case err = <-failed:
	case <-ctx.Done():
	}
	p.drain(ctx, servers)
	return err
}

// drain ends all servers at once.
func (p *Proxies) drain(ctx context.Context, servers []*http.Server) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), drainTimeout)
	defer cancel()
	var wg sync.WaitGroup
	for i, s := range servers {
		wg.Go(func() {
			if err := s.Shutdown(ctx); err != nil {
				p.log.Warn("calls were cut off", "upstream", p.upstreams[i].URL.Host, "error", err)
				_ = s.Close()
			}
			p.upstreams[i].connections.close()
		})
	}
	wg.Wait()
}

// newServer speaks HTTP/1.1, and HTTP/2 with clients that begin with it, as those of gRPC do.
// There is no limit to how long an answer takes: streams have no end, and the app has its own.
func newServer(u *upstream) *http.Server {
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	protocols.SetUnencryptedHTTP2(true)
	return &http.Server{
		Handler:           u,
		Protocols:         protocols,
		ReadHeaderTimeout: readHeaderTimeout,
		IdleTimeout:       keepAlive,
		MaxHeaderBytes:    maxHeaders,
		ErrorLog:          slog.NewLogLogger(u.log.Handler(), slog.LevelDebug),
	}
}
