package main

import (
	"net"
	"testing"
)

// arrivals is a listener at which connections from these addresses arrive, one after the other.
type arrivals struct {
	net.Listener

	from   []string
	closed []string
}

func (a *arrivals) Accept() (net.Conn, error) {
	if len(a.from) == 0 {
		return nil, net.ErrClosed
	}
	conn := &arrival{at: a, from: a.from[0]}
	a.from = a.from[1:]
	return conn, nil
}

type arrival struct {
	net.Conn

	at   *arrivals
	from string
}

func (c *arrival) Close() error {
	c.at.closed = append(c.at.closed, c.from)
	return nil
}

func (c *arrival) RemoteAddr() net.Addr {
	address, _ := net.ResolveTCPAddr("tcp", c.from)
	return address
}

// Strangers who hold every connection that they can get keep neither the startup probe away, nor
// those who come once they have gone.
func TestRefusesStrangersWithoutHarmToTheProbe(t *testing.T) {
	a := &arrivals{from: []string{
		"10.0.0.1:1", "10.0.0.1:2", "10.0.0.1:3", "[fd00::1]:4", "127.0.0.1:5", "[::ffff:127.0.0.1]:6", "127.0.0.1:7", "10.0.0.2:8",
	}}
	s := newSeats(a, 2)
	accept := func(want string) net.Conn {
		t.Helper()
		conn, err := s.Accept()
		if err != nil || conn.RemoteAddr().String() != want {
			t.Fatalf("accepted %v, %v; want %s", conn, err, want)
		}
		return conn
	}
	first := accept("10.0.0.1:1")
	accept("10.0.0.1:2")
	accept("127.0.0.1:5")
	accept("127.0.0.1:6")
	if len(a.closed) != 2 || a.closed[0] != "10.0.0.1:3" || a.closed[1] != "[fd00::1]:4" {
		t.Errorf("turned away: %v", a.closed)
	}
	for range 2 { // a connection may be closed twice
		_ = first.Close()
	}
	accept("10.0.0.2:8")
	if _, err := s.Accept(); err == nil {
		t.Error("accepted another")
	}
}
