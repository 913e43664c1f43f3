package httpapi

import (
	"container/list"
	"context"
	"net"
	"net/http"
	"sync"
	"time"
)

// connections bounds how long a connection lives and how many there are. When
// there are too many, those that have been idle longest go: ten thousand idle
// strangers do not keep an honest client out.
type connections struct {
	now func() time.Time
	// maxAge closes a connection whatever it does; from retireAge on it is told to
	// close with the next answer.
	maxAge, retireAge time.Duration
	max               int

	mu   sync.Mutex
	all  map[net.Conn]*connection
	idle *list.List // of *connection, idle longest first
}

type connection struct {
	conn    net.Conn
	retires time.Time
	end     *time.Timer
	idle    *list.Element // nil while a request is served
}

func newConnections(now func() time.Time, maxAge, retireAge time.Duration, limit int) *connections {
	return &connections{now: now, maxAge: maxAge, retireAge: retireAge, max: limit, all: map[net.Conn]*connection{}, idle: list.New()}
}

type connectionKey struct{}

// outlived says whether r's connection should end with its answer.
func outlived(r *http.Request, now time.Time) bool {
	c, ok := r.Context().Value(connectionKey{}).(*connection)
	return ok && !now.Before(c.retires)
}

// opened is the server's ConnContext.
func (s *connections) opened(ctx context.Context, conn net.Conn) context.Context {
	c := &connection{
		conn:    conn,
		retires: s.now().Add(s.retireAge),
		end:     time.AfterFunc(s.maxAge, func() { _ = conn.Close() }),
	}
	if surplus := s.insert(c); surplus != nil {
		// In its own goroutine: saying goodbye may wait for a peer that does not read.
		go func() { _ = surplus.Close() }()
	}
	return context.WithValue(ctx, connectionKey{}, c)
}

// insert adds c, which is idle until it has sent something, and returns the
// connection that has to go instead, if there are too many.
func (s *connections) insert(c *connection) (surplus net.Conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.all[c.conn] = c
	if oldest := s.idle.Front(); len(s.all) > s.max && oldest != nil {
		if o, ok := oldest.Value.(*connection); ok {
			s.remove(o)
			surplus = o.conn
		}
	}
	c.idle = s.idle.PushBack(c)
	return surplus
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
		c.idle = s.idle.PushBack(c)
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

func (s *connections) remove(c *connection) {
	s.busy(c)
	delete(s.all, c.conn)
	c.end.Stop()
}
