package ingress

import (
	"crypto/tls"
	"crypto/x509"
	"log/slog"
	"net/http"
	"time"

	"github.com/lanyard-dev/lanyard/verifier"
)

const (
	headerTimeout = 10 * time.Second // also of the handshake
	idleTimeout   = time.Minute
	maxHeaders    = 32 << 10
	maxStreams    = 128
)

// NewServer returns the server of the public port, or of auth requests of proxies elsewhere: TLS
// that asks each client for a certificate, any one, and resumes no session. A body may take as
// long as its stream.
func NewServer(handler http.Handler, certificate func() *tls.Certificate, log *slog.Logger) *http.Server {
	s := NewPlainServer(handler, log)
	s.TLSConfig = verifier.TLSConfig(&tls.Config{
		MinVersion:     tls.VersionTLS12,
		NextProtos:     []string{"h2", "http/1.1"},
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return certificate(), nil },
	})
	s.HTTP2 = &http.HTTP2Config{MaxConcurrentStreams: maxStreams}
	return s
}

// NewPlainServer returns the server of a port on the loopback address or a unix socket.
func NewPlainServer(handler http.Handler, log *slog.Logger) *http.Server {
	return &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: headerTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeaders,
		// Broken handshakes are the peers' doing, not news.
		ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelDebug),
	}
}

// KeyClient returns the client that fetches the issuer's keys, which must show a certificate
// that one of the authorities of the moment signed; nil: one of the system's. It connects anew
// each time, which is once in minutes.
func KeyClient(roots func() *x509.CertPool) *http.Client {
	return &http.Client{Timeout: headerTimeout, Transport: freshTransport(roots)}
}

type freshTransport func() *x509.CertPool

// RoundTrip implements http.RoundTripper.
func (roots freshTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	t := &http.Transport{
		TLSClientConfig:     &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: roots()},
		TLSHandshakeTimeout: headerTimeout,
		DisableKeepAlives:   true,
	}
	return t.RoundTrip(r)
}
