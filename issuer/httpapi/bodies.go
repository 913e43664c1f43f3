package httpapi

import (
	"container/list"
	"errors"
	"io"
	"net/http"
	"net/netip"
	"sync"
	"time"

	"github.com/lanyard-dev/lanyard/issuer/oauth"
)

const (
	// maxBody is how long a form may be.
	maxBody = 64 << 10
	// firstRead is enough for nearly every form. What is longer is believed when it
	// has come: a Content-Length costs its sender nothing.
	firstRead = 4 << 10
	// defaultMaxBodies bounds what forms that do not end hold: 256 of 64 KiB, and the
	// headers before them.
	defaultMaxBodies = 256
)

// past is a deadline that is over.
//
//nolint:gochecknoglobals // a constant that Go cannot write as such
var past = time.Unix(1, 0)

// bodies bounds how many bodies are read at the same time. An honest body comes with
// its headers and is read at once; those that are waited for when there are too many
// do not block it: one of them is cut short.
type bodies struct {
	max int

	mu      sync.Mutex
	waiting crowd[*reading]
}

// reading is the reading of one body.
type reading struct {
	w     http.ResponseWriter
	place *list.Element // nil once it ended, or was cut short
}

func (b *bodies) begin(of netip.Addr, w http.ResponseWriter) *reading {
	r := &reading{w: w}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.waiting.size() >= b.max {
		if goes, ok := b.waiting.surplus(); ok {
			b.cut(goes)
		}
	}
	r.place = b.waiting.add(of, r)
	return r
}

// cut ends the reading of r. It is called under the lock: r.w may not be used once
// its handler has returned.
func (b *bodies) cut(r *reading) {
	if r.place == nil {
		return
	}
	b.waiting.remove(r.place)
	r.place = nil
	_ = http.NewResponseController(r.w).SetReadDeadline(past)
}

// end returns false if r was cut short.
func (b *bodies) end(r *reading) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if r.place == nil {
		return false
	}
	b.waiting.remove(r.place)
	r.place = nil
	return true
}

// body reads the whole form.
func (a *API) body(x *exchange) (string, *oauth.Error) {
	if x.r.ContentLength > maxBody {
		return "", oauth.NewError(oauth.ErrBodyTooLarge, "")
	}
	reading := a.bodies.begin(network(x.peer), x.w)
	body, err := readBody(x.r.Body, int(x.r.ContentLength))
	switch whole := a.bodies.end(reading); {
	case !whole:
		return "", oauth.NewError(oauth.ErrBusy, "")
	case errors.Is(err, errBodyTooLarge):
		return "", oauth.NewError(oauth.ErrBodyTooLarge, "")
	case err != nil:
		e := oauth.NewError(oauth.ErrMalformedBody, "the body did not arrive as a whole, or not within 10 s").WithCause(err)
		e.Reason = "body_incomplete"
		return "", e
	}
	x.bodyRead = true
	return string(body), nil
}

var errBodyTooLarge = errors.New("the body is too large")

// readBody reads length bytes or, if that is negative, maxBody at most.
func readBody(r io.Reader, length int) ([]byte, error) {
	limit := length
	if length < 0 {
		limit = maxBody + 1
	}
	b := make([]byte, 0, min(limit, firstRead))
	for len(b) < limit {
		if len(b) == cap(b) {
			b = append(make([]byte, 0, min(2*cap(b), limit)), b...)
		}
		n, err := r.Read(b[len(b):cap(b)])
		b = b[:len(b)+n]
		if errors.Is(err, io.EOF) && (length < 0 || len(b) == length) {
			return b, nil
		}
		if err != nil {
			return nil, err
		}
	}
	if len(b) > maxBody {
		return nil, errBodyTooLarge
	}
	return b, nil
}
