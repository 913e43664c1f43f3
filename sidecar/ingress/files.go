package ingress

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync/atomic"
	"time"
)

// rereadEvery is how often files are looked at. The kubelet replaces them long before a
// certificate ends.
const rereadEvery = 10 * time.Second

// File is what was read from one or more files, read again when they change.
type File[T any] struct {
	names   []string
	parse   func(contents [][]byte) (T, error)
	last    [][]byte
	current atomic.Pointer[T]
}

// Load reads the files for the first time.
func Load[T any](parse func(contents [][]byte) (T, error), names ...string) (*File[T], error) {
	f := &File[T]{names: names, parse: parse}
	_, err := f.Read()
	return f, err
}

// Get is what was read last and could be parsed.
func (f *File[T]) Get() T { return *f.current.Load() }

// Read reads the files, and says whether they hold something else than before. After an error
// what was read before stays in use.
func (f *File[T]) Read() (changed bool, err error) {
	contents := make([][]byte, len(f.names))
	for i, name := range f.names {
		if contents[i], err = os.ReadFile(name); err != nil { //nolint:gosec // the files that the flags name
			return false, err
		}
	}
	same := f.last != nil
	for i := range f.last {
		same = same && bytes.Equal(f.last[i], contents[i])
	}
	if same {
		return false, nil
	}
	parsed, err := f.parse(contents)
	if err != nil {
		return false, fmt.Errorf("%s: %w", f.names[0], err)
	}
	f.last = contents
	f.current.Store(&parsed)
	return true, nil
}

// Watch reads the files again and again until ctx ends.
func (f *File[T]) Watch(ctx context.Context, log *slog.Logger) {
	tick := time.NewTicker(rereadEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		switch changed, err := f.Read(); {
		case err != nil:
			log.ErrorContext(ctx, "a file cannot be read again; what was read before stays in use", "file", f.names[0], "error", err)
		case changed:
			log.InfoContext(ctx, "a file was read again", "file", f.names[0])
		}
	}
}

// RulesOf parses a file of rules.
func RulesOf(contents [][]byte) (*Rules, error) { return ParseRules(contents[0]) }

// CertificateOf parses a certificate and its key.
func CertificateOf(contents [][]byte) (*tls.Certificate, error) {
	pair, err := tls.X509KeyPair(contents[0], contents[1])
	return &pair, err
}

// PoolOf parses authorities.
func PoolOf(contents [][]byte) (*x509.CertPool, error) {
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(contents[0]) {
		return nil, errors.New("holds no certificate in PEM")
	}
	return pool, nil
}
