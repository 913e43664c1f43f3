package httpapi

import (
	"maps"
	"net/netip"
	"sync"
	"time"
)

// What costs a stranger as much as a connection does: a handshake takes ten times as
// long as a refusal, and about as long as 2 KiB of frames of HTTP/2 that open streams
// and reset them, without a request that anybody would see.
const (
	requestsPerConnection = 10
	bytesPerConnection    = 2 << 10
)

// Strangers of many networks add up. All together may do as much as so many networks,
// and fewer of them at once, which still is half a second of a core. Those do not count
// that had a token given to one of theirs not long ago: whom an attack from everywhere
// makes wait are newcomers. While half of that is left nobody needs it, and one network
// may spend more than its own: who tries things out from one address, or a proxy that
// many stand behind, is no attack.
const (
	networksTogether = 25
	networksAtOnce   = 10
	knownFor         = time.Hour
)

// creditOfNewcomer is how many times bytesPerConnection a connection may send more
// than its network has left. A handshake with a client certificate and a form with an
// assertion are longer than what the connection itself paid for. Without credit nobody
// could finish one while somebody else of the network spends whatever there is.
const creditOfNewcomer = 3

// allowances bound the work that strangers make. Each network may open so many
// connections a second, and send so many requests, without a token being given. What
// was a client's is given back, so that it is not the busy who wait but those who
// never get a token.
type allowances struct {
	rate Rate // in connections; the zero Rate is no limit

	mu  sync.Mutex
	of  map[netip.Addr]*allowance
	all allowance // of those that are not known
}

// allowance is what one network may spend.
type allowance struct {
	left  float64
	at    time.Time
	known time.Time // until then
}

// earn adds what r gives until now.
func (w *allowance) earn(r Rate, now time.Time) {
	if earned := now.Sub(w.at).Seconds() * r.PerSecond; earned > 0 {
		w.left, w.at = min(w.left+earned, float64(r.Burst)), now
	}
}

func newAllowances(r Rate) *allowances {
	r.Burst = max(1, r.Burst)
	return &allowances{rate: r, of: map[netip.Addr]*allowance{}, all: allowance{left: float64(together(r).Burst)}}
}

// together is the rate of all networks.
func together(r Rate) Rate {
	return Rate{PerSecond: r.PerSecond * networksTogether, Burst: r.Burst * networksAtOnce}
}

// take spends cost on coming in, and returns false if the network does not have so
// much, or all together do not.
func (a *allowances) take(network netip.Addr, cost float64, now time.Time) bool {
	return a.spend(network, cost, 0, now)
}

// takeMore is take for who is in: all together may owe a second's worth, so that those
// who wait to come in do not cut off whoever has just done so.
func (a *allowances) takeMore(network netip.Addr, cost float64, now time.Time) bool {
	return a.spend(network, cost, together(a.rate).PerSecond, now)
}

func (a *allowances) spend(network netip.Addr, cost, debt float64, now time.Time) bool {
	if a.rate.PerSecond <= 0 {
		return true
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	w := a.now(network, now)
	own, known := w.left >= cost, now.Before(w.known)
	switch spare := a.all.left >= float64(together(a.rate).Burst)/2; {
	case !own && !spare, !known && a.all.left+debt < cost:
		return false
	case own:
		w.left -= cost
	}
	if !own || !known {
		a.all.left -= cost
	}
	return true
}

// owe spends cost although the network may not have so much: the next who come from it
// wait until that is earned.
func (a *allowances) owe(network netip.Addr, cost float64, now time.Time) {
	if a.rate.PerSecond <= 0 {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.now(network, now).left -= cost
}

// giveBack undoes all of it for somebody to whom a token was given.
func (a *allowances) giveBack(network netip.Addr, cost float64, now time.Time) {
	if a.rate.PerSecond <= 0 {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	w := a.now(network, now)
	if !now.Before(w.known) {
		a.all.left = min(a.all.left+cost, float64(together(a.rate).Burst))
	}
	w.left = min(w.left+cost, float64(a.rate.Burst))
	w.known = now.Add(knownFor)
}

// now is the network's allowance with what it has earned until now, as all have.
func (a *allowances) now(network netip.Addr, now time.Time) *allowance {
	a.all.earn(together(a.rate), now)
	w, ok := a.of[network]
	if !ok {
		if len(a.of) >= maxLimited {
			a.forget(now)
		}
		w = &allowance{left: float64(a.rate.Burst), at: now}
		a.of[network] = w
		return w
	}
	w.earn(a.rate, now)
	return w
}

// forget lets all begin anew who are not known: the memory is bounded, and newcomers
// are not kept out.
func (a *allowances) forget(now time.Time) {
	maps.DeleteFunc(a.of, func(_ netip.Addr, w *allowance) bool { return !now.Before(w.known) })
	if len(a.of) >= maxLimited {
		clear(a.of)
	}
}
