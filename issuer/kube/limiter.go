package kube

import (
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// bounds limit how often something is done: a second in the long run, and how often
// at once.
type bounds struct {
	perSecond rate.Limit
	burst     int
	// The same for each namespace.
	perNamespace   rate.Limit
	namespaceBurst int
}

// lookUpBounds are those of the questions that misses put to the API server. Pods
// that start are known by watch within milliseconds, so that few are ever asked for;
// who asks for many presents tokens of pods that are long gone. One namespace that
// does so gets the answer "could not tell" beyond its own share, which leaves four
// fifths to the others.
var lookUpBounds = bounds{perSecond: 100, burst: 200, perNamespace: 20, namespaceBurst: 50}

// keptNamespaces bounds the memory of a limiter.
const keptNamespaces = 1024

// limiter keeps to bounds. It is safe for concurrent use.
type limiter struct {
	bounds bounds

	mu         sync.Mutex
	overall    *rate.Limiter
	namespaces map[string]*rate.Limiter
}

func newLimiter(b bounds) *limiter {
	return &limiter{bounds: b, overall: rate.NewLimiter(b.perSecond, b.burst), namespaces: map[string]*rate.Limiter{}}
}

// allow says whether namespace may at now, and counts it if so. What a namespace is
// refused costs the others nothing.
func (l *limiter) allow(namespace string, now time.Time) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.overall.TokensAt(now) < 1 {
		return false
	}
	own, ok := l.namespaces[namespace]
	if !ok {
		own = l.add(namespace, now)
	}
	return own.AllowN(now, 1) && l.overall.AllowN(now, 1)
}

// add remembers a namespace. One that has its whole burst again is forgotten without
// loss, and the overall bound lets only a few hundred have less at any time: there
// is always room.
func (l *limiter) add(namespace string, now time.Time) *rate.Limiter {
	if len(l.namespaces) >= keptNamespaces {
		for name, other := range l.namespaces {
			if other.TokensAt(now) >= float64(l.bounds.namespaceBurst) {
				delete(l.namespaces, name)
			}
		}
	}
	own := rate.NewLimiter(l.bounds.perNamespace, l.bounds.namespaceBurst)
	l.namespaces[namespace] = own
	return own
}
