package main

import (
	"crypto/tls"
	"encoding/pem"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/lanyard-dev/lanyard/test/testcert"
)

// asProgram in the environment has this test binary be the program itself.
const asProgram = "LANYARD_TEST_AS_PROGRAM"

func TestMain(m *testing.M) {
	if os.Getenv(asProgram) != "" {
		main() // does not return
	}
	os.Exit(m.Run())
}

// hold takes a port until the test ends, or free is called.
func hold(t *testing.T) (address string, free func()) {
	t.Helper()
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return l.Addr().String(), func() { _ = l.Close() }
}

func freeAddress(t *testing.T) string {
	t.Helper()
	address, free := hold(t)
	free()
	return address
}

func listening(t *testing.T, address string) bool {
	t.Helper()
	conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", address)
	if err != nil {
		return false
	}
	_ = conn.Close()
	return true
}

// await waits until so, or until ended.
func await(t *testing.T, what string, ended <-chan error, so func() bool) {
	t.Helper()
	deadline := time.After(20 * time.Second)
	for tick := time.NewTicker(5 * time.Millisecond); !so(); {
		select {
		case err := <-ended:
			t.Fatalf("it ended with %v before %s", err, what)
		case <-deadline:
			t.Fatalf("waited 20 s in vain until %s", what)
		case <-tick.C:
		}
	}
}

// Where the app need not wait for its tokens, the startup probe succeeds with its first answer.
// The app may call at once then, so the ports that it calls are taken before the probe's.
func TestAPortThatIsTakenIsNamedBeforeTheAppMayStart(t *testing.T) {
	for name, test := range map[string]struct {
		endpoint, upstream, probe bool // taken
		want                      string
	}{
		"the endpoint's":                         {endpoint: true, want: "--listen=127.0.0.1:"},
		"an upstream's":                          {upstream: true, want: "the port of upstream orders.example:8443: "},
		"the probe's":                            {probe: true, want: "--metrics-listen=127.0.0.1:"},
		"an upstream's, and the probe's as well": {upstream: true, probe: true, want: "the port of upstream orders.example:8443: "},
	} {
		t.Run(name, func(t *testing.T) {
			ports := map[string]string{}
			var free []string
			for what, taken := range map[string]bool{"endpoint": test.endpoint, "upstream": test.upstream, "probe": test.probe} {
				address, release := hold(t)
				if ports[what] = address; !taken {
					release()
					free = append(free, address)
				}
			}
			_, port, _ := net.SplitHostPort(ports["upstream"])
			o := parse(t, "upstreams: [{port: "+port+", url: 'https://orders.example:8443', resource: 'api://orders'}]",
				"--issuer=https://127.0.0.1:1", "--assertion-file=/does/not/exist", "--directory=", "--wait=false",
				"--listen="+ports["endpoint"], "--metrics-listen="+ports["probe"])
			err := Run(t.Context(), *o, io.Discard)
			if err == nil || !strings.Contains(err.Error(), test.want) || !strings.Contains(err.Error(), "address already in use") {
				t.Errorf("got %v", err)
			}
			for _, address := range free {
				if listening(t, address) {
					t.Errorf("%s was kept", address)
				}
			}
		})
	}
}

// throughTunnels is a proxy that makes a tunnel to one address, whatever is asked for.
type throughTunnels struct {
	t  *testing.T
	to string

	mu    sync.Mutex
	asked []string
}

func (p *throughTunnels) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	p.asked = append(p.asked, r.Method+" "+r.Host)
	p.mu.Unlock()
	there, err := (&net.Dialer{}).DialContext(r.Context(), "tcp", p.to)
	if err != nil {
		p.t.Error(err)
		return
	}
	defer there.Close()
	w.WriteHeader(http.StatusOK)
	here, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		p.t.Error(err)
		return
	}
	defer here.Close()
	go func() { _, _ = io.Copy(there, here) }()
	_, _ = io.Copy(here, there)
}

func TestTheIssuerIsAskedThroughTheProxyOfTheEnvironment(t *testing.T) {
	certificate := testcert.New(t, "issuer.example") // a name that nobody resolves
	issuer := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, `{"access_token":"from-%s","token_type":"Bearer","expires_in":60}`, r.Host)
	}))
	issuer.TLS = &tls.Config{Certificates: []tls.Certificate{certificate}, MinVersion: tls.VersionTLS12}
	issuer.StartTLS()
	defer issuer.Close()
	proxy := &throughTunnels{t: t, to: issuer.Listener.Addr().String()}
	way := httptest.NewServer(proxy)
	defer way.Close()

	dir, address := t.TempDir(), freeAddress(t)
	for name, text := range map[string][]byte{
		"ca.crt": pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: certificate.Leaf.Raw}), "assertion": []byte("an assertion"),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), program, "--issuer=https://issuer.example", "--ca="+filepath.Join(dir, "ca.crt"),
		"--assertion-file="+filepath.Join(dir, "assertion"), "--directory=", "--listen="+address, "--metrics-listen=127.0.0.1:0")
	cmd.Env = []string{asProgram + "=1", "HTTPS_PROXY=" + way.URL, configEnv + "=resources: [{name: orders, identifier: 'api://orders'}]"}
	var log strings.Builder
	cmd.Stdout, cmd.Stderr = &log, &log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	await(t, "it listens", ended, func() bool { return listening(t, address) })
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+address+"/token", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Metadata", "true")
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if text, _ := io.ReadAll(response.Body); response.StatusCode != http.StatusOK || !strings.Contains(string(text), "from-issuer.example") {
		t.Errorf("got %s %s", response.Status, text)
	}
	_ = cmd.Process.Signal(syscall.SIGTERM)
	if err := <-ended; err != nil {
		t.Errorf("it ended with %v and said\n%s", err, &log)
	}
	proxy.mu.Lock()
	defer proxy.mu.Unlock()
	if len(proxy.asked) != 1 || proxy.asked[0] != "CONNECT issuer.example:443" {
		t.Errorf("the proxy was asked for %q", proxy.asked)
	}
}
