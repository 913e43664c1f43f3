package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/net/netutil"
)

const (
	unixPrefix = "unix:"
	// ingressShutdown is how long requests that are being served may take to end.
	ingressShutdown = 15 * time.Second
)

// ingressServers are what listens.
type ingressServers struct {
	options      IngressOptions
	public, auth *http.Server // nil: not asked for
	ops          *http.Server
	ending       atomic.Bool
	log          *slog.Logger
}

func (s *ingressServers) ready() bool { return !s.ending.Load() }

// serve listens until ctx ends, then says that it is not ready, serves on for a while, and ends
// when the last request is answered.
func (s *ingressServers) serve(ctx context.Context) error {
	listeners, err := s.listen(ctx)
	if err != nil {
		return err
	}
	s.log.Info("listening", "audience", s.options.Audience, "addresses", addresses(listeners))
	failed := make(chan error, len(listeners))
	for server, l := range listeners {
		go func() { failed <- serveOn(server, l) }()
	}
	select {
	case err = <-failed:
	case <-ctx.Done():
		s.log.Info("stopping", "delay", s.options.ShutdownDelay.String())
		s.ending.Store(true)
		time.Sleep(s.options.ShutdownDelay)
	}
	ending, cancel := context.WithTimeout(context.WithoutCancel(ctx), ingressShutdown)
	defer cancel()
	var wg sync.WaitGroup
	for server := range listeners {
		if server == s.ops {
			continue
		}
		wg.Go(func() {
			if cut := server.Shutdown(ending); cut != nil {
				s.log.Warn("requests were cut off", "error", cut)
				_ = server.Close()
			}
		})
	}
	wg.Wait()
	_ = s.ops.Close()
	return err
}

// serveOn speaks TLS where the server is made for it.
func serveOn(server *http.Server, l net.Listener) error {
	if server.TLSConfig != nil {
		return server.ServeTLS(l, "", "")
	}
	return server.Serve(l)
}

// listen opens all addresses, or none.
func (s *ingressServers) listen(ctx context.Context) (map[*http.Server]net.Listener, error) {
	all := map[*http.Server]net.Listener{}
	for _, one := range []struct {
		server        *http.Server
		flag, address string
		limit         int
	}{
		{s.public, "listen", s.options.Listen, s.options.MaxConnections},
		{s.auth, "auth-request-listen", s.options.AuthListen, s.options.MaxConnections},
		{s.ops, "metrics-listen", s.options.MetricsListen, maxConnections},
	} {
		if one.server == nil {
			continue
		}
		l, err := open(ctx, one.address)
		if err != nil {
			for _, opened := range all {
				_ = opened.Close()
			}
			return nil, fmt.Errorf("--%s=%s: %w", one.flag, one.address, err)
		}
		all[one.server] = netutil.LimitListener(l, one.limit)
	}
	return all, nil
}

// open listens on an address, or on a unix socket whose file an earlier process may have left.
func open(ctx context.Context, address string) (net.Listener, error) {
	var lc net.ListenConfig
	path, isUnix := strings.CutPrefix(address, unixPrefix)
	if !isUnix {
		return lc.Listen(ctx, "tcp", address)
	}
	if info, err := os.Lstat(path); err == nil && info.Mode().Type() == fs.ModeSocket {
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
	}
	return lc.Listen(ctx, "unix", path)
}

func addresses(listeners map[*http.Server]net.Listener) []string {
	all := make([]string, 0, len(listeners))
	for _, l := range listeners {
		all = append(all, l.Addr().String())
	}
	return all
}
