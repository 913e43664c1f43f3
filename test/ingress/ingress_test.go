//go:build e2e

package ingress

import (
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"
)

func TestIngress(t *testing.T) {
	w := newWorld(t)
	address, ops := free(t), free(t)
	p := w.ingress("--listen="+address, "--metrics-listen="+ops, "--tls-cert="+w.path("tls.crt"), "--tls-key="+w.path("tls.key"), "--forward="+w.app.URL)
	w.listens(p, address)
	w.story(t, address)
	if text := get(t, "http://"+ops+"/metrics"); !strings.Contains(text, `lanyard_ingress_requests_total{by="forward",outcome="accepted"}`) {
		t.Errorf("the metrics are %s", text)
	}
	if strings.Contains(p.output.String(), "eyJ") {
		t.Error("the log has a token")
	}
	t.Run("requests that are being served end when it is stopped", func(t *testing.T) {
		began, release := make(chan struct{}), make(chan struct{})
		w.app.Config.Handler = http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) {
			close(began)
			<-release
			_, _ = io.WriteString(rw, "done")
		})
		answer := make(chan reply)
		go func() {
			answer <- w.send(t, address, call{method: "GET", path: "/orders", token: w.token(read), certificate: &w.caller})
		}()
		<-began
		_ = p.cmd.Process.Signal(syscall.SIGTERM)
		for get(t, "http://"+ops+"/readyz") != "about to stop\n" {
			time.Sleep(5 * time.Millisecond)
		}
		for listening(t, address) { // then it serves no more than what was begun
			time.Sleep(5 * time.Millisecond)
		}
		close(release)
		if r := <-answer; r.body != "done" {
			t.Errorf("got %+v", r)
		}
		<-p.ended
		if code := p.cmd.ProcessState.ExitCode(); code != 0 {
			t.Errorf("it ended with %d", code)
		}
	})
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

func get(t *testing.T, address string) string {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}

func TestNginxAsks(t *testing.T) {
	w := newWorld(t)
	nginx, asked, address := program(t, "nginx", "nginx-light"), free(t), free(t)
	p := w.ingress("--listen=", "--auth-request-listen="+asked, "--proxy=nginx", "--metrics-listen="+free(t))
	w.listens(p, asked)
	config := w.configuration("nginx.conf", "listen 8443", "listen "+address, "/etc/orders/", w.dir+"/", "127.0.0.1:9469", asked, "http://127.0.0.1:8080", w.app.URL,
		"http {", "http {\n  client_body_temp_path "+w.dir+"/body; proxy_temp_path "+w.dir+"/proxy; fastcgi_temp_path "+w.dir+"/f; uwsgi_temp_path "+w.dir+"/u; scgi_temp_path "+w.dir+"/s; access_log off;")
	if err := os.Chmod(w.dir, 0o755); err != nil { // nginx' workers are another user
		t.Fatal(err)
	}
	n := w.start(nginx, "-p", w.dir, "-c", config, "-g", "daemon off; pid "+w.path("nginx.pid")+"; error_log stderr;")
	w.listens(n, address)
	w.story(t, address)
	t.Run("TestRefuses everything while nobody answers", func(t *testing.T) {
		p.stop()
		before := w.calls()
		if r := w.send(t, address, call{method: "GET", path: "/orders", token: w.token(read), certificate: &w.caller}); r.status != http.StatusInternalServerError || w.calls() > before {
			t.Errorf("got %+v", r)
		}
	})
}

func TestHAProxyPassesConnectionsOn(t *testing.T) {
	w := newWorld(t)
	haproxy, behind, address := program(t, "haproxy", "haproxy"), free(t), free(t)
	p := w.ingress("--listen="+behind, "--metrics-listen="+free(t), "--tls-cert="+w.path("tls.crt"), "--tls-key="+w.path("tls.key"), "--forward="+w.app.URL)
	w.listens(p, behind)
	config := w.configuration("haproxy-passthrough.cfg", "bind :8443", "bind "+address, "127.0.0.1:8444", behind)
	h := w.start(haproxy, "-db", "-f", config)
	w.listens(h, address)
	w.story(t, address)
}

func TestHAProxyEndsTLSAndNamesTheCertificate(t *testing.T) {
	w := newWorld(t)
	haproxy, behind, address := program(t, "haproxy", "haproxy"), free(t), free(t)
	p := w.ingress("--listen="+behind, "--metrics-listen="+free(t), "--tls-cert="+w.path("tls.crt"), "--tls-key="+w.path("tls.key"), "--forward="+w.app.URL,
		"--proxy=haproxy", "--client-cert-proxy-ca="+w.path("proxy-ca.crt"), "--client-cert-proxy-name="+proxy)
	w.listens(p, behind)
	w.write("any-ca.crt", pemOf(newCertificate(t, "any").Leaf))
	w.write("ingress-ca.crt", pemOf(w.api))
	config := w.configuration("haproxy.cfg", "bind :8443", "bind "+address, "127.0.0.1:8444", behind, "/etc/orders/", w.dir+"/")
	h := w.start(haproxy, "-db", "-f", config)
	w.listens(h, address)
	w.story(t, address)
	t.Run("the app is told who called HAProxy", func(t *testing.T) {
		w.send(t, address, call{method: "GET", path: "/orders", token: w.token(read), certificate: &w.caller, header: http.Header{"X-Forwarded-For": {"192.0.2.1"}}})
		if got := w.last().Header.Get("X-Forwarded-For"); got != "127.0.0.1, 127.0.0.1" {
			t.Errorf("the app was told %q", got)
		}
	})
}
