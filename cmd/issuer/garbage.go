package main

import (
	"context"
	"math"
	"runtime/debug"
	"runtime/metrics"
	"time"
)

const (
	// spareGarbage is how much garbage the collector may leave lying: a quarter of the
	// time of a token was its collection, with the small heap that an issuer has.
	spareGarbage = 24 << 20
	// leastGarbage and mostGarbage bound that, in per cent of what lives. 100 is Go's
	// default, which is right for a heap that is large, or has been made large by
	// an attack.
	leastGarbage, mostGarbage = 100, 400
	garbageEvery              = time.Second
)

// garbagePercent is the GOGC for so many bytes that live.
func garbagePercent(live uint64) int {
	return int(min(max(100*spareGarbage/max(live, 1), leastGarbage), mostGarbage))
}

// tuneGarbage lets the collector run as often as the size of the heap asks for, until
// ctx ends. Who sets GOGC or GOMEMLIMIT has decided otherwise, and is left alone.
func tuneGarbage(ctx context.Context, getenv func(string) string) {
	if getenv("GOGC") != "" || getenv("GOMEMLIMIT") != "" {
		return
	}
	tick := time.NewTicker(garbageEvery)
	defer tick.Stop()
	sample := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
	for current := 0; ; {
		metrics.Read(sample)
		// It stops the world: only if it makes a difference.
		if p := garbagePercent(sample[0].Value.Uint64()); math.Abs(float64(p-current)) > 20 {
			debug.SetGCPercent(p)
			current = p
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}
