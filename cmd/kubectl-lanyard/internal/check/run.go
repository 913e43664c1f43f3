package check

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
)

const (
	// atOnce bounds how many checks run at the same time: enough to be quick, and no
	// burden for an API server that is not well.
	atOnce = 8
	// perCheck bounds one check.
	perCheck = 20 * time.Second
	// progressAfter is when a person begins to wonder.
	progressAfter = 2 * time.Second
)

// run carries out all checks, and says on progress what it waits for where that takes
// long; nil: it says nothing.
func run(ctx context.Context, sections []section, progress io.Writer) Report {
	var group errgroup.Group
	group.SetLimit(atOnce)
	w := &waiting{}
	report := Report{}
	for i, s := range sections {
		report.Sections = append(report.Sections, Section{Name: s.name, Checks: make([]Check, len(s.checks))})
		for k, c := range s.checks {
			w.add(c.name)
			to := &report.Sections[i].Checks[k] // nobody else writes there
			group.Go(func() error {
				defer w.done(c.name)
				ctx, cancel := context.WithTimeout(ctx, perCheck)
				defer cancel()
				*to = Check{c.name, c.run(ctx)}
				return nil
			})
		}
	}
	stop := w.tell(progress)
	_ = group.Wait() // no check returns an error
	stop()
	report.Healthy = report.count(Fail) == 0
	return report
}

// waiting are the checks that have not come back.
type waiting struct {
	mu    sync.Mutex
	names []string
}

func (w *waiting) add(name string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.names = append(w.names, name)
}

func (w *waiting) done(name string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if i := slices.Index(w.names, name); i >= 0 {
		w.names = slices.Delete(w.names, i, i+1)
	}
}

// tell says on out, now and then, what is waited for, until stop is called.
func (w *waiting) tell(out io.Writer) (stop func()) {
	if out == nil {
		return func() {}
	}
	end, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		tick := time.NewTicker(progressAfter)
		defer tick.Stop()
		for {
			select {
			case <-end:
				return
			case <-tick.C:
				w.mu.Lock()
				_, _ = fmt.Fprintf(out, "still looking at: %s\n", strings.Join(w.names, ", ")) // nobody to tell if it fails
				w.mu.Unlock()
			}
		}
	}()
	return func() { close(end); <-ended }
}
