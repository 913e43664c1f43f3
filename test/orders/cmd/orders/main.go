// Command orders serves the orders API over TLS.
//
// It prints one line, "listening on https://<address>", once it accepts
// connections, and logs JSON to standard error. SIGINT and SIGTERM end it after
// the requests under way.
package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/lanyard-dev/lanyard/test/orders"
	"github.com/lanyard-dev/lanyard/verifier"
)

type options struct {
	listen, issuer, issuerCA, audience, tlsCert, tlsKey string
}

func main() {
	var o options
	flag.StringVar(&o.listen, "listen", "127.0.0.1:0", "address to listen on; port 0 takes a free one")
	flag.StringVar(&o.issuer, "issuer", "", "URL of Lanyard's issuer, as in the claim iss")
	flag.StringVar(&o.issuerCA, "issuer-ca", "", "PEM file with the authorities of the issuer's certificate; empty means the system's")
	flag.StringVar(&o.audience, "audience", "api://orders", "identifier of this API")
	flag.StringVar(&o.tlsCert, "tls-cert", "", "PEM file with this server's certificate")
	flag.StringVar(&o.tlsKey, "tls-key", "", "PEM file with this server's key")
	flag.Parse()
	log := slog.New(slog.NewJSONHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelDebug}))
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, o, log)
	stop()
	if err != nil {
		log.Error("orders ends", "error", err)
		os.Exit(1)
	}
}

// run serves until ctx ends.
func run(ctx context.Context, o options, log *slog.Logger) error {
	certificate, err := tls.LoadX509KeyPair(o.tlsCert, o.tlsKey)
	if err != nil {
		return fmt.Errorf("--tls-cert and --tls-key: %w", err)
	}
	roots, err := readRoots(o.issuerCA)
	if err != nil {
		return fmt.Errorf("--issuer-ca: %w", err)
	}
	v, err := verifier.New(verifier.Config{Issuer: o.issuer, Audience: o.audience, RootCAs: roots, Logger: log})
	if err != nil {
		return fmt.Errorf("--issuer and --audience: %w", err)
	}
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", o.listen)
	if err != nil {
		return fmt.Errorf("--listen: %w", err)
	}
	server := &http.Server{
		Handler:           orders.Handler(v, log),
		TLSConfig:         verifier.TLSConfig(&tls.Config{Certificates: []tls.Certificate{certificate}, MinVersion: tls.VersionTLS12}),
		ReadHeaderTimeout: 10 * time.Second,
		ReadTimeout:       30 * time.Second,
		IdleTimeout:       time.Minute,
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelWarn),
	}
	served := make(chan error, 1)
	go func() { served <- server.ServeTLS(listener, "", "") }()
	fmt.Printf("listening on https://%s\n", listener.Addr())

	select {
	case err := <-served:
		return err
	case <-ctx.Done():
	}
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	if err := server.Shutdown(last); err != nil {
		return err
	}
	if err := <-served; !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// readRoots reads a PEM file; no file means the system's authorities.
func readRoots(file string) (*x509.CertPool, error) {
	if file == "" {
		return nil, nil //nolint:nilnil // nil stands for the system's pool, as in crypto/tls
	}
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(data) {
		return nil, fmt.Errorf("%s holds no PEM certificate", file)
	}
	return roots, nil
}
