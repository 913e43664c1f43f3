package httpapi

import (
	"crypto/tls"
	"errors"
	"net"
)

// maxHeld bounds what has been read of requests that have not been answered yet, on
// all connections together. Parsed, a header of many short fields has twenty times
// its length, so that this is 80 MiB at worst; an honest request and its handshake
// have 4 KiB, and are gone in milliseconds.
const maxHeld = 4 << 20

// meteredListener tells what is read from its connections.
type meteredListener struct{ net.Listener }

// Accept implements net.Listener.
func (l meteredListener) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &metered{Conn: conn}, nil
}

// metered is a connection below TLS.
type metered struct {
	net.Conn
	of *connection // set before the first Read
}

// meter makes c know what is read from conn.
func meter(conn net.Conn, c *connection) {
	if t, ok := conn.(*tls.Conn); ok {
		conn = t.NetConn()
	}
	if m, ok := conn.(*metered); ok {
		m.of = c
	}
}

// Read implements net.Conn.
func (m *metered) Read(p []byte) (int, error) {
	c := m.of
	if c != nil && !c.client.Load() {
		p = p[:min(len(p), bytesPerConnection)] // what is read of a stranger is paid for piece by piece
	}
	n, err := m.Conn.Read(p)
	if n > 0 && c != nil && !c.received(n) {
		return 0, errCutOff
	}
	return n, err
}

var errCutOff = errors.New("strangers of this network may send no more")

// received counts n bytes that came over c, and returns false if strangers of its
// network may send no more. If too much is held, who holds it goes.
func (c *connection) received(n int) bool {
	s := c.owner
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.all[c.conn] != c {
		return true // it is being closed
	}
	c.held += n
	s.held += n
	if c.paid -= n; c.paid < 0 && c.stranger != nil {
		c.paid += bytesPerConnection
		if !c.spend(1) && !c.borrow(1) {
			return false
		}
	}
	for s.held > maxHeld {
		goes := s.holder()
		s.remove(goes)
		go func() { _ = goes.conn.Close() }() // as in opened
	}
	return true
}

// answered forgets what was counted: nothing of it is kept.
func (s *connections) answered(c *connection) {
	s.held -= c.held
	c.held = 0
}

// holder is who has to go if too much is held: of the strangers who hold no small
// part of it the oldest, so that an honest newcomer stays; else who holds most.
func (s *connections) holder() (goes *connection) {
	for c := range s.strangers.all() {
		if c.held >= s.held/len(s.all)/2 {
			return c
		}
	}
	for _, c := range s.all {
		if goes == nil || c.held > goes.held {
			goes = c
		}
	}
	return goes
}
