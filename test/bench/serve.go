package main

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

// server answers over TLS until it is shut down.
type server interface {
	Serve(l net.Listener) error
	Shutdown(ctx context.Context) error
}

// newServer makes the server of a name.
func newServer(name string, f fixture) (server, error) {
	switch name {
	case serverFloor:
		return newFloorServer(f)
	case serverIssuer:
		return newIssuerServer(f)
	default:
		return nil, fmt.Errorf("there is no server %q", name)
	}
}

// runServer is the process of one server: it reads the fixture from in, writes its
// address to out, and serves until in ends.
func runServer(ctx context.Context, name string, in io.Reader, out io.Writer) error {
	var f fixture
	if err := json.NewDecoder(in).Decode(&f); err != nil {
		return fmt.Errorf("the fixture: %w", err)
	}
	s, err := newServer(name, f)
	if err != nil {
		return err
	}
	finish, err := profile(os.Getenv(envProfiles), name)
	if err != nil {
		return err
	}
	address, stop, err := serve(ctx, s)
	if err != nil {
		return err
	}
	fmt.Fprintln(out, address)
	_, _ = io.Copy(io.Discard, in) // until whoever started this closes it, or dies
	return errors.Join(stop(), finish())
}

// serve lets s answer on a free port of the loopback interface, until stop is called.
func serve(ctx context.Context, s server) (address string, stop func() error, err error) {
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

// floorServer is net/http as it comes.
type floorServer struct{ *http.Server }

// Serve implements server.
func (s floorServer) Serve(l net.Listener) error { return s.ServeTLS(l, "", "") }

func newFloorServer(f fixture) (server, error) {
	handler, err := newFloor(f)
	if err != nil {
		return nil, err
	}
	own, err := f.Server.tlsCertificate()
	if err != nil {
		return nil, err
	}
	return floorServer{&http.Server{Handler: handler, ReadHeaderTimeout: time.Minute, TLSConfig: &tls.Config{
		MinVersion:   tls.VersionTLS12,
		Certificates: []tls.Certificate{own},
		ClientAuth:   tls.RequestClientCert,
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
