package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/lanyard-dev/lanyard/test/bench/figures"
	"github.com/lanyard-dev/lanyard/test/bench/stand"
)

// job is what the load process is told, as JSON on its standard input.
type job struct {
	Address   string
	Root      []byte // the server's certificate, DER
	ServerPID int
	// Connections each send one request after the other.
	Connections []connection
	// Rate is how many requests all connections send in a second, on a schedule that
	// does not wait for answers; zero: as many as are answered.
	Rate float64
	// Warmup is not measured, Duration is.
	Warmup, Duration time.Duration
}

// connection is one peer: its certificate, and the requests it sends in turn, each
// whole, as bytes of HTTP/1.1.
type connection struct {
	Certificate *stand.Certificate // nil: none is presented
	Requests    [][]byte
	// Once: no request is sent twice; the measurement ends when one has no more.
	Once bool
	// Redial: each request is sent over a connection of its own.
	Redial bool
	// ProofKey signs a DPoP proof for each request, PKCS #8; nil: there are none.
	ProofKey []byte
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

// TokensPerCore is how many answers a second of the server's processor time gave:
// what it gives in a second with a core for itself, whatever else runs meanwhile.
func (s sample) TokensPerCore() float64 {
	return float64(s.Tokens) / max(s.ServerCPU, 10*time.Millisecond).Seconds()
}

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
	for i, c := range j.Connections {
		p, err := newPeer(j, c)
		if err != nil {
			return sample{}, err
		}
		defer p.hangUp()
		peers[i] = p
		if err := p.first(ctx); err != nil {
			return sample{}, err
		}
		s.First[i] = bytes.Clone(p.body)
	}
	m := j.measure(ctx, peers)
	if err := errors.Join(m.failures...); err != nil {
		return sample{}, err
	}
	var latencies []time.Duration
	for _, p := range peers {
		latencies = append(latencies, p.latencies...)
	}
	slices.Sort(latencies)
	s.Tokens, s.Elapsed = len(latencies), m.elapsed
	s.P50, s.P99 = figures.Percentile(latencies, 50), figures.Percentile(latencies, 99)
	s.ServerCPU, s.LoadCPU = m.after.server-m.before.server, m.after.load-m.before.load
	return s, nil
}

// measurement is one stretch of time in which all peers send.
type measurement struct {
	begin    time.Time
	end      atomic.Pointer[time.Time] // earlier than planned if a peer has no more requests
	ended    chan struct{}
	elapsed  time.Duration
	before   usage
	after    usage
	failures []error
}

func (j job) measure(ctx context.Context, peers []*peer) *measurement {
	m := &measurement{begin: time.Now().Add(j.Warmup), ended: make(chan struct{}), failures: make([]error, len(peers)+1)}
	end := m.begin.Add(j.Duration)
	m.end.Store(&end)
	var all sync.WaitGroup
	var stop sync.Once
	for i, p := range peers {
		all.Go(func() {
			m.failures[i] = p.send(ctx, m, j.schedule(m.begin.Add(-j.Warmup), i))
			if now := time.Now(); now.Before(*m.end.Load()) {
				m.end.Store(&now)
			}
			stop.Do(func() { close(m.ended) })
		})
	}
	all.Go(func() {
		time.Sleep(time.Until(m.begin))
		var first, last error
		m.before, first = j.used()
		select {
		case <-time.After(time.Until(end)):
		case <-m.ended:
		}
		m.after, last = j.used()
		m.elapsed = min(time.Since(m.begin), j.Duration)
		if m.elapsed < j.Duration/10 {
			last = errors.Join(last, errors.New("the requests were used up too soon to measure anything"))
		}
		m.failures[len(peers)] = errors.Join(first, last)
	})
	all.Wait()
	return m
}

// schedule says when the requests of a peer are due; nil: when the one before was
// answered.
func (j job) schedule(begin time.Time, i int) func(n int) time.Time {
	if j.Rate <= 0 {
		return nil
	}
	each := time.Duration(float64(time.Second) / j.Rate)
	return func(n int) time.Time { return begin.Add(time.Duration(n*len(j.Connections)+i) * each) }
}

// usage is the processor time that the server and the load have used so far.
type usage struct{ server, load time.Duration }

func (j job) used() (usage, error) {
	server, err := stand.CPUTime(j.ServerPID)
	own, err2 := stand.CPUTime(os.Getpid())
	return usage{server, own}, errors.Join(err, err2)
}
