package httpapi

import (
	"errors"
	"net"
	"net/netip"
	"sync"
	"syscall"
	"time"
)

const (
	// maxWaiting connections wait at the door. One that waits is a socket and half a
	// KiB: no goroutine, no buffer, no handshake.
	maxWaiting = 10_000
	// maxWait is how long; then a peer is told to go.
	maxWait = 10 * time.Second
	// doorEvery is how often those who wait are looked at.
	doorEvery = 20 * time.Millisecond
)

// door is a listener that lets connections in as their networks' allowances permit.
// The others wait: to close them would only make them come again at once, and to let
// them in would have their handshakes compete with the requests of clients. If too
// many wait, the network of which most do loses its oldest.
type door struct {
	net.Listener
	allowances *allowances
	now        func() time.Time

	in    chan entering
	over  chan struct{}
	close sync.Once

	mu      sync.Mutex
	waiting crowd[*waiter]
}

// entering is what Accept returns.
type entering struct {
	conn net.Conn
	err  error
}

type waiter struct {
	conn  net.Conn
	until time.Time
	leave func()
}

// newDoor begins to accept from l, until the door is closed.
func newDoor(l net.Listener, a *allowances, now func() time.Time) *door {
	d := &door{Listener: l, allowances: a, now: now, in: make(chan entering), over: make(chan struct{})}
	go d.accept()
	go d.admit()
	return d
}

// Accept implements net.Listener.
func (d *door) Accept() (net.Conn, error) {
	select {
	case e := <-d.in:
		return e.conn, e.err
	case <-d.over:
		return nil, net.ErrClosed
	}
}

// Close implements net.Listener.
func (d *door) Close() error {
	d.close.Do(func() { close(d.over) })
	return d.Listener.Close()
}

func (d *door) accept() {
	for {
		conn, err := d.Listener.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		// Other errors are the server's, which waits a little before it comes again.
		if (errors.Is(err, syscall.EMFILE) || errors.Is(err, syscall.ENFILE)) && d.lose() {
			continue
		}
		if err == nil {
			if n := networkOf(conn); !d.allowances.take(n, 1, d.now()) {
				d.hold(conn, n)
				continue
			}
		}
		if !d.enter(entering{conn, err}) {
			return
		}
	}
}

// lose sends one away who waits, so that there is a file for somebody else, and returns
// false if nobody waits.
func (d *door) lose() bool {
	d.mu.Lock()
	goes, ok := d.waiting.surplus()
	if ok {
		goes.leave()
	}
	d.mu.Unlock()
	if ok {
		hangUp(goes.conn)
	}
	return ok
}

// enter hands e to the server, and returns false if there is none any more.
func (d *door) enter(e entering) bool {
	select {
	case d.in <- e:
		return true
	case <-d.over:
		if e.conn != nil {
			_ = e.conn.Close()
		}
		return false
	}
}

// hold lets conn wait.
func (d *door) hold(conn net.Conn, network netip.Addr) {
	w := &waiter{conn: conn, until: d.now().Add(maxWait)}
	d.mu.Lock()
	place := d.waiting.add(network, w)
	w.leave = func() { d.waiting.remove(place) }
	full := d.waiting.size() > maxWaiting
	d.mu.Unlock()
	if full {
		d.lose()
	}
}

// admit lets those in who have waited long enough, until the door is closed.
func (d *door) admit() {
	tick := time.NewTicker(doorEvery)
	defer tick.Stop()
	for {
		select {
		case <-d.over:
			d.empty()
			return
		case <-tick.C:
		}
		admitted, expired := d.next(d.now())
		for _, conn := range expired {
			hangUp(conn)
		}
		for _, conn := range admitted {
			if !d.enter(entering{conn: conn}) {
				break
			}
		}
	}
}

// next takes out who may come in, and who has waited too long.
func (d *door) next(now time.Time) (admitted, expired []net.Conn) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for w := range d.waiting.all() {
		if now.Before(w.until) {
			break
		}
		expired = append(expired, w.conn)
		w.leave()
	}
	for network := range d.waiting.of {
		for w, ok := d.waiting.first(network); ok && d.allowances.take(network, 1, now); w, ok = d.waiting.first(network) {
			admitted = append(admitted, w.conn)
			w.leave()
		}
	}
	return admitted, expired
}

func (d *door) empty() {
	d.mu.Lock()
	defer d.mu.Unlock()
	for w := range d.waiting.all() {
		_ = w.conn.Close()
	}
	d.waiting = crowd[*waiter]{}
}

// hangUp ends a connection that nothing was said over, in the way that costs least:
// nothing is kept of it.
func hangUp(conn net.Conn) {
	if t, ok := conn.(*net.TCPConn); ok {
		_ = t.SetLinger(0)
	}
	_ = conn.Close()
}
