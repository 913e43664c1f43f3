package main

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/lanyard-dev/lanyard/test/bench/stand"
)

// answer is a process that reads one question from standard input and writes its
// answer to standard output, both as JSON.
func answer[Q, A any](ctx context.Context, work func(context.Context, Q) (A, error)) error {
	var q Q
	if err := json.NewDecoder(os.Stdin).Decode(&q); err != nil {
		return fmt.Errorf("the question: %w", err)
	}
	a, err := work(ctx, q)
	if err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(a)
}

// target is the server, and how it is known.
type target struct {
	Address, Path string
	Root          []byte // its certificate, DER
}

// times of one attack. Honest clients are measured between Settled and End.
type times struct{ Attack, Settled, End time.Time }

// honestJob is what the process of the honest clients is told.
type honestJob struct {
	// Servers are the one that is attacked and the one that is not. The first half of
	// the clients asks the first, the others the second.
	Servers [2]server
	Times   times
	Clients []stand.Client
}

// server is where it listens, and the number of its process.
type server struct {
	Target target
	PID    int
}

// served is what one server's honest clients got.
type served struct {
	// Kept is tokens a second over connections that stay, New over a new one for each.
	Kept, New float64
	// Failed are requests without a token since the attack began.
	Failed int
	// CPU is the part of its core that the server used.
	CPU float64
}

// honestAddress is 127.0.1.1 and so on.
func honestAddress(i int) net.IP { return net.IPv4(127, 0, 1, byte((1+i)&0xff)) }

// newEvery makes every so-manieth honest client one that takes a new connection for
// each token.
const newEvery = 3

// What honest clients ask for, each on a schedule that does not wait for answers. All
// of one server's together it is about a tenth of what a core gives.
const (
	keptEvery = 20 * time.Millisecond
	anewEvery = 50 * time.Millisecond
	// maxLate is how late a client asks at most: what is later was missed.
	maxLate = 250 * time.Millisecond
)

// next is when a client asks after it should have asked at due and was done at now.
func next(due, now time.Time, every time.Duration) time.Time {
	if due = due.Add(every); due.Before(now.Add(-maxLate)) {
		return now
	}
	return due
}

func runHonest(ctx context.Context, j honestJob) ([2]served, error) {
	var counts [2]struct{ kept, anew, failed atomic.Int64 }
	early := make([]error, len(j.Clients)) // failures before the attack
	var all sync.WaitGroup
	for i, c := range j.Clients {
		which := i * len(j.Servers) / len(j.Clients)
		h, err := newHonest(j.Servers[which].Target, c, i)
		if err != nil {
			return [2]served{}, err
		}
		got := &counts[which].kept
		if h.redial {
			got = &counts[which].anew
		}
		all.Go(func() {
			defer h.hangUp()
			for due := time.Now(); due.Before(j.Times.End); due = next(due, time.Now(), h.every) {
				time.Sleep(time.Until(due))
				err := h.ask(ctx)
				switch now := time.Now(); {
				case err != nil && now.Before(j.Times.Attack):
					early[i] = err
					return
				case err != nil:
					counts[which].failed.Add(1)
					h.hangUp()
				case now.After(j.Times.Settled) && now.Before(j.Times.End):
					got.Add(1)
				}
			}
		})
	}
	used, err := j.cpuTimes()
	all.Wait()
	if err := errors.Join(err, errors.Join(early...)); err != nil {
		return [2]served{}, err
	}
	var out [2]served
	seconds := j.Times.End.Sub(j.Times.Settled).Seconds()
	for i := range out {
		n := &counts[i]
		out[i] = served{
			Kept: float64(n.kept.Load()) / seconds, New: float64(n.anew.Load()) / seconds,
			Failed: int(n.failed.Load()), CPU: used[i].Seconds() / seconds,
		}
	}
	return out, nil
}

// cpuTimes are what the servers used between Settled and End.
func (j honestJob) cpuTimes() (used [2]time.Duration, err error) {
	for _, at := range []time.Time{j.Times.Settled, j.Times.End} {
		time.Sleep(time.Until(at))
		for i, s := range j.Servers {
			now, err := stand.CPUTime(s.PID)
			if err != nil {
				return used, err
			}
			used[i] = now - used[i]
		}
	}
	return used, nil
}

// honest is a client with a certificate that asks for a token every so often.
type honest struct {
	target  target
	redial  bool
	every   time.Duration
	config  *tls.Config
	dialer  net.Dialer
	request []byte

	conn   net.Conn
	reader *bufio.Reader
}

// newHonest is the i-th.
func newHonest(t target, c stand.Client, i int) (*honest, error) {
	root, err := x509.ParseCertificate(t.Root)
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	pool.AddCert(root)
	pair, err := c.Certificate.TLS()
	if err != nil {
		return nil, err
	}
	h := &honest{
		target: t, redial: i%newEvery == 0, every: keptEvery,
		config:  &tls.Config{MinVersion: tls.VersionTLS13, RootCAs: pool, ServerName: "127.0.0.1", Certificates: []tls.Certificate{pair}},
		dialer:  net.Dialer{LocalAddr: &net.TCPAddr{IP: honestAddress(i)}, Timeout: 5 * time.Second},
		request: form(t.Path, url.Values{"grant_type": {"client_credentials"}, "client_id": {c.ID()}, "scope": {stand.BoundResource + "/.default"}}),
	}
	if h.redial {
		h.every = anewEvery
	}
	return h, nil
}

func (h *honest) ask(ctx context.Context) error {
	if h.conn == nil {
		conn, err := h.dialer.DialContext(ctx, "tcp", h.target.Address)
		if err != nil {
			return err
		}
		h.conn = tls.Client(conn, h.config)
		h.reader = bufio.NewReader(h.conn)
	}
	_ = h.conn.SetDeadline(time.Now().Add(10 * time.Second))
	if _, err := h.conn.Write(h.request); err != nil {
		return err
	}
	resp, err := http.ReadResponse(h.reader, nil)
	if err != nil {
		return err
	}
	body, err := io.ReadAll(resp.Body)
	_ = resp.Body.Close()
	if h.redial || resp.Close {
		h.hangUp()
	}
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("an honest client was refused: %d %s", resp.StatusCode, body)
	}
	return err
}

func (h *honest) hangUp() {
	if c, ok := h.conn.(*tls.Conn); ok {
		_ = c.NetConn().Close()
	}
	h.conn = nil
}

// form is a whole request of HTTP/1.1.
func form(path string, values url.Values) []byte {
	body := values.Encode()
	return fmt.Appendf(nil, "POST %s HTTP/1.1\r\nHost: lanyard-issuer.lanyard-system.svc\r\n"+
		"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: %d\r\n\r\n%s", path, len(body), body)
}
