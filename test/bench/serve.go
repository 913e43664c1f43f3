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

// runServer is the process of one server: it reads the fixture from in, writes its
// address to out, and serves until in ends.
func runServer(name string, in io.Reader, out io.Writer) error {
	var f fixture
	decoder := json.NewDecoder(in)
	if err := decoder.Decode(&f); err != nil {
		return fmt.Errorf("the fixture: %w", err)
	}
	make, ok := map[string]func(fixture) (*http.Server, error){serverFloor: newFloorServer, serverIssuer: newIssuerServer}[name]
	if !ok {
		return fmt.Errorf("there is no server %q", name)
	}
	s, err := make(f)
	if err != nil {
		return err
	}
	listener, err := (&net.ListenConfig{}).Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	finish, err := profile(os.Getenv(envProfiles), name)
	if err != nil {
		return err
	}
	served := goServe(s, listener)
	fmt.Fprintln(out, listener.Addr())
	_, _ = io.Copy(io.Discard, in) // until whoever started this closes it, or dies
	return errors.Join(s.Close(), <-served, finish())
}

func goServe(s *http.Server, l net.Listener) <-chan error {
	served := make(chan error, 1)
	go func() {
		err := s.ServeTLS(l, "", "")
		if errors.Is(err, http.ErrServerClosed) {
			err = nil
		}
		served <- err
	}()
	return served
}

func newFloorServer(f fixture) (*http.Server, error) {
	handler, err := newFloor(f)
	if err != nil {
		return nil, err
	}
	server, err := f.Server.tlsCertificate()
	if err != nil {
		return nil, err
	}
	return &http.Server{Handler: handler, ReadHeaderTimeout: time.Minute, TLSConfig: &tls.Config{
		MinVersion:   tls.VersionTLS12,
		Certificates: []tls.Certificate{server},
		ClientAuth:   tls.RequestClientCert,
	}}, nil
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
