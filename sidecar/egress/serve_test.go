package egress_test

import (
	"context"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/lanyard-dev/lanyard/sidecar/egress"
	"github.com/lanyard-dev/lanyard/sidecar/settings"
)

func TestServesEachUpstreamOnItsPort(t *testing.T) {
	h := newAccepting(t)
	target, err := url.Parse(h.upstream.URL)
	if err != nil {
		t.Fatal(err)
	}
	var upstreams []settings.Upstream
	var taken []net.Listener
	for range 2 {
		l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		upstreams = append(upstreams, settings.Upstream{Port: l.Addr().(*net.TCPAddr).Port, URL: target, Resource: resource, CAConfigMap: "orders-ca"})
		taken = append(taken, l)
	}
	options := egress.Options{Tokens: h.source, CADirectory: filepath.Dir(filepath.Dir(h.caFile)), Now: h.now, Log: slog.New(slog.DiscardHandler)}
	if err := egress.New(upstreams, options).Serve(t.Context()); err == nil || !strings.Contains(err.Error(), "the port of upstream "+target.Host) {
		t.Errorf("got %v for a port that is taken", err)
	}
	for _, l := range taken {
		l.Close()
	}
	one := upstreams[:1]
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- egress.New(one, options).Serve(ctx) }()
	address := (&url.URL{Scheme: "http", Host: net.JoinHostPort("127.0.0.1", strconv.Itoa(one[0].Port))}).String()
	waitFor(t, "the proxy to answer", func() bool {
		r, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, address, http.NoBody)
		response, err := http.DefaultClient.Do(r)
		if err != nil {
			return false
		}
		defer response.Body.Close()
		return response.StatusCode == http.StatusOK
	})
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}
