package httpapi

import (
	"io"
	"net/http"
	"net/netip"
	"time"
)

const (
	// maxLinger is how much is read of a body that was refused before it was read,
	// and lingerTime how long that may take.
	maxLinger  = 256 << 10
	lingerTime = 2 * time.Second
)

// leaveBody sees to it that a refusal before the whole body reaches a client that
// is still sending, and does not wait for the rest for as long as a request may
// take, as net/http would.
//
// A short form has come with its headers, and is taken first, so that a client that
// is told to come again later need not connect again. What is left on a connection of
// HTTP/1.1 cannot be told from the next request, so that it ends; linger does that
// gently. In HTTP/2 net/http resets the stream right
// after the answer, and some clients forget the answer then, so that the rest is
// taken first.
func (x *exchange) leaveBody() {
	switch {
	case x.bodyRead || x.r.ContentLength == 0:
	case x.r.ProtoMajor != 1:
		x.api.bodies.discard(x)
	case x.r.ContentLength > 0 && x.r.ContentLength <= firstRead && x.api.bodies.discard(x):
	default:
		x.lingers = true
		x.w.Header()["Connection"] = headerClose
		// An error means that there is nothing to be gained.
		_ = http.NewResponseController(x.w).EnableFullDuplex()
	}
}

// linger reads and throws away what is left of a body after the answer to it was
// sent (RFC 9112 section 9.6). To close at once would lose the answer: the kernel
// resets a connection that is closed with bytes unread, and an honest client that
// is still sending sees the reset instead. Who sends slowly, or much, is cut off.
func (x *exchange) linger() {
	if !x.lingers {
		return
	}
	c := http.NewResponseController(x.w)
	if c.Flush() == nil {
		x.api.bodies.discard(x)
	}
	_ = c.SetReadDeadline(past) // net/http would go on reading
}

// discard reads what is left of x's body, within bounds, and says whether that was
// all that its header announced. Nobody needs it, so that it is done only while half
// of the places are free.
func (b *bodies) discard(x *exchange) bool {
	reading := b.beginLast(network(x.peer), x.w)
	if reading == nil {
		return false
	}
	end := time.AfterFunc(lingerTime, func() { b.stop(reading) })
	defer end.Stop()
	n, _ := io.CopyN(io.Discard, x.r.Body, maxLinger)
	return b.end(reading) && n == x.r.ContentLength
}

// beginLast is begin for a body that is thrown away: nil if half of the places are
// taken.
func (b *bodies) beginLast(of netip.Addr, w http.ResponseWriter) *reading {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.waiting.size() >= b.max/2 {
		return nil
	}
	r := &reading{w: w}
	r.place = b.waiting.add(of, r)
	return r
}

// stop ends the reading of r, if it goes on.
func (b *bodies) stop(r *reading) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.cut(r)
}
