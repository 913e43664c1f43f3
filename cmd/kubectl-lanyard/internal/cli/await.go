package cli

import (
	"context"
	"errors"
	"fmt"
	"time"
)

const (
	awaitInterval = 50 * time.Millisecond
	// awaitQuietly is how long nothing is said.
	awaitQuietly = time.Second
	// AwaitPatience is how long a command waits to see what became of what it wrote.
	AwaitPatience = 5 * time.Second
)

// Await calls done until it says yes, and says whether it did within patience. On a
// terminal it tells what it waits for.
func (s *Session) Await(ctx context.Context, patience time.Duration, what string, done func(context.Context) (bool, error)) (bool, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	told := time.AfterFunc(awaitQuietly, func() {
		if IsTerminal(s.Err) {
			fmt.Fprintf(s.Err, "waiting for %s…\n", what)
		}
	})
	defer told.Stop()
	tick := time.NewTicker(awaitInterval)
	defer tick.Stop()
	for {
		ok, err := done(ctx)
		if ok || err != nil && ctx.Err() == nil {
			return ok, err
		}
		select {
		case <-ctx.Done():
			if errors.Is(ctx.Err(), context.DeadlineExceeded) {
				return false, nil
			}
			return false, ctx.Err()
		case <-tick.C:
		}
	}
}
