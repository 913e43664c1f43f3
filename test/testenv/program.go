package testenv

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/lanyard-dev/lanyard/hack/cluster"
)

// Program is one of Lanyard's, run as the process that it is.
type Program struct {
	// Path is its binary, and LogFile what it logs to, however often it starts.
	Path, LogFile string

	args []string
	cmd  *exec.Cmd
}

// NewProgram builds cmd/<name> as it is shipped, into dir unless it is there. It runs from
// Start to Stop, and no longer than the test, which fails if it does not end in good order.
func NewProgram(t *testing.T, dir, name string, args ...string) *Program {
	t.Helper()
	root, err := findRoot()
	if err != nil {
		t.Fatal(err)
	}
	path, err := build(t.Context(), root, dir, name)
	if err != nil {
		t.Fatal(err)
	}
	p := &Program{Path: path, LogFile: filepath.Join(t.TempDir(), name+".log"), args: args}
	t.Cleanup(func() {
		p.Stop(t)
		if log := p.Log(t); t.Failed() {
			const most = 8000
			t.Logf("the end of the log of the %s:\n%s", name, log[max(0, len(log)-most):])
		}
	})
	return p
}

// Start runs it, and returns at once.
func (p *Program) Start(t *testing.T) {
	t.Helper()
	log, err := os.OpenFile(p.LogFile, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(context.WithoutCancel(t.Context()), p.Path, p.args...) // it ends in good order
	cmd.Stderr = log
	if err := errors.Join(cmd.Start(), log.Close()); err != nil {
		t.Fatal(err)
	}
	p.cmd = cmd
}

// Stop tells it to end, and returns when it is gone. One that does not run is left alone.
func (p *Program) Stop(t *testing.T) {
	t.Helper()
	if p.cmd == nil {
		return
	}
	if err := errors.Join(p.cmd.Process.Signal(syscall.SIGTERM), p.cmd.Wait()); err != nil {
		t.Errorf("the %s did not end in good order: %v", filepath.Base(p.Path), err)
	}
	p.cmd = nil
}

// PID is that of the process that runs.
func (p *Program) PID() int { return p.cmd.Process.Pid }

// Log is what it has logged.
func (p *Program) Log(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile(p.LogFile)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Error(err)
	}
	return string(text)
}

// StartProgram runs cmd/<name> until the test ends, as its service account.
func (e *Environment) StartProgram(t *testing.T, name string, args ...string) *Program {
	t.Helper()
	kubeconfig := e.Kubeconfig(t, "system:serviceaccount:"+LanyardNamespace+":lanyard-"+name, ControllerGroups()...)
	p := NewProgram(t, e.dir, name, append([]string{"--kubeconfig=" + kubeconfig}, args...)...)
	p.Start(t)
	return p
}

// Issuer is cmd/issuer, with the permissions that its service account has.
type Issuer struct {
	*Program

	// URL is what it calls itself, and Address where it listens, on loopback.
	URL, Address string
	// CAFile has the CA of its certificate, which is good for loopback and for IssuerURL.
	CAFile string

	ops string
}

// StartIssuer runs an issuer until the test ends, and returns when it is ready. An empty url
// is where it listens. It needs a controller that runs: it makes the key to sign with.
func (e *Environment) StartIssuer(t *testing.T, url string, args ...string) *Issuer {
	t.Helper()
	const name = "issuer"
	if _, err := cluster.ServingCertificate(e.dir, name, strings.TrimPrefix(IssuerURL, "https://")); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	i := &Issuer{URL: url, Address: Address(t, dir, "public"), CAFile: filepath.Join(e.dir, name+"-ca.crt")}
	if i.URL == "" {
		i.URL = "https://" + i.Address
	}
	i.ops = Address(t, dir, "ops")
	i.Program = e.StartProgram(t, name, append([]string{
		"--issuer-url=" + i.URL, "--listen=" + i.Address, "--ops-listen=" + i.ops, "--shutdown-delay=0s",
		"--tls-cert=" + filepath.Join(e.dir, name+".crt"), "--tls-key=" + filepath.Join(e.dir, name+".key"),
	}, args...)...)
	i.Ready(t)
	return i
}

// Ready waits until it is.
func (i *Issuer) Ready(t *testing.T) {
	t.Helper()
	Eventually(t, func(ctx context.Context) error { return ready(ctx, "http://"+i.ops) })
}

// Address is the loopback address of that name in dir. It stays the same for as long as dir is
// there, and the kernel gives it to no outgoing connection while who listens there is away.
func Address(t *testing.T, dir, name string) string {
	t.Helper()
	a, err := address(dir, name)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func address(dir, name string) (string, error) {
	port, err := cluster.Port(dir, name)
	return net.JoinHostPort("127.0.0.1", strconv.Itoa(port)), err
}

// build returns the path of cmd/<name>, which it builds into dir unless it is there.
func build(ctx context.Context, root, dir, name string) (string, error) {
	path := filepath.Join(dir, name)
	if _, err := os.Stat(path); err == nil {
		return path, nil
	}
	cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-ldflags=-s -w", "-o", path, "./cmd/"+name)
	cmd.Dir = root
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("building cmd/%s: %w\n%s", name, err, out)
	}
	return path, nil
}

// ready asks a program's /readyz.
func ready(ctx context.Context, base string) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, base+"/readyz", http.NoBody)
	if err != nil {
		return err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	body, err := io.ReadAll(io.LimitReader(response.Body, 4<<10))
	if err := errors.Join(err, response.Body.Close()); err != nil {
		return err
	}
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("/readyz answers %s: %s", response.Status, body)
	}
	return nil
}
