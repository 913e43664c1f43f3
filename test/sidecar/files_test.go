package sidecar

import (
	"context"
	"crypto/tls"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/lanyard-dev/lanyard/sidecar/tokens"
	"github.com/lanyard-dev/lanyard/test/testenv"
)

// read reads a file that the sidecar wrote.
func (p *pod) read(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(p.directory(), name))
	check(t, err)
	return string(text)
}

// paired reads bound/orders as an app does, following the link once, and says whether
// token, certificate and key belong together, and to that thumbprint if one is given.
func (p *pod) paired(thumbprint string) error {
	dir, err := filepath.EvalSymlinks(filepath.Join(p.directory(), "bound", "orders"))
	if err != nil {
		return err
	}
	token, err := os.ReadFile(filepath.Join(dir, "token"))
	if err != nil {
		return err
	}
	pair, err := tls.LoadX509KeyPair(filepath.Join(dir, "tls.crt"), filepath.Join(dir, "tls.key"))
	if err != nil {
		return err
	}
	var claims struct{ Cnf map[string]string }
	payload, err := base64.RawURLEncoding.DecodeString(strings.Split(string(token), ".")[1])
	if err != nil {
		return err
	}
	if err := json.Unmarshal(payload, &claims); err != nil {
		return err
	}
	got, own := claims.Cnf["x5t#S256"], tokens.Thumbprint(&pair)
	if got != own || thumbprint != "" && got != thumbprint {
		return fmt.Errorf("the token is bound to %s, the certificate is %s, and wanted was %s", got, own, thumbprint)
	}
	return nil
}

// probe runs the startup probe as the kubelet does.
func (p *pod) probe(ctx context.Context) (string, error) {
	out, err := exec.CommandContext(ctx, p.sidecar.Path, "started", "--metrics-listen="+strings.TrimPrefix(p.ops, "http://")).CombinedOutput()
	return string(out), err
}

// footprint is what the sidecar needs while nothing happens.
func (s *stage) footprint(t *testing.T) {
	p := s.newPod(t)
	p.run(t, p.assertion(), "--expose-certificate")
	p.started(t)
	p.sidecar.Stop(t)
	began := time.Now()
	p.sidecar.Start(t)
	testenv.Eventually(t, func(ctx context.Context) error { _, err := p.token(ctx); return err })
	t.Logf("a token in hand %s after the process began", time.Since(began).Round(time.Millisecond))
	const rest = 5 * time.Second
	before := p.processor(t)
	time.Sleep(rest) // what is measured is a time in which nothing happens
	used := p.processor(t) - before
	const most = 12 << 10
	resident := p.resident(t)
	t.Logf("at rest: %d KiB resident, %.2f %% of a core", resident, 100*used.Seconds()/rest.Seconds())
	if resident >= most {
		t.Errorf("%d KiB are resident; at most %d may be", resident, most)
	}
	if used > rest/100 {
		t.Errorf("it used %s in %s", used, rest)
	}
}

// resident is VmRSS, in KiB.
func (p *pod) resident(t *testing.T) int {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.sidecar.PID()))
	check(t, err)
	_, rest, _ := strings.Cut(string(text), "VmRSS:")
	n, err := strconv.Atoi(strings.Fields(rest)[0])
	check(t, err)
	return n
}

// processor is the time that the sidecar has used of it.
func (p *pod) processor(t *testing.T) time.Duration {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", p.sidecar.PID()))
	check(t, err)
	_, rest, _ := strings.Cut(string(text), ") ")
	var used time.Duration
	for _, field := range strings.Fields(rest)[11:13] { // utime and stime
		n, err := strconv.Atoi(field)
		check(t, err)
		used += time.Duration(n) * 10 * time.Millisecond // a tick
	}
	return used
}
