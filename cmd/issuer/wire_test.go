package main

import (
	"io"
	"net"
	"net/url"
	"sync"
	"testing"

	"k8s.io/client-go/rest"

	"github.com/lanyard-dev/lanyard/test/testenv"
)

// wire is the network between the issuer and the API server. It can be cut.
type wire struct {
	to      string
	address string

	mu    sync.Mutex
	l     net.Listener
	conns []net.Conn
}

// behind puts the wire in front of c's API server.
func (s *stage) behind(t *testing.T, c *rest.Config) *rest.Config {
	t.Helper()
	u, err := url.Parse(c.Host)
	check(t, err)
	s.wire = &wire{to: u.Host, address: testenv.Address(t, s.dir, "wire")}
	s.wire.mend(t)
	t.Cleanup(s.wire.cut)
	c = rest.CopyConfig(c)
	c.Host = "https://" + s.wire.address
	return c
}

func (w *wire) mend(t *testing.T) {
	t.Helper()
	l, err := net.Listen("tcp", w.address)
	check(t, err)
	w.mu.Lock()
	w.l = l
	w.mu.Unlock()
	go func() {
		for {
			from, err := l.Accept()
			if err != nil {
				return
			}
			to, err := net.Dial("tcp", w.to)
			if err != nil {
				_ = from.Close()
				continue
			}
			w.mu.Lock()
			isCut := w.l != l
			if !isCut {
				w.conns = append(w.conns, from, to)
			}
			w.mu.Unlock()
			if isCut { // meanwhile
				_, _ = from.Close(), to.Close()
				continue
			}
			for _, pair := range [][2]net.Conn{{from, to}, {to, from}} {
				go func() {
					_, _ = io.Copy(pair[0], pair[1])
					_ = pair[0].Close()
				}()
			}
		}
	}()
}

func (w *wire) cut() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.l != nil {
		_ = w.l.Close()
	}
	for _, c := range w.conns {
		_ = c.Close()
	}
	w.l, w.conns = nil, nil
}
