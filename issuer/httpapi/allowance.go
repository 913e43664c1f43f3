package httpapi

import (
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

// allowances bound the work that strangers make. Each network may open so many
// connections a second, and send so many requests, without a token being given. What
// was a client's is given back, so that it is not the busy who wait but those who
// never get a token.
type allowances struct {
	rate Rate // in connections; the zero Rate is no limit

	mu sync.Mutex
	of map[netip.Addr]*allowance
}

// allowance is what one network may spend.
type allowance struct {
	left float64
	at   time.Time
}

func newAllowances(r Rate) *allowances {
	return &allowances{rate: r, of: map[netip.Addr]*allowance{}}
}

// take spends cost, and returns false if the network does not have so much.
func (a *allowances) take(network netip.Addr, cost float64, now time.Time) bool {
	if a.rate.PerSecond <= 0 {
		return true
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	w := a.now(network, now)
	if w.left < cost {
		return false
	}
	w.left -= cost
	return true
}

// giveBack undoes take.
func (a *allowances) giveBack(network netip.Addr, cost float64, now time.Time) {
	if a.rate.PerSecond <= 0 {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	w := a.now(network, now)
	w.left = min(w.left+cost, a.most())
}

// now is the network's allowance with what it has earned until now.
func (a *allowances) now(network netip.Addr, now time.Time) *allowance {
	w, ok := a.of[network]
	if !ok {
		if len(a.of) >= maxLimited {
			clear(a.of) // all begin anew: the memory is bounded, and newcomers are not kept out
		}
		w = &allowance{left: a.most(), at: now}
		a.of[network] = w
		return w
	}
	if earned := now.Sub(w.at).Seconds() * a.rate.PerSecond; earned > 0 {
		w.left, w.at = min(w.left+earned, a.most()), now
	}
	return w
}

func (a *allowances) most() float64 { return float64(max(1, a.rate.Burst)) }
