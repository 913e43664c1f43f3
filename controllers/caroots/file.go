package caroots

import (
	"context"
	"crypto/x509"
	"log/slog"
	"os"
	"slices"
	"sync/atomic"
	"time"
)

// lookEvery is how often a file is read. The kubelet takes up to a minute to bring a
// changed Secret into it.
const lookEvery = 5 * time.Second

// bundle is the files with the current roots.
type bundle []*file

func newBundle(paths []string, log *slog.Logger, m metrics) bundle {
	var b bundle
	for _, path := range paths {
		b = append(b, &file{path: path, log: log, metrics: m})
	}
	return b
}

// current returns the roots of all files.
func (b bundle) current() (roots []*x509.Certificate) {
	for _, f := range b {
		roots = append(roots, f.current()...)
	}
	return roots
}

// read reads all files, and says whether one holds other roots than before.
func (b bundle) read() (changed bool) {
	for _, f := range b {
		changed = f.read() || changed
	}
	return changed
}

// watch calls changed whenever a file holds other roots, until ctx ends.
func (b bundle) watch(ctx context.Context, every time.Duration, changed func()) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if b.read() {
			changed()
		}
	}
}

// file is a PEM file with roots. What was read last stays while it cannot be read.
type file struct {
	path    string
	log     *slog.Logger
	metrics metrics

	roots atomic.Pointer[[]*x509.Certificate]
	said  string // the last failure that was logged
}

// current returns the roots of the file; none if it was never readable.
func (f *file) current() []*x509.Certificate {
	if roots := f.roots.Load(); roots != nil {
		return slices.Clone(*roots)
	}
	return nil
}

// read reads the file, and says whether it holds other roots than before. It logs each
// cause of a failure once.
func (f *file) read() (changed bool) {
	roots, err := f.parse()
	if err != nil {
		f.metrics.failures.Inc()
		if f.said != err.Error() {
			f.said = err.Error()
			f.log.Error("the CA's roots cannot be read, and are handed out as they were before", slog.String("file", f.path), slog.Any("err", err))
		}
		return false
	}
	f.said = ""
	if slices.EqualFunc(roots, f.current(), (*x509.Certificate).Equal) {
		return false
	}
	f.roots.Store(&roots)
	return true
}

func (f *file) parse() ([]*x509.Certificate, error) {
	text, err := os.ReadFile(f.path)
	if err != nil {
		return nil, err
	}
	return parseRoots(text)
}
