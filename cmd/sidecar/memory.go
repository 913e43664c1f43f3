package main

import (
	"context"
	"runtime/debug"
	"time"
)

// returnEvery is how often memory is given back.
const returnEvery = 30 * time.Second

// tuneGarbage keeps the heap small: there is little that lives, and other containers of
// the node need the memory. Who sets GOGC or GOMEMLIMIT has decided otherwise.
func tuneGarbage(getenv func(string) string) {
	if getenv("GOGC") == "" && getenv("GOMEMLIMIT") == "" {
		debug.SetGCPercent(50)
	}
}

// returnMemory gives back what a burst of calls has left behind, until ctx ends: half of
// what a sidecar has at rest, which the runtime by itself would keep. It takes a
// millisecond.
func returnMemory(ctx context.Context) {
	tick := time.NewTicker(returnEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			debug.FreeOSMemory()
		}
	}
}
