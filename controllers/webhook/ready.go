package webhook

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net/http"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/healthz"
)

// readyWithin is how long a probe may take.
const readyWithin = time.Second

// CachesFilled says whether the caches hold what the cluster does. A replica that waits
// for the Lease is ready too: it answers admission reviews, and can take over at once.
func CachesFilled(c cache.Cache) healthz.Checker {
	return func(r *http.Request) error {
		ctx, cancel := context.WithTimeout(r.Context(), readyWithin)
		defer cancel()
		if !c.WaitForCacheSync(ctx) {
			return errors.New("the caches are not filled yet")
		}
		return nil
	}
}

// Serving says whether the webhooks can be reached: whoever speaks TLS to address, the
// process's own port, is shown a certificate that is valid now. An expired one makes
// every write of Lanyard's kinds fail, so that another replica has to answer.
func Serving(address string, now func() time.Time) healthz.Checker {
	dialer := &tls.Dialer{Config: &tls.Config{
		InsecureSkipVerify: true, //nolint:gosec // G402: nothing is sent; who signed the certificate is the API server's to judge
		MinVersion:         tls.VersionTLS12,
	}}
	return func(r *http.Request) error {
		ctx, cancel := context.WithTimeout(r.Context(), readyWithin)
		defer cancel()
		conn, err := dialer.DialContext(ctx, "tcp", address)
		if err != nil {
			return fmt.Errorf("the webhooks cannot be reached: %w", err)
		}
		defer conn.Close() //nolint:errcheck // the handshake is all that was wanted
		own, ok := conn.(*tls.Conn)
		if !ok || len(own.ConnectionState().PeerCertificates) == 0 {
			return errors.New("the webhooks show no certificate")
		}
		switch c := own.ConnectionState().PeerCertificates[0]; {
		case now().Before(c.NotBefore):
			return fmt.Errorf("the webhooks' certificate is not valid before %s", c.NotBefore.UTC().Format(time.RFC3339))
		case now().After(c.NotAfter):
			return fmt.Errorf("the webhooks' certificate has expired at %s; see the Certificate lanyard-webhook", c.NotAfter.UTC().Format(time.RFC3339))
		}
		return nil
	}
}
