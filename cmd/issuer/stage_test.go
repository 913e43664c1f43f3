package main

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"github.com/lanyard-dev/lanyard/api/v1alpha1"
	"github.com/lanyard-dev/lanyard/issuer/jose"
	"github.com/lanyard-dev/lanyard/issuer/keyring"
	"github.com/lanyard-dev/lanyard/test/testenv"
)

// promise is how soon a change is in force at the issuer.
const promise = time.Second

// stage is a cluster with the story of shop and orders, and an issuer that runs
// with nothing but its own role.
type stage struct {
	env    *testenv.Environment
	opts   Options
	dir    string
	cert   tls.Certificate // of the client
	server tls.Certificate
	shop   string
	orders string
	log    *logBuffer
	http   *http.Client
	ops    string
	wire   *wire
}

type logBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *logBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *logBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func newCertificate(t *testing.T, name string) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	check(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name},
		NotBefore: time.Now().Add(-time.Minute), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	check(t, err)
	leaf, err := x509.ParseCertificate(der)
	check(t, err)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}
}

// writeCertificate writes the files that --tls-cert and --tls-key name.
func (s *stage) writeCertificate(t *testing.T, c tls.Certificate) {
	t.Helper()
	key, err := x509.MarshalPKCS8PrivateKey(c.PrivateKey)
	check(t, err)
	check(t, os.WriteFile(s.opts.TLSCert, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Certificate[0]}), 0o600))
	check(t, os.WriteFile(s.opts.TLSKey, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key}), 0o600))
}

func newStage(t *testing.T) *stage {
	t.Helper()
	s := &stage{
		env: testenv.New(t, testenv.Options{}), dir: t.TempDir(), log: &logBuffer{},
		cert: newCertificate(t, "checkout"), server: newCertificate(t, "issuer"),
	}
	s.shop, s.orders = s.env.Namespace(t, nil, nil).Name, s.env.Namespace(t, nil, nil).Name
	check(t, s.env.Client.Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "lanyard-system"}}))
	s.permit(t)

	public := testenv.Address(t, s.dir, "public")
	s.ops = testenv.Address(t, s.dir, "ops")
	roots := x509.NewCertPool()
	roots.AddCert(s.server.Leaf)
	s.http = &http.Client{Timeout: 20 * time.Second, Transport: &http.Transport{
		TLSClientConfig: &tls.Config{RootCAs: roots, Certificates: []tls.Certificate{s.cert}, MinVersion: tls.VersionTLS12},
	}}
	s.opts = Options{
		IssuerURL: "https://" + public, Listen: public, OpsListen: s.ops,
		TLSCert: filepath.Join(s.dir, "tls.crt"), TLSKey: filepath.Join(s.dir, "tls.key"),
		Namespace: "lanyard-system", SigningKeySecret: "lanyard-signing-keys", ControllerLease: "lanyard-controller",
		ClusterDomain: "cluster.local", MaxStaleness: 15 * time.Minute, LogLevel: "info", MaxConnections: 100,
		ReplayMemory: 1000, ReplayQuota: 500, RevocationQuota: 100,
		Kubeconfig: s.kubeconfig(t, s.behind(t, s.env.As(t, "system:serviceaccount:lanyard-system:lanyard-issuer"))),
	}
	s.writeCertificate(t, s.server)
	return s
}

// permit applies the issuer's own role, and nothing else.
func (s *stage) permit(t *testing.T) {
	t.Helper()
	for _, file := range []string{"issuer-role.yaml", "bindings.yaml"} {
		data, err := os.ReadFile(filepath.Join(s.env.Root, "config", "rbac", file))
		check(t, err)
		d := utilyaml.NewYAMLOrJSONDecoder(bytes.NewReader(data), 4096)
		for {
			o := &unstructured.Unstructured{}
			err := d.Decode(&o.Object)
			if errors.Is(err, io.EOF) {
				break
			}
			check(t, err)
			if o.GetName() == "lanyard-issuer" {
				check(t, s.env.Client.Create(t.Context(), o))
			}
		}
	}
}

func (s *stage) kubeconfig(t *testing.T, c *rest.Config) string {
	t.Helper()
	path := filepath.Join(s.dir, "kubeconfig")
	check(t, clientcmd.WriteToFile(clientcmdapi.Config{
		Clusters:       map[string]*clientcmdapi.Cluster{"c": {Server: c.Host, CertificateAuthorityData: c.CAData}},
		AuthInfos:      map[string]*clientcmdapi.AuthInfo{"u": {ClientCertificateData: c.CertData, ClientKeyData: c.KeyData}},
		Contexts:       map[string]*clientcmdapi.Context{"x": {Cluster: "c", AuthInfo: "u"}},
		CurrentContext: "x",
	}, path))
	return path
}

// start runs the issuer, and returns what ends it.
func (s *stage) start(t *testing.T) (stop func() error) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- Run(ctx, s.opts, s.log) }()
	stop = sync.OnceValue(func() error { cancel(); return <-ended })
	t.Cleanup(func() {
		if err := stop(); err != nil {
			t.Errorf("the issuer ended: %v", err)
		}
		if t.Failed() {
			t.Logf("its log:\n%s", s.log)
		}
	})
	return stop
}

