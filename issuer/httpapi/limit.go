package httpapi

import (
	"net/netip"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// maxLimited is how many peers or clients are remembered in one generation. Two
// generations of limiters have about 4 MiB.
const maxLimited = 16384

// limits is a rate limit for each of many. Its memory is bounded: once a generation
// is full, those who have not been seen for a whole one are forgotten, and begin
// anew.
type limits[K comparable] struct {
	rate Rate

	mu         sync.Mutex
	young, old map[K]*rate.Limiter
}

func newLimits[K comparable](r Rate) *limits[K] {
	return &limits[K]{rate: r, young: map[K]*rate.Limiter{}}
}

func (l *limits[K]) allow(k K, now time.Time) bool {
	if l.rate.PerSecond <= 0 {
		return true
	}
	return l.of(k).AllowN(now, 1)
}

func (l *limits[K]) of(k K) *rate.Limiter {
	l.mu.Lock()
	defer l.mu.Unlock()
	if limiter, ok := l.young[k]; ok {
		return limiter
	}
	limiter, ok := l.old[k]
	if !ok {
		limiter = rate.NewLimiter(rate.Limit(l.rate.PerSecond), max(1, l.rate.Burst))
	}
	if len(l.young) >= maxLimited {
		l.old, l.young = l.young, map[K]*rate.Limiter{}
	}
	l.young[k] = limiter
	return limiter
}

// network is whom a peer's limit is for: an IPv4 address, or the /64 that a host
// with IPv6 can take any address of.
func network(a netip.Addr) netip.Addr {
	if a.Is4() {
		return a
	}
	p, err := a.WithZone("").Prefix(64)
	if err != nil {
		return netip.Addr{}
	}
	return p.Addr()
}
