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

// times of one attack. Honest clients are measured between Begin and Attack, and
// between Settled and End.
type times struct{ Begin, Attack, Settled, End time.Time }

// honestJob is what the process of the honest clients is told.
type honestJob struct {
	Target  target
	Times   times
	Clients []stand.Client
	PID     int // of the server
}

// tokens is what honest clients got, a second.
type tokens struct {
	// Kept is over connections that stay, New over a new one for each token.
	KeptBefore, KeptDuring, NewBefore, NewDuring float64
	// Failed are requests without a token, during the attack.
	Failed int
	// ShareBefore and ShareDuring are all tokens a second of the server's processor time.
	ShareBefore, ShareDuring float64
}

// honestNetworks are 127.0.1.1 and so on.
func honestAddress(i int) net.IP { return net.IPv4(127, 0, 1, byte(1+i%250)) }

// newEvery makes every so-manieth honest client one that takes a new connection for
// each token.
const newEvery = 3

func runHonest(ctx context.Context, j honestJob) (tokens, error) {
	root, err := x509.ParseCertificate(j.Target.Root)
	if err != nil {
		return tokens{}, err
	}
	pool := x509.NewCertPool()
	pool.AddCert(root)
	var counts struct{ before, during, newBefore, newDuring, failed atomic.Int64 }
	failures := make([]error, len(j.Clients))
	var all sync.WaitGroup
	for i, c := range j.Clients {
		pair, err := c.Certificate.TLS()
		if err != nil {
			return tokens{}, err
		}
		h := &honest{
			target: j.Target, redial: i%newEvery == 0,
			config:  &tls.Config{MinVersion: tls.VersionTLS13, RootCAs: pool, ServerName: "127.0.0.1", Certificates: []tls.Certificate{pair}},
			dialer:  net.Dialer{LocalAddr: &net.TCPAddr{IP: honestAddress(i)}, Timeout: 5 * time.Second},
			request: form(j.Target.Path, url.Values{"grant_type": {"client_credentials"}, "client_id": {c.ID()}, "scope": {stand.BoundResource + "/.default"}}),
		}
		before, during := &counts.before, &counts.during
		if h.redial {
			before, during = &counts.newBefore, &counts.newDuring
		}
		all.Go(func() {
			for now := time.Now(); now.Before(j.Times.End); now = time.Now() {
				err := h.ask(ctx)
				switch now := time.Now(); {
				case err != nil && now.Before(j.Times.Attack):
					failures[i] = err
					return
				case err != nil:
					counts.failed.Add(1)
					h.hangUp()
				case now.After(j.Times.Begin) && now.Before(j.Times.Attack):
					before.Add(1)
				case now.After(j.Times.Settled) && now.Before(j.Times.End):
					during.Add(1)
				}
			}
			h.hangUp()
		})
	}
	cpu, err := j.cpuTimes()
	if err != nil {
		return tokens{}, err
	}
	all.Wait()
	share := func(a, b *atomic.Int64, used time.Duration) float64 {
		return float64(a.Load()+b.Load()) / max(used, time.Millisecond).Seconds()
	}
	rate := func(n *atomic.Int64, from, to time.Time) float64 { return float64(n.Load()) / to.Sub(from).Seconds() }
	t := j.Times
	return tokens{
		KeptBefore: rate(&counts.before, t.Begin, t.Attack), KeptDuring: rate(&counts.during, t.Settled, t.End),
		NewBefore: rate(&counts.newBefore, t.Begin, t.Attack), NewDuring: rate(&counts.newDuring, t.Settled, t.End),
		ShareBefore: share(&counts.before, &counts.newBefore, cpu[1]-cpu[0]),
		ShareDuring: share(&counts.during, &counts.newDuring, cpu[3]-cpu[2]),
		Failed:      int(counts.failed.Load()),
	}, errors.Join(failures...)
}

// cpuTimes are the server's at the four times.
func (j honestJob) cpuTimes() (cpu [4]time.Duration, err error) {
	for i, at := range []time.Time{j.Times.Begin, j.Times.Attack, j.Times.Settled, j.Times.End} {
		time.Sleep(time.Until(at))
		if cpu[i], err = stand.CPUTime(j.PID); err != nil {
			return cpu, err
		}
	}
	return cpu, nil
}

// honest is a client with a certificate that asks for one token after the other.
type honest struct {
	target  target
	redial  bool
	config  *tls.Config
	dialer  net.Dialer
	request []byte

	conn   net.Conn
	reader *bufio.Reader
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
