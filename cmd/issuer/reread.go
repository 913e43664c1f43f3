package main

import (
	"context"
	"log/slog"
	"time"
)

// rereadEvery is how often files are looked at. The kubelet replaces them long
// before a certificate ends.
const rereadEvery = 10 * time.Second

// reread looks at files until ctx ends. What cannot be read leaves what was read
// before in use.
func reread(ctx context.Context, what string, load func() (changed bool, err error), log *slog.Logger) {
	tick := time.NewTicker(rereadEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		switch changed, err := load(); {
		case err != nil:
			log.Error("a file cannot be read again; what was read before stays in use", "what", what, "error", err)
		case changed:
			log.Info("a file was read again", "what", what)
		}
	}
}
