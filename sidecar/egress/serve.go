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

// Serve listens on the port of each upstream, on the loopback address only, until ctx ends and
// then until the calls that are being passed on have ended. The error says which port could not
// be had.
func (p *Proxies) Serve(ctx context.Context) error {
	listeners, err := p.listen(ctx)
	if err != nil {
		return err
	}
	servers := make([]*http.Server, len(p.upstreams))
	failed := make(chan error, len(p.upstreams))
	for i, u := range p.upstreams {
		servers[i] = newServer(u)
		go func() { failed <- servers[i].Serve(listeners[i]) }()
	}
	select {
	case err = <-failed:
	case <-ctx.Done():
	}
	p.drain(ctx, servers)
	return err
}

func (p *Proxies) listen(ctx context.Context) (listeners []net.Listener, err error) {
	var config net.ListenConfig
	for _, u := range p.upstreams {
		l, err := config.Listen(ctx, "tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(u.Port)))
		if err != nil {
			for _, open := range listeners {
				_ = open.Close()
			}
			return nil, fmt.Errorf("the port of upstream %s: %w", u.URL.Host, err)
		}
		listeners = append(listeners, l)
	}
	return listeners, nil
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
