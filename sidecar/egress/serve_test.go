package egress_test

import (
	"context"
	"io"
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
	"github.com/lanyard-dev/lanyard/test/testcert"
)

// freePorts are ports that nobody has, held until free is called.
func freePorts(t *testing.T, n int) (ports []int, free func()) {
	t.Helper()
	var taken []net.Listener
	for range n {
		l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		taken = append(taken, l)
		ports = append(ports, l.Addr().(*net.TCPAddr).Port)
	}
	return ports, func() {
		for _, l := range taken {
			_ = l.Close()
		}
	}
}

// proxies to the house's upstream, on these ports.
func (h *house) proxies(ports ...int) *egress.Proxies {
	h.t.Helper()
	target, err := url.Parse(h.upstream.URL)
	if err != nil {
		h.t.Fatal(err)
	}
	var upstreams []settings.Upstream
	for _, port := range ports {
		upstreams = append(upstreams, settings.Upstream{Port: port, URL: target, Resource: resource, CAConfigMap: "orders-ca"})
	}
	return egress.New(upstreams, egress.Options{Tokens: h.source, CADirectory: filepath.Dir(filepath.Dir(h.caFile)), Now: h.now, Log: slog.New(slog.DiscardHandler)})
}

func at(port int) string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(port)) }

func listens(t *testing.T, port int) bool {
	t.Helper()
	conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", at(port))
	if err != nil {
		return false
	}
	_ = conn.Close()
	return true
}

func TestTakesThePortsOfAllUpstreamsOrNone(t *testing.T) {
	h := newAccepting(t)
	ports, free := freePorts(t, 1)
	another, freeIt := freePorts(t, 1)
	freeIt()
	err := h.proxies(another[0], ports[0]).Listen(t.Context())
	if err == nil || !strings.Contains(err.Error(), "the port of upstream "+strings.TrimPrefix(h.upstream.URL, "https://")) || !strings.Contains(err.Error(), strconv.Itoa(ports[0])) {
		t.Errorf("got %v for a port that is taken", err)
	}
	if listens(t, another[0]) {
		t.Error("the other port was kept")
	}
	free()
	both := h.proxies(another[0], ports[0])
	if err := both.Listen(t.Context()); err != nil {
		t.Fatal(err)
	}
	if !listens(t, another[0]) || !listens(t, ports[0]) {
		t.Error("a port does not listen, although nobody was told to wait for it")
	}
	both.Close()
	if listens(t, another[0]) || listens(t, ports[0]) {
		t.Error("a port was not given back")
	}
}

// A call that is being passed on when the sidecar is told to stop gets its whole answer; new ones
// are not taken any more.
func TestCallsThatAreBeingPassedOnEndWhenItIsStopped(t *testing.T) {
	began, release := make(chan struct{}), make(chan struct{})
	h := newHouse(t, func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, "begun, ")
		_ = http.NewResponseController(w).Flush()
		close(began)
		<-release
		_, _ = io.WriteString(w, "and ended")
	})
	h.source.token = bound("token-1", testcert.New(t, "checkout"))
	ports, free := freePorts(t, 1)
	free()
	p := h.proxies(ports...)
	if err := p.Listen(t.Context()); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() {
		defer close(ended)
		ended <- p.Serve(ctx)
	}()
	h.url = "http://" + at(ports[0])
	answer := make(chan reply, 1)
	go func() {
		defer close(answer) // also where the call fails
		answer <- h.call(http.MethodGet, "/orders", http.NoBody, nil)
	}()
	<-began
	cancel()
	waitFor(t, "the port to take no more calls", func() bool { return !listens(t, ports[0]) })
	select {
	case err := <-ended:
		t.Errorf("it ended with %v before the call", err)
	default:
	}
	close(release)
	if r := <-answer; r.status != http.StatusOK || r.body != "begun, and ended" {
		t.Errorf("the call got %+v", r)
	}
	if err := <-ended; err != nil {
		t.Error(err)
	}
}
