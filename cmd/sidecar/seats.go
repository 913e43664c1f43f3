package main

import (
	"net"
	"net/netip"
	"sync"
)

// seats is a listener with so many connections at once for the programs beside this one, and
// as many for everybody else; who finds no seat is turned away. The startup probe comes from
// here: in one queue with the rest of the network, strangers who hold all connections would
// keep the pod from starting.
type seats struct {
	net.Listener

	own, others chan struct{}
}

func newSeats(l net.Listener, each int) *seats {
	return &seats{Listener: l, own: make(chan struct{}, each), others: make(chan struct{}, each)}
}

// Accept implements net.Listener.
func (s *seats) Accept() (net.Conn, error) {
	for {
		conn, err := s.Listener.Accept()
		if err != nil {
			return nil, err
		}
		of := s.others
		if fromHere(conn.RemoteAddr()) {
			of = s.own
		}
		select {
		case of <- struct{}{}:
			return &seated{Conn: conn, leave: sync.OnceFunc(func() { <-of })}, nil
		default:
			_ = conn.Close() // nothing was said yet
		}
	}
}

func fromHere(address net.Addr) bool {
	from, err := netip.ParseAddrPort(address.String())
	return err == nil && from.Addr().Unmap().IsLoopback()
}

// seated is a connection that has a seat until it is closed.
type seated struct {
	net.Conn

	leave func()
}

// Close implements net.Conn.
func (c *seated) Close() error {
	c.leave()
	return c.Conn.Close()
}
