package main

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// attackJob is what the process of the attackers is told.
type attackJob struct {
	Name   string
	Target target
	Until  time.Time
	// Addresses are how many attack: 127.0.2.1 and so on.
	Addresses int
}

// harm is what the attackers did.
type harm struct {
	Connections, Refused int64
	Bytes                int64 // that they sent, with those of TLS
}

// counted counts what is sent over it.
type counted struct {
	net.Conn
	bytes *atomic.Int64
}

// Write implements net.Conn.
func (c counted) Write(p []byte) (int, error) {
	n, err := c.Conn.Write(p)
	c.bytes.Add(int64(n))
	return n, err
}

// attack is one kind of attack: so many attackers, each of which connects, does
// something until it is told to go, and begins anew.
type attack struct {
	name, what string
	attackers  int
	// pause before an attacker connects again.
	pause time.Duration
	do    func(a *attacker, conn net.Conn)
}

func attacks() []attack {
	return []attack{
		{"idle", "10,000 connections that do nothing after the handshake", 10000, time.Second, func(a *attacker, c net.Conn) {
			if t := a.secure(c, "http/1.1"); t != nil {
				a.listen(t)
			}
		}},
		{"mute", "10,000 connections that do nothing at all", 10000, time.Second, func(a *attacker, c net.Conn) { a.listen(c) }},
		{"slow headers", "1,000 peers that send a header a second", 1000, 0, func(a *attacker, c net.Conn) {
			a.drip(c, "POST "+a.target.Path+" HTTP/1.1\r\nHost: x\r\n", "X-Slow: 1\r\n")
		}},
		{"slow bodies", "1,000 peers that send a byte of their body a second", 1000, 0, func(a *attacker, c net.Conn) {
			a.drip(c, "POST "+a.target.Path+" HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 60000\r\n\r\n", "a")
		}},
		{"garbage", "64 peers that send random bytes without pause", 64, 0, (*attacker).garbage},
		{"garbage forms", "64 peers that send forms of garbage without pause", 64, 0, (*attacker).forms},
		{"resets", "32 peers of HTTP/2 that reset each stream they open", 32, 0, (*attacker).resets},
		{"reconnects", "2,000 peers that shake hands, hang up and come again", 2000, 0, func(a *attacker, c net.Conn) { a.secure(c, "http/1.1") }},
		{"hellos", "500 peers that send the same ClientHello again and again", 500, 0, (*attacker).hellos},
	}
}

// maxAddresses attack at most.
const maxAddresses = 250

// attacker is one of many.
type attacker struct {
	target target
	hello  []byte
	random []byte
	until  time.Time
}

func runAttack(ctx context.Context, j attackJob) (harm, error) {
	var how attack
	for _, a := range attacks() {
		if a.name == j.Name {
			how = a
		}
	}
	hello, err := clientHello()
	if err != nil {
		return harm{}, err
	}
	random := make([]byte, 16<<10)
	_, _ = rand.Read(random) // never fails
	ctx, cancel := context.WithDeadline(ctx, j.Until)
	defer cancel()
	var opened, refused, sent atomic.Int64
	var all sync.WaitGroup
	for i := range how.attackers {
		a := &attacker{target: j.Target, hello: hello, random: random, until: j.Until}
		dialer := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 2, byte((1+i%j.Addresses)&0xff))}, Timeout: 5 * time.Second}
		all.Go(func() {
			for ctx.Err() == nil {
				conn, err := dialer.DialContext(ctx, "tcp", j.Target.Address)
				if err != nil {
					refused.Add(1)
					sleep(ctx, 100*time.Millisecond)
					continue
				}
				opened.Add(1)
				if t, ok := conn.(*net.TCPConn); ok {
					_ = t.SetLinger(0) // no port waits for the last packet of an attacker
				}
				_ = conn.SetDeadline(j.Until)
				how.do(a, counted{conn, &sent})
				_ = conn.Close()
				sleep(ctx, how.pause)
			}
		})
	}
	all.Wait()
	return harm{Connections: opened.Load(), Refused: refused.Load(), Bytes: sent.Load()}, nil
}

func sleep(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}

// secure shakes hands, as somebody whom no certificate convinces or deters; nil: it
// failed.
func (a *attacker) secure(conn net.Conn, protocol string) *tls.Conn {
	t := tls.Client(conn, &tls.Config{
		InsecureSkipVerify: true, // an attacker does not care who answers
		NextProtos:         []string{protocol},
	})
	if t.Handshake() != nil { //nolint:noctx // the connection has a deadline
		return nil
	}
	return t
}
