package main

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/lanyard-dev/lanyard/test/bench/stand"
)

// mostAllocations is how many a token may take in the issuer's handler, without
// net/http and TLS around it. A number that rises is a reason to look; who must raise
// one says why.
func mostAllocations() map[string]float64 {
	return map[string]float64{
		"federated, first seen":  155,
		"federated, seen before": 122,
		"federated, bearer":      119,
		"federated, DPoP":        205,
		"private_key_jwt":        145,
		"private_key_jwt, ES256": 158,
		"client secret":          113,
		"mtls":                   113,
	}
}

func TestATokenTakesFewAllocations(t *testing.T) {
	const runs = 50
	f, err := stand.NewFixture(time.Now())
	if err != nil {
		t.Fatal(err)
	}
	most := mostAllocations()
	for _, c := range contenders() {
		if c.server != serverIssuer || c.name == "mtls, new connection" { // the handler sees no connection
			continue
		}
		t.Run(c.name, func(t *testing.T) {
			ask := asks(t, f, c, runs+2)
			if got := testing.AllocsPerRun(runs, ask); got > most[c.name] {
				t.Errorf("a token takes %v allocations; it should take %v at most", got, most[c.name])
			}
		})
	}
}

func BenchmarkToken(b *testing.B) {
	f, err := stand.NewFixture(time.Now())
	if err != nil {
		b.Fatal(err)
	}
	for _, c := range contenders() {
		if c.server != serverIssuer || c.name == "mtls, new connection" {
			continue
		}
		b.Run(c.name, func(b *testing.B) {
			ask := asks(b, f, c, b.N+1)
			b.ReportAllocs()
			b.ResetTimer()
			for range b.N {
				ask()
			}
		})
	}
}

// asks returns a function that asks the issuer's handler for a token, n times at
// most. What the request itself needs is ready.
func asks(t testing.TB, f stand.Fixture, c contender, n int) func() {
	t.Helper()
	api, err := stand.NewAPI(f, stand.Unlimited(), io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	peers, err := c.way(f, c.path, crowd{1, n})
	if err != nil {
		t.Fatal(err)
	}
	p, err := newPeer(job{Root: f.Server.DER}, peers[0])
	if err != nil {
		t.Fatal(err)
	}
	w := &writer{header: http.Header{}}
	requests := make([]*http.Request, n)
	for i := range requests {
		requests[i] = requestOf(t, p, i)
		if i == 0 && p.proofKey != nil { // the server's nonce comes with the first answer
			api.ServeHTTP(w, requests[0])
			for name, values := range w.header {
				if strings.EqualFold(name, "DPoP-Nonce") {
					p.nonce = values[0]
				}
			}
			requests[0] = requestOf(t, p, 0)
		}
	}
	next := 0
	ask := func() {
		clear(w.header)
		api.ServeHTTP(w, requests[next])
		next++
		if w.status != http.StatusOK {
			t.Fatalf("got %d", w.status)
		}
	}
	ask() // what is made once
	return ask
}

// requestOf is the i-th request of a peer as net/http gives it to a handler.
func requestOf(t testing.TB, p *peer, i int) *http.Request {
	t.Helper()
	raw := p.Requests[i%len(p.Requests)]
	r, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(raw)))
	if err != nil {
		t.Fatal(err)
	}
	r.RemoteAddr = "127.0.0.1:4711"
	r.TLS = &tls.ConnectionState{}
	if p.Certificate != nil {
		leaf, err := x509.ParseCertificate(p.Certificate.DER)
		if err != nil {
			t.Fatal(err)
		}
		r.TLS.PeerCertificates = []*x509.Certificate{leaf}
	}
	if p.proofKey != nil {
		proof, err := p.proof(time.Now())
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("DPoP", proof)
	}
	return r.WithContext(t.Context())
}

// writer takes an answer and keeps its status.
type writer struct {
	header http.Header
	status int
}

func (w *writer) Header() http.Header         { return w.header }
func (w *writer) WriteHeader(status int)      { w.status = status }
func (w *writer) Write(p []byte) (int, error) { return len(p), nil }
