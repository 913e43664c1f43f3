package egress

import (
	"bytes"
	"crypto/x509"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"time"
)

// rereadEvery is how often a file of roots is looked at, while requests come. The kubelet needs
// longer to replace it.
const rereadEvery = 5 * time.Second

// roots are the authorities that may have signed an upstream's certificate, read again when
// their file changes.
type roots struct {
	file string // empty: those of the system
	now  func() time.Time
	log  *slog.Logger

	mu       sync.Mutex
	lookedAt time.Time
	pem      []byte // as read last
	pool     *x509.CertPool
}

// current returns the roots; nil without an error means those of the system. A file that cannot
// be read again leaves what was read before in use.
func (r *roots) current() (*x509.CertPool, error) {
	if r.file == "" {
		return nil, nil //nolint:nilnil // nil is how crypto/tls spells the system's roots
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	now := r.now()
	if r.pool != nil && now.Sub(r.lookedAt) < rereadEvery {
		return r.pool, nil
	}
	r.lookedAt = now
	err := r.read()
	if err != nil && r.pool == nil {
		return nil, err
	}
	if err != nil {
		r.log.Warn("the roots of an upstream cannot be read again; what was read before stays in use", "error", err)
	}
	return r.pool, nil
}

func (r *roots) read() error {
	pem, err := os.ReadFile(r.file)
	if err != nil {
		return fmt.Errorf("the authorities of the upstream cannot be read: %w", err)
	}
	if r.pool != nil && bytes.Equal(pem, r.pem) {
		return nil
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		return fmt.Errorf("the authorities of the upstream: %s has no certificate in PEM", r.file)
	}
	r.pem, r.pool = pem, pool
	return nil
}
