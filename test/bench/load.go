package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"slices"
	"sync"
	"time"
)

// job is what the load process is told, as JSON on its standard input.
type job struct {
	Address   string
	Root      []byte // the server's certificate, DER
	ServerPID int
	// Connections are kept open, and each sends one request after the other.
	Connections []connection
	// Warmup is not measured, Duration is.
	Warmup, Duration time.Duration
}

// connection is one peer: its certificate, and the requests it sends in turn, each
// whole, as bytes of HTTP/1.1.
type connection struct {
	Certificate *certificate // nil: none is presented
	Requests    [][]byte
}

// sample is what the load process answers on its standard output.
type sample struct {
	Tokens   int
	Elapsed  time.Duration
	P50, P99 time.Duration
	// ServerCPU and LoadCPU are the processor time that both used meanwhile.
	ServerCPU, LoadCPU time.Duration
	// First is the body of each connection's first answer, to be looked into.
	First [][]byte
}

// TokensPerSecond is how many answers came in a second.
func (s sample) TokensPerSecond() float64 { return float64(s.Tokens) / s.Elapsed.Seconds() }

// maxRequests bounds what one connection sends, and so the memory of the load.
const maxRequests = 200_000

func runLoad(ctx context.Context, in io.Reader, out io.Writer) error {
	var j job
	if err := json.NewDecoder(in).Decode(&j); err != nil {
		return fmt.Errorf("the job: %w", err)
	}
	s, err := j.run(ctx)
	if err != nil {
		return err
	}
	return json.NewEncoder(out).Encode(s)
}

// run connects everybody, looks at the first answers, warms up and measures.
func (j job) run(ctx context.Context) (sample, error) {
	s := sample{First: make([][]byte, len(j.Connections))}
	peers := make([]*peer, len(j.Connections))
	deadline := time.Now().Add(j.Warmup + j.Duration + 20*time.Second)
	for i, c := range j.Connections {
		p, err := dial(ctx, j.Address, j.Root, c)
		if err != nil {
			return sample{}, err
		}
		defer p.conn.Close() //nolint:errcheck // the work is done by then
		peers[i] = p
		if err := p.conn.SetDeadline(deadline); err != nil {
			return sample{}, err
		}
		if err := p.exchange(); err != nil {
			return sample{}, err
		}
		s.First[i] = bytes.Clone(p.body)
	}
	begin := time.Now().Add(j.Warmup)
	end := begin.Add(j.Duration)
	var before, after usage
	var all sync.WaitGroup
	failures := make([]error, len(peers)+1)
	for i, p := range peers {
		all.Go(func() { failures[i] = p.send(begin, end) })
	}
	all.Go(func() {
		time.Sleep(time.Until(begin))
		var first, last error
		before, first = j.used()
		time.Sleep(time.Until(end))
		after, last = j.used()
		failures[len(peers)] = errors.Join(first, last)
	})
	all.Wait()
	if err := errors.Join(failures...); err != nil {
		return sample{}, err
	}
	var latencies []time.Duration
	for _, p := range peers {
		latencies = append(latencies, p.latencies...)
	}
	slices.Sort(latencies)
	s.Tokens, s.Elapsed = len(latencies), j.Duration
	s.P50, s.P99 = percentile(latencies, 50), percentile(latencies, 99)
	s.ServerCPU, s.LoadCPU = after.server-before.server, after.load-before.load
	return s, nil
}

// usage is the processor time that the server and the load have used so far.
type usage struct{ server, load time.Duration }

func (j job) used() (usage, error) {
	server, err := cpuTime(j.ServerPID)
	own, err2 := cpuTime(os.Getpid())
	return usage{server, own}, errors.Join(err, err2)
}

// peer is a client that costs next to nothing: what it sends is ready, and of an
// answer it reads the status and the length.
type peer struct {
	conn      net.Conn
	reader    *bufio.Reader
	requests  [][]byte
	next      int
	body      []byte
	latencies []time.Duration
}

func dial(ctx context.Context, address string, root []byte, c connection) (*peer, error) {
	server, err := x509.ParseCertificate(root)
	if err != nil {
		return nil, err
	}
	config := &tls.Config{MinVersion: tls.VersionTLS13, RootCAs: x509.NewCertPool()}
	config.RootCAs.AddCert(server)
	if c.Certificate != nil {
		certificate, err := c.Certificate.tlsCertificate()
		if err != nil {
			return nil, err
		}
		config.Certificates = []tls.Certificate{certificate}
	}
	conn, err := (&tls.Dialer{Config: config}).DialContext(ctx, "tcp", address)
	if err != nil {
		return nil, fmt.Errorf("cannot connect to %s: %w", address, err)
	}
	return &peer{conn: conn, reader: bufio.NewReaderSize(conn, 16<<10), requests: c.Requests, latencies: make([]time.Duration, 0, 1<<14)}, nil
}

// send sends until end, and keeps the latencies of what was answered after begin.
func (p *peer) send(begin, end time.Time) error {
	asked := time.Now()
	for range maxRequests {
		if err := p.exchange(); err != nil {
			return err
		}
		answered := time.Now()
		if answered.After(end) {
			return nil
		}
		if answered.After(begin) {
			p.latencies = append(p.latencies, answered.Sub(asked))
		}
		asked = answered
	}
	return fmt.Errorf("a connection sent %d requests before the time was over; lower -duration", maxRequests)
}

// exchange sends the next request and reads its answer, which must be a 200.
func (p *peer) exchange() error {
	request := p.requests[p.next]
	p.next = (p.next + 1) % len(p.requests)
	if _, err := p.conn.Write(request); err != nil {
		return fmt.Errorf("sending: %w", err)
	}
	status, body, err := readAnswer(p.reader, p.body)
	p.body = body
	switch {
	case err != nil:
		return fmt.Errorf("reading the answer: %w", err)
	case status != 200:
		return fmt.Errorf("a request was refused with %d, so nothing was measured: %s", status, body)
	}
	return nil
}
