package sidecar

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/lanyard-dev/lanyard/api/v1alpha1"
	"github.com/lanyard-dev/lanyard/sidecar/tokens"
	"github.com/lanyard-dev/lanyard/test/testenv"
)

// pod is a client of a namespace of its own, the API that it may call, and what the
// kubelet and the injector would make of them: a folder with files, and a sidecar.
type pod struct {
	*stage

	namespace  string
	identifier string // the API's
	oauth      *v1alpha1.OAuthClient
	volume     string
	generation int
	sidecar    *testenv.Program
	base, ops  string // where the sidecar serves
}

const name = "checkout"

// newPod declares everything and waits until the certificate is pinned.
func (s *stage) newPod(t *testing.T, edits ...func(*v1alpha1.OAuthClient)) *pod {
	t.Helper()
	p := &pod{stage: s, namespace: s.env.Namespace(t, nil, nil).Name, volume: t.TempDir()}
	p.identifier = "api://" + p.namespace
	p.create(t, &v1alpha1.ProtectedResource{ObjectMeta: p.meta("orders"), Spec: v1alpha1.ProtectedResourceSpec{Identifier: p.identifier}})
	p.create(t, &v1alpha1.AppRole{ObjectMeta: p.meta("read"), Spec: v1alpha1.AppRoleSpec{
		ResourceRef: v1alpha1.LocalReference{Name: "orders"}, Value: "Orders.Read.All",
	}})
	p.oauth = &v1alpha1.OAuthClient{ObjectMeta: p.meta(name), Spec: v1alpha1.OAuthClientSpec{
		Authentication: v1alpha1.ClientAuthentication{ServiceAccounts: []v1alpha1.ServiceAccountCredential{{Name: name}}},
		Roles:          []v1alpha1.RoleReference{{Namespace: p.namespace, Name: "read"}},
	}}
	for _, edit := range edits {
		edit(p.oauth)
	}
	p.create(t, p.oauth)
	p.create(t, &v1alpha1.AppRoleAssignment{ObjectMeta: p.meta(name), Spec: v1alpha1.AppRoleAssignmentSpec{
		RoleRef: v1alpha1.LocalReference{Name: "read"}, Decision: v1alpha1.DecisionApproved,
		ClientRef: &v1alpha1.ClientReference{Namespace: p.namespace, Name: name},
	}})
	p.create(t, &v1alpha1.ClientCertificate{ObjectMeta: p.meta(name), Spec: v1alpha1.ClientCertificateSpec{
		ClientRef: v1alpha1.LocalReference{Name: name},
		Issuance:  &v1alpha1.Issuance{IssuerRef: v1alpha1.IssuerReference{Name: testenv.WorkloadCA, Kind: "ClusterIssuer"}, SecretName: name + "-mtls"},
	}})
	p.pinned(t)
	p.mount(t)
	p.assert(t)
	return p
}

func (p *pod) meta(name string) metav1.ObjectMeta {
	return metav1.ObjectMeta{Namespace: p.namespace, Name: name}
}

func (p *pod) create(t *testing.T, o client.Object) {
	t.Helper()
	check(t, p.env.Client.Create(t.Context(), o))
}

// pinned waits until the certificate in the Secret stays there, and is pinned.
func (p *pod) pinned(t *testing.T) {
	t.Helper()
	p.env.Issued(t, p.namespace, name)
	testenv.Eventually(t, func(ctx context.Context) error {
		cc := &v1alpha1.ClientCertificate{ObjectMeta: p.meta(name)}
		if err := p.env.Client.Get(ctx, client.ObjectKeyFromObject(cc), cc); err != nil {
			return err
		}
		secret, err := p.secret(ctx)
		if err != nil {
			return err
		}
		pair, err := tls.X509KeyPair(secret.Data["tls.crt"], secret.Data["tls.key"])
		if err != nil {
			return err
		}
		isIt := func(pin v1alpha1.Pin) bool { return pin.Thumbprint == tokens.Thumbprint(&pair) }
		if !meta.IsStatusConditionTrue(cc.Status.Conditions, v1alpha1.ConditionReady) || !slices.ContainsFunc(cc.Status.Pins, isIt) {
			return fmt.Errorf("not pinned: %+v", cc.Status)
		}
		return nil
	})
}

