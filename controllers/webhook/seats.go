package webhook

import (
	"context"
	"errors"
)

// seats are how many reviews of one webhook are worked on at once. The port asks nobody
// who they are, and a review may cost a look at ten thousand clients, or the API server
// a read: whoever reaches it must not be able to have more than this done.
type seats chan struct{}

// enough is far more than the API server asks at once, whose reviews take milliseconds.
const enough = 16

// errBusy is what is said where every seat is taken.
var errBusy = errors.New("lanyard-controller answers as many reviews as it can; try again in a moment")

// take waits for a seat for as long as ctx allows. The caller gives it back.
func (s seats) take(ctx context.Context) error {
	select {
	case s <- struct{}{}:
		return nil
	case <-ctx.Done():
		return errBusy
	}
}

func (s seats) giveBack() { <-s }
