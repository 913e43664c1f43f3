package clientcertificate_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"slices"
	"strings"
	"testing"
	"time"

	certmanagerv1 "github.com/cert-manager/cert-manager/pkg/apis/certmanager/v1"
	cmmeta "github.com/cert-manager/cert-manager/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/lanyard-dev/lanyard/api/v1alpha1"
	"github.com/lanyard-dev/lanyard/controllers/clientcertificate"
	"github.com/lanyard-dev/lanyard/hack/cluster"
	"github.com/lanyard-dev/lanyard/test/testenv"
)

// env is the control plane with cert-manager that the tests share.
var env *testenv.Environment

func TestMain(m *testing.M) {
	testenv.Main(m, &env, testenv.Options{CertManager: true, ControllerManager: true})
}

var testPolicy = clientcertificate.Policy{
	AllowedIssuers:      []string{"ClusterIssuer/" + testenv.WorkloadCA},
	CertManagerUsername: cluster.CertManagerUser,
	TrustDomain:         "cluster.local",
}

// world is a namespace with a client and a running controller.
type world struct {
	*testing.T

	env       *testenv.Environment
	namespace string
}

// newWorld has the controller run on a namespace of its own, as the administrator:
// cmd/controller's tests run it with its own permissions.
func newWorld(t *testing.T, annotations map[string]string) world {
	t.Helper()
	w := world{T: t, env: env, namespace: env.Namespace(t, nil, annotations).Name}
	w.runController(time.Now)
	w.createClient("checkout")
	return w
}

func (w world) createClient(name string) {
	w.Helper()
	w.create(&v1alpha1.OAuthClient{ObjectMeta: w.meta(name), Spec: v1alpha1.OAuthClientSpec{
		Authentication: v1alpha1.ClientAuthentication{Certificate: &v1alpha1.CertificateCredential{
			Methods: []v1alpha1.CertificateMethod{"tls_client_auth"},
		}},
	}})
}

func (w world) runController(now func() time.Time) {
	w.Helper()
	w.env.Manager(w.T, w.env.Config, func(mgr ctrl.Manager) error {
		return clientcertificate.SetupWithManager(mgr, clientcertificate.Config{Policy: testPolicy, Now: now})
	}, w.namespace)
}

func (w world) meta(name string) metav1.ObjectMeta {
	return metav1.ObjectMeta{Namespace: w.namespace, Name: name}
}

func (w world) create(o client.Object) {
	w.Helper()
	if err := w.env.Client.Create(w.Context(), o); err != nil {
		w.Fatal(err)
	}
}

// issued is a ClientCertificate that cert-manager makes the certificate of.
func (w world) issued(name string) *v1alpha1.ClientCertificate {
	return &v1alpha1.ClientCertificate{ObjectMeta: w.meta(name), Spec: v1alpha1.ClientCertificateSpec{
		ClientRef: v1alpha1.LocalReference{Name: "checkout"},
		Issuance: &v1alpha1.Issuance{
			IssuerRef:  v1alpha1.IssuerReference{Name: testenv.WorkloadCA, Kind: "ClusterIssuer"},
			SecretName: name + "-mtls",
		},
	}}
}

func (w world) withPEM(name, text string) *v1alpha1.ClientCertificate {
	return &v1alpha1.ClientCertificate{ObjectMeta: w.meta(name), Spec: v1alpha1.ClientCertificateSpec{
		ClientRef: v1alpha1.LocalReference{Name: "checkout"}, PEM: text,
	}}
}

func (w world) adopting(name, certificate string) *v1alpha1.ClientCertificate {
	return &v1alpha1.ClientCertificate{ObjectMeta: w.meta(name), Spec: v1alpha1.ClientCertificateSpec{
		ClientRef: v1alpha1.LocalReference{Name: "checkout"}, CertificateRef: &v1alpha1.LocalReference{Name: certificate},
	}}
}

// certificate is a Certificate of a user's own.
func (w world) certificate(name, secret string) *certmanagerv1.Certificate {
	return &certmanagerv1.Certificate{ObjectMeta: w.meta(name), Spec: certmanagerv1.CertificateSpec{
		SecretName: secret, CommonName: name, RevisionHistoryLimit: new(int32(5)),
		PrivateKey: &certmanagerv1.CertificatePrivateKey{Algorithm: certmanagerv1.ECDSAKeyAlgorithm, RotationPolicy: certmanagerv1.RotationPolicyAlways},
		IssuerRef:  cmmeta.IssuerReference{Name: testenv.WorkloadCA, Kind: "ClusterIssuer"},
		Usages:     []certmanagerv1.KeyUsage{certmanagerv1.UsageDigitalSignature, certmanagerv1.UsageClientAuth},
	}}
}

// change reads o, changes it and writes it, until nobody else did so meanwhile.
func change[T client.Object](w world, o T, how func(T)) {
	w.Helper()
	testenv.Eventually(w.T, func(ctx context.Context) error {
		if err := w.env.Client.Get(ctx, client.ObjectKeyFromObject(o), o); err != nil {
			return err
		}
		how(o)
		return w.env.Client.Update(ctx, o)
	})
}

