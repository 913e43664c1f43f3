package httpapi

import (
	"context"
	"crypto/tls"
	"log/slog"
	"net"
	"net/http"
	"time"
)

const (
	readTimeout  = 10 * time.Second
	writeTimeout = 20 * time.Second // begins before the request is read
	idleTimeout  = time.Minute
	maxHeaders   = 32 << 10
	// A connection is told to close while it has an idleTimeout left, so that its
	// end after five minutes cuts nobody off.
	maxConnectionAge = 5 * time.Minute
	// A connection of HTTP/2 holds the headers of so many requests at once. A client
	// asks for one or two tokens at a time.
	maxStreams = 8
	maxFrame   = 16 << 10 // each connection keeps a buffer of the largest one it got
	window     = 64 << 10 // of a whole connection; the least there is
	// Of one stream: what every client may send until it has read our settings
	// (RFC 9113 section 6.9.2); net/http refuses what exceeds ours at once. All streams of
	// a connection share its window, so that a smaller one would save nothing.
	windowOfOne = 64 << 10
	// DefaultMaxConnections need 75 MiB if all are open and idle. What they may send
	// before an answer is bounded by maxHeld; at worst both together stay below 200 MiB.
	DefaultMaxConnections = 1000
)

// ServerConfig is what a Server needs beside its API.
type ServerConfig struct {
	// GetCertificate returns the issuer's own certificate.
	GetCertificate func(*tls.ClientHelloInfo) (*tls.Certificate, error)
	// MaxConnections at the same time; zero: DefaultMaxConnections.
	MaxConnections int
	// Strangers bounds what each address may do without getting a token: connections
	// that it opens, and ten times as many requests. All addresses together may do 25
	// times as much, ten times at once, but for those that got a token within the last hour. Beyond it
	// connections wait before the handshake. The zero Rate is no limit.
	Strangers Rate
	// MaxConnectionAge is how long a connection lives at most; zero: five minutes.
	MaxConnectionAge time.Duration
}

// Server serves an API over TLS.
type Server struct {
	api         *API
	http        *http.Server
	connections *connections
}

// NewServer returns the server of the public port.
func NewServer(api *API, cfg ServerConfig) *Server {
	if cfg.MaxConnections == 0 {
		cfg.MaxConnections = DefaultMaxConnections
	}
	if cfg.MaxConnectionAge == 0 {
		cfg.MaxConnectionAge = maxConnectionAge
	}
	c := newConnections(api.cfg.Now, cfg.MaxConnectionAge, cfg.MaxConnections, cfg.Strangers)
	return &Server{api: api, connections: c, http: &http.Server{
		Handler:           c.bound(api),
		TLSConfig:         tlsConfig(cfg.GetCertificate),
		ReadHeaderTimeout: readTimeout,
		ReadTimeout:       readTimeout,
		WriteTimeout:      writeTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeaders,
		HTTP2:             http2(),
		ConnContext:       c.opened,
		ConnState:         c.changed,
		// Broken handshakes are the peers' doing, not news.
		ErrorLog: slog.NewLogLogger(api.cfg.Log.Handler(), slog.LevelDebug),
	}}
}

func http2() *http.HTTP2Config {
	return &http.HTTP2Config{
		MaxConcurrentStreams:          maxStreams,
		MaxReadFrameSize:              maxFrame,
		MaxReceiveBufferPerConnection: window,
		MaxReceiveBufferPerStream:     windowOfOne,
	}
}

// tlsConfig asks for any client certificate. The handshake proves that the peer
// holds its key; whose it is, is judged at each request. There is no resumption: a
// resumed session would carry a certificate that nobody showed again.
func tlsConfig(get func(*tls.ClientHelloInfo) (*tls.Certificate, error)) *tls.Config {
	return &tls.Config{
		MinVersion:             tls.VersionTLS12,
		GetCertificate:         get,
		ClientAuth:             tls.RequestClientCert,
		SessionTicketsDisabled: true,
		// An answer is one record, and one write, from the first on: it is small, and its
		// reader needs all of it.
		DynamicRecordSizingDisabled: true,
		NextProtos:                  []string{"h2", "http/1.1"},
	}
}

// Serve answers on l until Shutdown. It returns http.ErrServerClosed then.
func (s *Server) Serve(l net.Listener) error {
	d := newDoor(l, s.connections.allowances, s.api.cfg.Now)
	return s.http.ServeTLS(meteredListener{d}, "", "")
}

// Shutdown stops listening, and waits for the requests that are being served until
// ctx ends.
func (s *Server) Shutdown(ctx context.Context) error {
	s.api.Drain()
	if err := s.http.Shutdown(ctx); err != nil {
		_ = s.http.Close()
		return err
	}
	return nil
}
