package egress

import (
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"net"
	"net/http"
	"sync"
	"time"
)

const (
	dialTimeout      = 5 * time.Second
	handshakeTimeout = 5 * time.Second
	idleTimeout      = 90 * time.Second
	// pingAfter and pingTimeout find out that the peer of an HTTP/2 connection is gone, as when its
	// node died: nothing else would, as long as requests are sent.
	pingAfter   = 15 * time.Second
	pingTimeout = 5 * time.Second
	// maxIdle is how many connections of HTTP/1.1 wait for the next request.
	maxIdle = 32
	// maxAnswerHeaders is how long the headers of an answer may be. Go's own limit is longer than
	// the sidecar's memory allows to a few answers of one upstream at once.
	maxAnswerHeaders = 256 << 10
)

// connections are those to one upstream, in a pool of its own for each certificate that they
// were made with and each set of roots that the upstream was verified by.
type connections struct {
	mu    sync.Mutex
	pools map[poolKey]*pool
}

type poolKey struct {
	certificate [sha256.Size]byte // its SHA-256; zero: none
	roots       *x509.CertPool    // the very one; nil: the system's
}

type pool struct {
	*http.Transport

	key   poolKey
	users int  // requests that use it
	old   bool // another one was made after it: it goes with its last user
}

// take returns the pool for a certificate, which may be nil, until give. A pool that is made anew
// makes all others old, of which those without users are closed.
func (c *connections) take(certificate *tls.Certificate, roots *x509.CertPool) *pool {
	key := poolKey{roots: roots}
	if certificate != nil && len(certificate.Certificate) > 0 {
		key.certificate = sha256.Sum256(certificate.Certificate[0])
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	p := c.pools[key]
	if p == nil {
		for _, other := range c.pools {
			other.old = true
			c.closeUnused(other)
		}
		p = &pool{key: key, Transport: newTransport(certificate, roots)}
		if c.pools == nil {
			c.pools = make(map[poolKey]*pool)
		}
		c.pools[key] = p
	}
	p.users++
	return p
}

// give ends one use.
func (c *connections) give(p *pool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	p.users--
	c.closeUnused(p)
}

// closeUnused closes a pool that is old and without users. c.mu is held.
func (c *connections) closeUnused(p *pool) {
	if p.old && p.users == 0 {
		delete(c.pools, p.key)
		p.CloseIdleConnections()
	}
}

// close closes what is idle, at the end.
func (c *connections) close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, p := range c.pools {
		p.old = true
		c.closeUnused(p)
	}
}

func newTransport(certificate *tls.Certificate, roots *x509.CertPool) *http.Transport {
	config := &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: roots}
	if certificate != nil {
		// Shown whichever authorities the server says it knows: it compares thumbprints, and need
		// not know the certificate's.
		config.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return certificate, nil }
	}
	return &http.Transport{
		Proxy:                 nil, // the token goes to the upstream alone
		DialContext:           (&net.Dialer{Timeout: dialTimeout}).DialContext,
		TLSClientConfig:       config,
		TLSHandshakeTimeout:   handshakeTimeout,
		ForceAttemptHTTP2:     true,
		HTTP2:                 &http.HTTP2Config{SendPingTimeout: pingAfter, PingTimeout: pingTimeout},
		DisableCompression:    true, // bodies are passed on as they are
		MaxIdleConns:          maxIdle,
		MaxIdleConnsPerHost:   maxIdle,
		IdleConnTimeout:       idleTimeout,
		ExpectContinueTimeout: time.Second,

		MaxResponseHeaderBytes: maxAnswerHeaders,
	}
}