// keys makes the Secret with the signing keys, as the controller does.
func (s *stage) keys(t *testing.T) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	check(t, err)
	der, err := x509.MarshalPKCS8PrivateKey(key)
	check(t, err)
	id, err := jose.Thumbprint(key.Public())
	check(t, err)
	now := time.Now().UTC().Truncate(time.Second)
	ring, err := keyring.Ring{Keys: []keyring.Key{{ID: id, Algorithm: keyring.ES256, PrivateKeyPKCS8: der, CreatedAt: now, SignsFrom: now}}}.Marshal()
	check(t, err)
	check(t, s.env.Client.Create(t.Context(), &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: "lanyard-system", Name: "lanyard-signing-keys"},
		Data:       map[string][]byte{keyring.SecretKey: ring},
	}))
}

func (s *stage) identifier() string { return "api://" + s.orders }

// declare applies the story.
func (s *stage) declare(t *testing.T, name string) {
	t.Helper()
	c := s.env.Client
	check(t, c.Create(t.Context(), &v1alpha1.OAuthClient{
		ObjectMeta: metav1.ObjectMeta{Namespace: s.shop, Name: name},
		Spec: v1alpha1.OAuthClientSpec{
			Authentication: v1alpha1.ClientAuthentication{
				ServiceAccounts: []v1alpha1.ServiceAccountCredential{{Name: name}},
				Certificate:     &v1alpha1.CertificateCredential{Methods: []v1alpha1.CertificateMethod{v1alpha1.MethodSelfSignedTLSClientAuth}},
			},
			Roles: []v1alpha1.RoleReference{{Namespace: s.orders, Name: "read"}},
		},
	}))
	cc := &v1alpha1.ClientCertificate{
		ObjectMeta: metav1.ObjectMeta{Namespace: s.shop, Name: name},
		Spec: v1alpha1.ClientCertificateSpec{
			ClientRef: v1alpha1.LocalReference{Name: name},
			PEM:       string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.cert.Certificate[0]})),
		},
	}
	check(t, c.Create(t.Context(), cc))
	cc.Status.Pins = []v1alpha1.Pin{{
		Thumbprint: jose.X5TS256(s.cert.Certificate[0]), State: v1alpha1.PinCurrent, Certificate: cc.Spec.PEM,
		NotBefore: metav1.NewTime(s.cert.Leaf.NotBefore), NotAfter: metav1.NewTime(s.cert.Leaf.NotAfter),
	}}
	check(t, c.Status().Update(t.Context(), cc))
	check(t, c.Create(t.Context(), &v1alpha1.AppRoleAssignment{
		ObjectMeta: metav1.ObjectMeta{Namespace: s.orders, Name: name},
		Spec: v1alpha1.AppRoleAssignmentSpec{
			RoleRef: v1alpha1.LocalReference{Name: "read"}, ClientRef: &v1alpha1.ClientReference{Namespace: s.shop, Name: name}, Decision: v1alpha1.DecisionApproved,
		},
	}))
}

func (s *stage) declareOrders(t *testing.T) {
	t.Helper()
	check(t, s.env.Client.Create(t.Context(), &v1alpha1.ProtectedResource{
		ObjectMeta: metav1.ObjectMeta{Namespace: s.orders, Name: "orders"}, Spec: v1alpha1.ProtectedResourceSpec{Identifier: s.identifier()},
	}))
	check(t, s.env.Client.Create(t.Context(), &v1alpha1.AppRole{
		ObjectMeta: metav1.ObjectMeta{Namespace: s.orders, Name: "read"},
		Spec:       v1alpha1.AppRoleSpec{ResourceRef: v1alpha1.LocalReference{Name: "orders"}, Value: "Orders.Read.All"},
	}))
}

func (s *stage) account(t *testing.T, name string) *corev1.ServiceAccount {
	t.Helper()
	sa := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: s.shop, Name: name}}
	check(t, s.env.Client.Create(t.Context(), sa))
	return sa
}

// pod makes a Pod object; on a node it drains when it is deleted, else it goes at once.
func (s *stage) pod(t *testing.T, name, account, node string) *corev1.Pod {
	t.Helper()
	p := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: s.shop, Name: name},
		Spec:       corev1.PodSpec{ServiceAccountName: account, NodeName: node, Containers: []corev1.Container{{Name: "app", Image: "app"}}},
	}
	check(t, s.env.Client.Create(t.Context(), p))
	return p
}

// projected is a token as the kubelet would get it for the pod.
func (s *stage) projected(t *testing.T, account string, pod *corev1.Pod) string {
	t.Helper()
	tr := &authenticationv1.TokenRequest{Spec: authenticationv1.TokenRequestSpec{Audiences: []string{s.opts.IssuerURL}}}
	if pod != nil {
		tr.Spec.BoundObjectRef = &authenticationv1.BoundObjectReference{APIVersion: "v1", Kind: "Pod", Name: pod.Name, UID: pod.UID}
	}
	sa := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: s.shop, Name: account}}
	check(t, s.env.Client.SubResource("token").Create(t.Context(), sa, tr))
	return tr.Status.Token
}
