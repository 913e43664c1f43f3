package stand

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"runtime/pprof"
	"time"
)

// envProfiles names the folder for a server's profiles; empty: none are written.
const envProfiles = "LANYARD_BENCH_PROFILES"

// Server answers over TLS until it is shut down.
type Server interface {
	Serve(l net.Listener) error
	Shutdown(ctx context.Context) error
}

// Run is the process of one server: it reads the fixture from in, writes its address
// to out, and serves until in ends.
func Run(ctx context.Context, name string, newServer func(Fixture) (Server, error), in io.Reader, out io.Writer) error {
	var f Fixture
	if err := json.NewDecoder(in).Decode(&f); err != nil {
		return fmt.Errorf("the fixture: %w", err)
	}
	s, err := newServer(f)
	if err != nil {
		return err
	}
	finish, err := profile(os.Getenv(envProfiles), name)
	if err != nil {
		return err
	}
	address, stop, err := Listen(ctx, s)
	if err != nil {
		return err
	}
	fmt.Fprintln(out, address)
	_, _ = io.Copy(io.Discard, in) // until whoever started this closes it, or dies
	return errors.Join(stop(), finish())
}

// Listen lets s answer on a free port of the loopback interface, until stop is called.
func Listen(ctx context.Context, s Server) (address string, stop func() error, err error) {
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return "", nil, err
	}
	served := make(chan error, 1)
	go func() { served <- s.Serve(l) }()
	return l.Addr().String(), func() error {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
		defer cancel()
		err := s.Shutdown(ctx)
		if e := <-served; !errors.Is(e, http.ErrServerClosed) {
			err = errors.Join(err, e)
		}
		return err
	}, nil
}

// bare is net/http as it comes.
type bare struct{ *http.Server }

// Serve implements Server.
func (s bare) Serve(l net.Listener) error { return s.ServeTLS(l, "", "") }

// bareServer is a handler on net/http as it comes, which asks for client certificates.
func bareServer(f Fixture, handler http.Handler) (Server, error) {
	own, err := f.Server.TLS()
	if err != nil {
		return nil, err
	}
	return bare{&http.Server{Handler: handler, ReadHeaderTimeout: time.Minute, TLSConfig: &tls.Config{
		MinVersion:   tls.VersionTLS12,
		Certificates: []tls.Certificate{own},
		ClientAuth:   tls.RequestClientCert,
		// As the issuer: a session that is resumed proves no certificate.
		SessionTicketsDisabled: true,
	}}}, nil
}

// profile starts a CPU profile in dir. The returned function ends it, and writes
// what was allocated beside it.
func profile(dir, name string) (func() error, error) {
	if dir == "" {
		return func() error { return nil }, nil
	}
	cpu, err := os.Create(filepath.Join(dir, name+"-cpu.pprof"))
	if err != nil {
		return nil, err
	}
	runtime.MemProfileRate = 64 << 10
	if err := pprof.StartCPUProfile(cpu); err != nil {
		return nil, err
	}
	return func() error {
		pprof.StopCPUProfile()
		allocs, err := os.Create(filepath.Join(dir, name+"-allocs.pprof"))
		if err != nil {
			return err
		}
		return errors.Join(cpu.Close(), pprof.Lookup("allocs").WriteTo(allocs, 0), allocs.Close())
	}, nil
}
