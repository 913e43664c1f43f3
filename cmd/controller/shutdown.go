package main

import (
	"context"
	"time"
)

// outlive returns a context that ends delay after ctx, or when stop is called. What is
// told to stop serves on for so long: the API server asks the webhooks of this replica
// until it has heard that it is not ready, and what they do not answer is refused.
func outlive(ctx context.Context, delay time.Duration) (later context.Context, stop context.CancelFunc) {
	later, cancel := context.WithCancel(context.WithoutCancel(ctx))
	forget := context.AfterFunc(ctx, func() {
		defer cancel()
		select {
		case <-time.After(delay):
		case <-later.Done():
		}
	})
	return later, func() { forget(); cancel() }
}
