package webhook

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"

	admissionv1 "k8s.io/api/admission/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/lanyard-dev/lanyard/api/v1alpha1"
	"github.com/lanyard-dev/lanyard/test/testenv"
)

// replica is a controller with a certificate as the kubelet mounts one.
type replica struct {
	webhooks, health string // addresses
	mount            string
	mounted          int // how often files came
	cmd              *exec.Cmd
	log              *lines
}

// startReplica runs a controller that wants the Lease, until the test ends. files are
// what its mounted Secret holds.
func startReplica(t *testing.T, user string, groups []string, files map[string][]byte, flags ...string) *replica {
	t.Helper()
	ports := t.TempDir()
	r := &replica{webhooks: testenv.Address(t, ports, "webhooks"), health: testenv.Address(t, ports, "health"), mount: t.TempDir(), log: &lines{}}
	r.mounts(t, files)
	r.cmd = exec.Command(env.Controller.Binary, append([]string{ // without the test's context: the cleanup ends it
		"--kubeconfig=" + env.Kubeconfig(t, user, groups...), "--namespace=" + testenv.LanyardNamespace,
		"--metrics-listen=0", "--health-listen=" + r.health, "--webhook-listen=" + r.webhooks, "--shutdown-delay=0s",
		"--webhook-tls-cert=" + filepath.Join(r.mount, "tls.crt"), "--webhook-tls-key=" + filepath.Join(r.mount, "tls.key"),
	}, flags...)...)
	r.cmd.Stderr = r.log
	check(t, r.cmd.Start())
	t.Cleanup(func() {
		check(t, r.cmd.Process.Signal(os.Interrupt))
		if err := r.cmd.Wait(); err != nil {
			t.Errorf("the controller ended with %v", err)
		}
		if t.Failed() {
			t.Logf("its log:\n%s", r.log)
		}
	})
	return r
}

// mounts writes files as the kubelet does: into a folder that the link ..data is switched
// to, with links to what is in it.
func (r *replica) mounts(t *testing.T, files map[string][]byte) {
	t.Helper()
	r.mounted++
	dir := filepath.Join(r.mount, fmt.Sprintf("..%d", r.mounted))
	check(t, os.Mkdir(dir, 0o700))
	for name, content := range files {
		check(t, os.WriteFile(filepath.Join(dir, name), content, 0o600))
		if err := os.Symlink(filepath.Join("..data", name), filepath.Join(r.mount, name)); !errors.Is(err, os.ErrExist) {
			check(t, err)
		}
	}
	check(t, os.Symlink(filepath.Base(dir), filepath.Join(r.mount, "..data_tmp")))
	check(t, os.Rename(filepath.Join(r.mount, "..data_tmp"), filepath.Join(r.mount, "..data")))
}

// ready asks /readyz, and returns what it says if that is not ok.
func (r *replica) ready(ctx context.Context) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+r.health+"/readyz?verbose", http.NoBody)
	if err != nil {
		return err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err == nil && response.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s", response.Status, body)
	}
	return err
}

// shows returns the certificate that it shows.
func (r *replica) shows(ctx context.Context) (*x509.Certificate, error) {
	dialer := &tls.Dialer{Config: &tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS12}}
	conn, err := dialer.DialContext(ctx, "tcp", r.webhooks)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	return conn.(*tls.Conn).ConnectionState().PeerCertificates[0], nil
}

// review asks it what it thinks of an object that is to be created.
func (r *replica) review(ctx context.Context, t *testing.T, path string, o client.Object) *admissionv1.AdmissionResponse {
	t.Helper()
	raw, err := json.Marshal(o)
	check(t, err)
	body, err := json.Marshal(admissionv1.AdmissionReview{
		TypeMeta: metav1.TypeMeta{APIVersion: "admission.k8s.io/v1", Kind: "AdmissionReview"},
		Request: &admissionv1.AdmissionRequest{
			UID: "1", Operation: admissionv1.Create, Namespace: o.GetNamespace(), Object: runtime.RawExtension{Raw: raw},
			Kind: metav1.GroupVersionKind(v1alpha1.SchemeGroupVersion.WithKind("OAuthClient")),
		},
	})
	check(t, err)
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, "https://"+r.webhooks+path, bytes.NewReader(body))
	check(t, err)
	request.Header.Set("Content-Type", "application/json")
	httpClient := &http.Client{Transport: &http.Transport{DisableKeepAlives: true, TLSClientConfig: &tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS12}}}
	response, err := httpClient.Do(request)
	check(t, err)
	defer response.Body.Close()
	var review admissionv1.AdmissionReview
	check(t, json.NewDecoder(response.Body).Decode(&review))
	return review.Response
}

// lines keeps what a process logs.
type lines struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}
