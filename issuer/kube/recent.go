package kube

import (
	"sync"
	"time"
)

// recent is a set that forgets: after a while, and the oldest first when it is
// full. It is safe for concurrent use.
type recent[K comparable] struct {
	ttl time.Duration
	max int

	mu    sync.Mutex
	added map[K]time.Time
	order []K // a ring once it has max entries
	next  int
}

func newRecent[K comparable](limit int, ttl time.Duration) *recent[K] {
	return &recent[K]{ttl: ttl, max: limit, added: map[K]time.Time{}}
}

func (r *recent[K]) add(k K, now time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	_, ok := r.added[k]
	r.added[k] = now
	switch {
	case ok:
	case len(r.order) < r.max:
		r.order = append(r.order, k)
	default:
		delete(r.added, r.order[r.next])
		r.order[r.next] = k
		r.next = (r.next + 1) % r.max
	}
}

func (r *recent[K]) has(k K, now time.Time) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	at, ok := r.added[k]
	return ok && now.Sub(at) < r.ttl
}