// secret is the Secret with the certificate.
func (p *pod) secret(ctx context.Context) (*corev1.Secret, error) {
	secret := &corev1.Secret{ObjectMeta: p.meta(name + "-mtls")}
	return secret, p.env.Client.Get(ctx, client.ObjectKeyFromObject(secret), secret)
}

// mount writes the certificate's Secret into the volume as the kubelet does: a new
// folder, and a link to it that is switched.
func (p *pod) mount(t *testing.T) *tls.Certificate {
	t.Helper()
	var secret *corev1.Secret
	testenv.Eventually(t, func(ctx context.Context) (err error) {
		secret, err = p.secret(ctx)
		return err
	})
	p.generation++
	folder := fmt.Sprintf("..%d", p.generation)
	check(t, os.Mkdir(filepath.Join(p.volume, folder), 0o755))
	for _, key := range []string{"tls.crt", "tls.key"} {
		check(t, os.WriteFile(filepath.Join(p.volume, folder, key), secret.Data[key], 0o600))
		if p.generation == 1 {
			check(t, os.Symlink(filepath.Join("..data", key), filepath.Join(p.volume, key)))
		}
	}
	link := filepath.Join(p.volume, "..data")
	check(t, os.Symlink(folder, link+"_tmp"))
	check(t, os.Rename(link+"_tmp", link))
	pair, err := tls.X509KeyPair(secret.Data["tls.crt"], secret.Data["tls.key"])
	check(t, err)
	return &pair
}

// assert makes the pod, and writes the token that the kubelet would mount.
func (p *pod) assert(t *testing.T) {
	t.Helper()
	p.create(t, &corev1.ServiceAccount{ObjectMeta: p.meta(name)})
	object := &corev1.Pod{ObjectMeta: p.meta(name), Spec: corev1.PodSpec{
		ServiceAccountName: name, Containers: []corev1.Container{{Name: "app", Image: "app"}},
	}}
	p.create(t, object)
	tr := &authenticationv1.TokenRequest{Spec: authenticationv1.TokenRequestSpec{
		Audiences:      []string{p.issuer.URL},
		BoundObjectRef: &authenticationv1.BoundObjectReference{APIVersion: "v1", Kind: "Pod", Name: object.Name, UID: object.UID},
	}}
	account := &corev1.ServiceAccount{ObjectMeta: p.meta(name)}
	check(t, p.env.Client.SubResource("token").Create(t.Context(), account, tr))
	check(t, os.WriteFile(filepath.Join(p.volume, "assertion"), []byte(tr.Status.Token), 0o600))
}

// run starts the sidecar, with further flags.
func (p *pod) run(t *testing.T, args ...string) {
	t.Helper()
	ports := t.TempDir()
	listen, ops := testenv.Address(t, ports, "listen"), testenv.Address(t, ports, "ops")
	p.base, p.ops = "http://"+listen, "http://"+ops
	config := filepath.Join(p.volume, "config.yaml")
	check(t, os.WriteFile(config, []byte("resources: [{name: orders, identifier: '"+p.identifier+"'}]"), 0o600))
	p.sidecar = testenv.NewProgram(t, p.dir, "sidecar", append([]string{
		"--issuer=" + p.issuer.URL, "--ca=" + p.issuer.CAFile, "--client-id=" + p.namespace + "/" + name,
		"--cert=" + filepath.Join(p.volume, "tls.crt"), "--key=" + filepath.Join(p.volume, "tls.key"),
		"--config=" + config, "--directory=" + p.directory(), "--listen=" + listen, "--metrics-listen=" + ops,
	}, args...)...)
	p.sidecar.Start(t)
	t.Cleanup(func() { p.keptToItself(t, p.sidecar) })
}