// ready returns the condition Ready, "" and "" if there is none.
func ready(c *v1alpha1.ClientCertificate) metav1.Condition {
	if condition := meta.FindStatusCondition(c.Status.Conditions, v1alpha1.ConditionReady); condition != nil {
		return *condition
	}
	return metav1.Condition{}
}

// becomes waits until c is Ready, or is not for the given reason, and its status
// speaks of its spec. It returns the condition's message.
func (w world) becomes(c *v1alpha1.ClientCertificate, reason string) string {
	w.Helper()
	testenv.Eventually(w.T, func(ctx context.Context) error {
		if err := w.env.Client.Get(ctx, client.ObjectKeyFromObject(c), c); err != nil {
			return err
		}
		if r := ready(c); r.Reason != reason || c.Status.ObservedGeneration != c.Generation {
			return fmt.Errorf("%s: Ready is %s, %s: %s; want the reason %s", c.Name, r.Status, r.Reason, r.Message, reason)
		}
		return nil
	})
	return ready(c).Message
}

// long returns how long something may last that a test has to see before it is over: on a busy
// machine the first was missed, and the next lasts longer.
func long(try int) time.Duration { return 3 * time.Second << try }

// sees waits as becomes does, and says whether it was so before the reason was the later one. That
// it must not be before its time.
func (w world) sees(c *v1alpha1.ClientCertificate, reason, later string, from time.Time) bool {
	w.Helper()
	testenv.Eventually(w.T, func(ctx context.Context) error {
		if err := w.env.Client.Get(ctx, client.ObjectKeyFromObject(c), c); err != nil {
			return err
		}
		if r := ready(c); r.Reason != reason && r.Reason != later {
			return fmt.Errorf("%s: Ready is %s, %s: %s; want the reason %s", c.Name, r.Status, r.Reason, r.Message, reason)
		}
		return nil
	})
	if early := time.Until(from); ready(c).Reason == later && early > 0 {
		w.Fatalf("%s: Ready has the reason %s %s too early", c.Name, later, early)
	}
	return ready(c).Reason == reason
}

// eventually waits until check is content with c.
func (w world) eventually(c *v1alpha1.ClientCertificate, check func(*v1alpha1.ClientCertificate) error) {
	w.Helper()
	testenv.Eventually(w.T, func(ctx context.Context) error {
		if err := w.env.Client.Get(ctx, client.ObjectKeyFromObject(c), c); err != nil {
			return err
		}
		return check(c)
	})
}

// says fails unless message holds every part.
func (w world) says(message string, parts ...string) {
	w.Helper()
	for _, part := range parts {
		if !strings.Contains(message, part) {
			w.Errorf("the message %q does not say %q", message, part)
		}
	}
}

// pin returns the pin with the given state, the zero value if there is none.
func pin(c *v1alpha1.ClientCertificate, state v1alpha1.PinState) v1alpha1.Pin {
	i := slices.IndexFunc(c.Status.Pins, func(p v1alpha1.Pin) bool { return p.State == state })
	if i < 0 {
		return v1alpha1.Pin{}
	}
	return c.Status.Pins[i]
}

func states(c *v1alpha1.ClientCertificate) string {
	var all []string
	for _, p := range c.Status.Pins {
		all = append(all, fmt.Sprintf("%s/%d", p.State, p.Revision))
	}
	return strings.Join(all, " ")
}

// requests lists the CertificateRequests of the namespace.
func (w world) requests() []certmanagerv1.CertificateRequest {
	w.Helper()
	var list certmanagerv1.CertificateRequestList
	if err := w.env.Client.List(w.Context(), &list, client.InNamespace(w.namespace)); err != nil {
		w.Fatal(err)
	}
	return list.Items
}

// renew has cert-manager renew a Certificate, as cmctl renew does.
func (w world) renew(name string) {
	w.Helper()
	c := &certmanagerv1.Certificate{ObjectMeta: w.meta(name)}
	testenv.Eventually(w.T, func(ctx context.Context) error {
		if err := w.env.Client.Get(ctx, client.ObjectKeyFromObject(c), c); err != nil {
			return err
		}
		now := metav1.Now()
		c.Status.Conditions = append(slices.DeleteFunc(c.Status.Conditions, func(x certmanagerv1.CertificateCondition) bool {
			return x.Type == certmanagerv1.CertificateConditionIssuing
		}), certmanagerv1.CertificateCondition{
			Type: certmanagerv1.CertificateConditionIssuing, Status: cmmeta.ConditionTrue, Reason: "ManuallyTriggered",
			Message: "renewed by hand", LastTransitionTime: &now, ObservedGeneration: c.Generation,
		})
		return w.env.Client.Status().Update(ctx, c)
	})
}

// certificatePEM makes a self-signed certificate as changed by how, as a user would
// with openssl.
func certificatePEM(t *testing.T, how func(*x509.Certificate)) string {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return signedPEM(t, key, &key.PublicKey, how)
}

func signedPEM(t *testing.T, signer, public any, how func(*x509.Certificate)) string {
	t.Helper()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: "checkout"},
		NotBefore: time.Now().Add(-time.Minute), NotAfter: time.Now().Add(time.Hour),
		BasicConstraintsValid: true, IsCA: true, // as openssl req -x509 does
	}
	if how != nil {
		how(template)
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, public, signer)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
}
