package testenv

import (
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"

	"k8s.io/client-go/rest"
)

// Behind returns a copy of a config whose watches of a resource, for example configmaps, bring
// nothing any more once hold is called, as where the API server or the network is slow; until the
// test ends. Everything else goes on.
func Behind(t *testing.T, user *rest.Config, resource string) (behind *rest.Config, hold func()) {
	t.Helper()
	v := valve{resource: "/" + resource, closed: make(chan struct{})}
	behind = rest.CopyConfig(user)
	behind.Wrap(func(next http.RoundTripper) http.RoundTripper {
		v := v
		v.next = next
		return v
	})
	return behind, sync.OnceFunc(func() { close(v.closed) })
}

type valve struct {
	next     http.RoundTripper
	resource string
	closed   chan struct{}
}

func (v valve) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := v.next.RoundTrip(r)
	if err == nil && strings.HasSuffix(r.URL.Path, v.resource) && r.URL.Query().Get("watch") != "" {
		gone := make(chan struct{})
		resp.Body = heldBack{ReadCloser: resp.Body, closed: v.closed, gone: gone, end: sync.OnceFunc(func() { close(gone) })}
	}
	return resp, err
}

// heldBack is the body of a watch.
type heldBack struct {
	io.ReadCloser
	closed <-chan struct{}
	gone   <-chan struct{}
	end    func()
}

// Read returns nothing of what comes once the valve is closed, until who watches gives up.
func (h heldBack) Read(p []byte) (int, error) {
	n, err := h.ReadCloser.Read(p)
	select {
	case <-h.closed:
		<-h.gone
		return 0, io.ErrClosedPipe
	default:
		return n, err
	}
}

func (h heldBack) Close() error {
	h.end()
	return h.ReadCloser.Close()
}
