package httpapi

import (
	"container/list"
	"context"
	"crypto/x509"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/lanyard-dev/lanyard/issuer/rules"
)

// connections bounds how long a connection lives and how many there are. A
// connection is a stranger's until a token was given over it, whatever it does
// meanwhile: wait in the handshake, send headers slowly or no body at all. When
// there are too many, strangers go first, so that they keep no client out. A quarter
// of the places is for strangers, though: every client begins as one.
type connections struct {
	now        func() time.Time
	allowances *allowances
	// maxAge closes a connection whatever it does; from retireAge on it is told to
	// close with the next answer.
	maxAge, retireAge time.Duration
	max               int

	mu        sync.Mutex
	all       map[net.Conn]*connection
	held      int // by all connections
	strangers crowd[*connection]
	idle      *list.List // of *connection of clients, idle longest first
}

type connection struct {
	owner    *connections
	conn     net.Conn
	network  netip.Addr
	retires  time.Time
	end      *time.Timer
	held     int                        // bytes of requests that have not been answered
	spent    float64                    // of its network's allowance, as a stranger
	paid     int                        // bytes that may come before more is spent
	credit   int                        // how often more may be spent than there is
	stranger *list.Element              // nil once a token was given
	peer     atomic.Pointer[rules.Peer] // of the handshake
	asked    atomic.Bool
	client   atomic.Bool   // a token was given
	idle     *list.Element // nil while a request is served, and for strangers
}

func newConnections(now func() time.Time, maxAge time.Duration, limit int, strangers Rate) *connections {
	return &connections{now: now, allowances: newAllowances(strangers), maxAge: maxAge, retireAge: maxAge * 4 / 5, max: limit, all: map[net.Conn]*connection{}, idle: list.New()}
}

type connectionKey struct{}

// connectionOf is the connection that r came over; nil if nobody bounds it.
func connectionOf(r *http.Request) *connection {
	c, _ := r.Context().Value(connectionKey{}).(*connection)
	return c
}

// peerOf is rules.PeerOf(chain), which is the same for each request over c: the
// certificate is hashed once. What it is worth is judged each time.
func (c *connection) peerOf(chain []*x509.Certificate) rules.Peer {
	if c == nil || len(chain) == 0 {
		return rules.PeerOf(chain)
	}
	if known := c.peer.Load(); known != nil && known.Chain[0] == chain[0] {
		return *known
	}
	p := rules.PeerOf(chain)
	c.peer.Store(&p)
	return p
}

// outlived says whether c should end with its next answer.
func (c *connection) outlived(now time.Time) bool { return c != nil && !now.Before(c.retires) }

// proven says that a token was given over c.
func (c *connection) proven() {
	if c == nil {
		return
	}
	c.owner.mu.Lock()
	defer c.owner.mu.Unlock()
	c.client.Store(true)
	if c.spent > 0 {
		c.owner.allowances.giveBack(c.network, c.spent, c.owner.now())
		c.spent = 0
	}
	c.owner.greet(c)
	c.owner.answered(c)
}

// asks says that a request came over c, and returns false if strangers of its network
// may send no more. The first of a connection is paid for.
func (c *connection) asks() bool {
	if c.client.Load() || !c.asked.Swap(true) {
		return true
	}
	c.owner.mu.Lock()
	defer c.owner.mu.Unlock()
	return c.spend(1.0 / requestsPerConnection)
}

// spend takes cost of the allowance of a stranger's network, and returns false if
// there is too little left.
func (c *connection) spend(cost float64) bool {
	if !c.owner.allowances.takeMore(c.network, cost, c.owner.now()) {
		return false
	}
	c.spent += cost
	return true
}

// borrow spends cost although there is too little left, and returns false if c did so
// too often.
func (c *connection) borrow(cost float64) bool {
	if c.credit == 0 {
		return false
	}
	c.credit--
	c.owner.allowances.owe(c.network, cost, c.owner.now())
	c.spent += cost
	return true
}

// bound is the handler that lets strangers ask h as much as they may. Who asks more
// is cut off: an answer would cost as much as what is to be saved.
func (s *connections) bound(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if c := connectionOf(r); c != nil && !c.asks() {
			go func() { _ = c.conn.Close() }() // as in opened
			panic(http.ErrAbortHandler)
		}
		h.ServeHTTP(w, r)
	})
}

// opened is the server's ConnContext.
func (s *connections) opened(ctx context.Context, conn net.Conn) context.Context {
	c := &connection{
		owner:   s,
		conn:    conn,
		network: networkOf(conn),
		spent:   1,
		paid:    bytesPerConnection,
		credit:  creditOfNewcomer,
		retires: s.now().Add(s.retireAge),
		end:     time.AfterFunc(s.maxAge, func() { _ = conn.Close() }),
	}
	meter(conn, c)
	if surplus := s.insert(c); surplus != nil {
		// In its own goroutine: saying goodbye may wait for a peer that does not read.
		go func() { _ = surplus.Close() }()
	}
	return context.WithValue(ctx, connectionKey{}, c)
}

// insert adds c, and returns the connection that has to go, if there are too many.
func (s *connections) insert(c *connection) (surplus net.Conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var goes *connection
	if len(s.all) >= s.max {
		goes = s.surplus()
	}
	s.all[c.conn] = c
	c.stranger = s.strangers.add(c.network, c)
	if len(s.all) <= s.max {
		return nil
	}
	if goes == nil { // all others are clients that are being served
		goes = c
	}
	s.remove(goes)
	return goes.conn
}

// surplus is who has to go; nil if nobody should.
func (s *connections) surplus() *connection {
	if first := s.idle.Front(); first != nil && s.strangers.size() <= s.max/4 {
		c, _ := first.Value.(*connection)
		return c
	}
	c, _ := s.strangers.surplus()
	return c
}

// changed is the server's ConnState.
func (s *connections) changed(conn net.Conn, state http.ConnState) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c, ok := s.all[conn]
	if !ok {
		return
	}
	switch state {
	case http.StateActive:
		s.busy(c)
	case http.StateIdle:
		s.busy(c)
		s.answered(c)
		if c.stranger == nil {
			c.idle = s.idle.PushBack(c)
		}
	case http.StateClosed, http.StateHijacked:
		s.remove(c)
	case http.StateNew: // opened came before
	}
}

func (s *connections) busy(c *connection) {
	if c.idle != nil {
		s.idle.Remove(c.idle)
		c.idle = nil
	}
}

// greet ends c's being a stranger.
func (s *connections) greet(c *connection) {
	if c.stranger != nil {
		s.strangers.remove(c.stranger)
		c.stranger = nil
	}
}

func (s *connections) remove(c *connection) {
	s.busy(c)
	s.greet(c)
	s.answered(c)
	delete(s.all, c.conn)
	c.end.Stop()
}

// networkOf is the network of conn's peer.
func networkOf(conn net.Conn) netip.Addr {
	if tcp, ok := conn.RemoteAddr().(*net.TCPAddr); ok {
		return network(tcp.AddrPort().Addr().Unmap())
	}
	return network(addressOf(conn.RemoteAddr().String()))
}

// addressOf is the address of "address:port"; the zero Addr if it is none.
func addressOf(hostPort string) netip.Addr {
	ap, err := netip.ParseAddrPort(hostPort)
	if err != nil {
		return netip.Addr{}
	}
	return ap.Addr().Unmap()
}