// keptToItself checks, whatever happened in the test, that the log has nothing of what the
// sidecar was given.
func (p *pod) keptToItself(t *testing.T, sidecar *testenv.Program) {
	t.Helper()
	log := sidecar.Log(t)
	for _, file := range []string{"assertion", "tls.key"} {
		secret, err := os.ReadFile(filepath.Join(p.volume, file))
		if err != nil {
			continue // this one was given none
		}
		for line := range strings.Lines(string(secret)) {
			line = strings.TrimSpace(line)
			if part := line[max(0, len(line)-40):]; len(part) == 40 && !strings.Contains(part, "-----") && strings.Contains(log, part) {
				t.Errorf("the log holds a part of %s", file)
			}
		}
	}
}

func (p *pod) assertion() string { return "--assertion-file=" + filepath.Join(p.volume, "assertion") }

func (p *pod) directory() string { return filepath.Join(p.volume, "run") }

// started waits until the startup probe is content.
func (p *pod) started(t *testing.T) {
	t.Helper()
	testenv.Eventually(t, func(ctx context.Context) error {
		_, err := fetch(ctx, p.ops+"/startedz", nil)
		return err
	})
}

// answer is that of GET /token.
type answer struct {
	AccessToken string            `json:"access_token"`
	ExpiresOn   int64             `json:"expires_on"`
	Cnf         map[string]string `json:"cnf"`
}

// token asks the sidecar as the app does.
func (p *pod) token(ctx context.Context) (a answer, err error) {
	body, err := fetch(ctx, p.base+"/token?resource="+p.identifier, http.Header{"Metadata": {"true"}})
	if err != nil {
		return a, err
	}
	return a, json.Unmarshal([]byte(body), &a)
}

// library asks as an OAuth library does that insists on credentials.
func (p *pod) library(ctx context.Context) (string, error) {
	form := url.Values{"grant_type": {"client_credentials"}, "scope": {p.identifier + "/.default"}}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, p.base+"/oauth2/token", strings.NewReader(form.Encode()))
	if err != nil {
		return "", err
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.SetBasicAuth("unused", "unused")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	var a answer
	err = json.NewDecoder(resp.Body).Decode(&a)
	return a.AccessToken, err
}

// boundTo waits until the sidecar's token is bound to the certificate, and everything
// that it hands out agrees.
func (p *pod) boundTo(t *testing.T, certificate *tls.Certificate) answer {
	t.Helper()
	var a answer
	testenv.Eventually(t, func(ctx context.Context) (err error) {
		if a, err = p.token(ctx); err != nil {
			return err
		}
		if got, want := a.Cnf["x5t#S256"], tokens.Thumbprint(certificate); got != want {
			return fmt.Errorf("the token is bound to %s and not to %s", got, want)
		}
		return nil
	})
	return a
}

// metric is the value of a metric's only sample, or of that with these labels.
func (p *pod) metric(ctx context.Context, name string) (string, error) {
	page, err := fetch(ctx, p.ops+"/metrics", nil)
	if err != nil {
		return "", err
	}
	for line := range strings.Lines(page) {
		if value, ok := strings.CutPrefix(line, name+" "); ok {
			return strings.TrimSpace(value), nil
		}
	}
	return "", fmt.Errorf("there is no metric %s in\n%s", name, page)
}

// change edits an object as kubectl edit does.
func change[T client.Object](t *testing.T, s *stage, o T, edit func(T)) {
	t.Helper()
	check(t, s.env.Client.Get(t.Context(), client.ObjectKeyFromObject(o), o))
	base := runtime.Object(o).DeepCopyObject().(T)
	edit(o)
	check(t, s.env.Client.Patch(t.Context(), o, client.MergeFrom(base)))
}

// within waits until something is so, and fails the test if that takes longer.
func within(t *testing.T, what string, promise time.Duration, so func(ctx context.Context) error) {
	t.Helper()
	began := time.Now()
	testenv.EventuallyWithin(t, promise, so)
	t.Logf("%s: after %s", what, time.Since(began).Round(time.Millisecond))
}
