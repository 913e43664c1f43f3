package webhook

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	certmanagerv1 "github.com/cert-manager/cert-manager/pkg/apis/certmanager/v1"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/lanyard-dev/lanyard/hack/cluster"
	"github.com/lanyard-dev/lanyard/test/testenv"
)

// The certificate is cert-manager's, and so is its CA in the webhook configurations. It is
// renewed while leader and standby run; the API server speaks to the standby.
func TestReplicasServeARenewedCertificateWithoutARestart(t *testing.T) {
	t.Parallel() // with the other test that waits most of the time, and needs no webhook of the cluster
	alice := newPerson(t, "alice")
	down(t)
	restored(t)
	env.Kubectl(t, "apply", "-f", "config/manager/issuer-certificate.yaml", "-f", "config/webhook/certificate.yaml")
	env.Kubectl(t, "patch", "certificate", "lanyard-webhook", "-n", "lanyard-system", "--type=merge", "-p", `{"spec":{"ipAddresses":["127.0.0.1"]}}`) // there are no Services here
	env.Issued(t, "lanyard-system", "lanyard-webhook")
	first := serving(t, nil)
	leader := startReplica(t, testenv.ControllerUser, testenv.ControllerGroups(), first)
	testenv.Eventually(t, leader.ready)
	leads(t)
	standby := startReplica(t, testenv.ControllerUser, testenv.ControllerGroups(), first)
	testenv.Eventually(t, standby.ready)
	check(t, cluster.InstallAdmission(t.Context(), env.Config, env.Root, "https://"+standby.webhooks, nil))
	check(t, cluster.WaitForWebhooks(t.Context(), env.Config))
	ns := env.Namespace(t, nil, nil).Name
	testenv.Create(t, alice, oauthClient(ns, "before"))

	certificate := &certmanagerv1.Certificate{ObjectMeta: metav1.ObjectMeta{Namespace: "lanyard-system", Name: "lanyard-webhook"}}
	env.Issued(t, certificate.Namespace, certificate.Name)
	testenv.Eventually(t, func(ctx context.Context) error { // cert-manager writes there, too
		if err := env.Client.Get(ctx, client.ObjectKeyFromObject(certificate), certificate); err != nil {
			return err
		}
		certificate.Status.Conditions = append(slices.DeleteFunc(certificate.Status.Conditions, func(c certmanagerv1.CertificateCondition) bool {
			return c.Type == certmanagerv1.CertificateConditionIssuing
		}), certmanagerv1.CertificateCondition{Type: certmanagerv1.CertificateConditionIssuing, Status: "True", Reason: "ManuallyTriggered"})
		return env.Client.Status().Update(ctx, certificate)
	})
	second := serving(t, first["tls.crt"])
	for name, r := range map[string]*replica{"the leader": leader, "the standby": standby} {
		r.mounts(t, second)
		testenv.Eventually(t, func(ctx context.Context) error { return showsThat(ctx, r, second["tls.crt"], name) })
		check(t, r.ready(t.Context()))
	}
	testenv.Create(t, alice, oauthClient(ns, "after"))

	// An expired certificate is no use, whoever leads.
	standby.mounts(t, expired(t))
	testenv.Eventually(t, func(ctx context.Context) error {
		if err := standby.ready(ctx); err == nil || !strings.Contains(err.Error(), "webhooks") {
			return fmt.Errorf("the standby's /readyz says %w; want that the webhooks are not ready", err)
		}
		return nil
	})
	check(t, leader.ready(t.Context()))
	standby.mounts(t, second)
	testenv.Eventually(t, standby.ready)
}

// serving waits for a certificate that is not before, and returns its files.
func serving(t *testing.T, before []byte) map[string][]byte {
	t.Helper()
	secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: "lanyard-system", Name: "lanyard-webhook-tls"}}
	testenv.Eventually(t, func(ctx context.Context) error {
		if err := env.Client.Get(ctx, client.ObjectKeyFromObject(secret), secret); err != nil {
			return err
		}
		c, err := parse(secret.Data["tls.crt"])
		if err == nil && (bytes.Equal(secret.Data["tls.crt"], before) || len(c.IPAddresses) == 0) {
			err = errors.New("still the certificate before")
		}
		return err
	})
	return secret.Data
}

func parse(data []byte) (*x509.Certificate, error) {
	block, _ := pem.Decode(data)
	if block == nil {
		return nil, errors.New("no certificate")
	}
	return x509.ParseCertificate(block.Bytes)
}

func showsThat(ctx context.Context, r *replica, want []byte, name string) error {
	c, err := parse(want)
	if err != nil {
		return err
	}
	shown, err := r.shows(ctx)
	if err == nil && !shown.Equal(c) {
		err = fmt.Errorf("%s shows the certificate with serial %s; want %s", name, shown.SerialNumber, c.SerialNumber)
	}
	return err
}

// leads waits until somebody leads.
func leads(t *testing.T) {
	t.Helper()
	lease := &coordinationv1.Lease{}
	testenv.Eventually(t, func(ctx context.Context) error {
		if err := env.Client.Get(ctx, client.ObjectKey{Namespace: "lanyard-system", Name: "lanyard-controller"}, lease); err != nil {
			return err
		}
		if h := lease.Spec.HolderIdentity; h == nil || *h == "" {
			return errors.New("nobody leads")
		}
		return nil
	})
}

// expired is a certificate that has ended, with its key.
func expired(t *testing.T) map[string][]byte {
	t.Helper()
	return lasting(t, -time.Minute)
}

// lasting is a certificate that ends in a while, with its key.
func lasting(t *testing.T, while time.Duration) map[string][]byte {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	check(t, err)
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(while)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	check(t, err)
	private, err := x509.MarshalPKCS8PrivateKey(key)
	check(t, err)
	return map[string][]byte{
		"tls.crt": pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}),
		"tls.key": pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private}),
	}
}

// restored points the webhooks at the environment's controller again, after the test.
func restored(t *testing.T) {
	t.Helper()
	meta := metav1.ObjectMeta{Name: "lanyard"}
	m := get(t, &admissionregistrationv1.MutatingWebhookConfiguration{ObjectMeta: meta}).DeepCopy()
	v := get(t, &admissionregistrationv1.ValidatingWebhookConfiguration{ObjectMeta: meta}).DeepCopy()
	t.Cleanup(func() {
		ctx := context.Background() // t.Context() has ended
		for o, webhooks := range map[client.Object]any{m: m.Webhooks, v: v.Webhooks} {
			patch, err := json.Marshal(map[string]any{"webhooks": webhooks, "metadata": map[string]any{"annotations": map[string]any{"cert-manager.io/inject-ca-from": nil}}})
			err = errors.Join(err, env.Client.Patch(ctx, o, client.RawPatch(types.MergePatchType, patch)))
			if err != nil {
				t.Error(err)
			}
		}
		if err := errors.Join(env.Controller.Start(ctx), cluster.WaitForWebhooks(ctx, env.Config)); err != nil {
			t.Error(err)
		}
	})
}

// A replica that does not know the cluster yet must not say that a name is free.
func TestRefusesToAnswerBeforeTheCachesAreFilled(t *testing.T) {
	t.Parallel()
	const user = "just-started"
	grant := func(groups, resources []string) {
		role := &rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{GenerateName: user + "-"}, Rules: []rbacv1.PolicyRule{{APIGroups: groups, Resources: resources, Verbs: []string{"get", "list", "watch"}}}}
		testenv.Create(t, env.Client, role)
		testenv.Create(t, env.Client, &rbacv1.ClusterRoleBinding{
			ObjectMeta: metav1.ObjectMeta{GenerateName: user + "-"},
			RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: role.Name},
			Subjects:   []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: user}},
		})
	}
	// Everything but namespaces, and nothing that a leader needs.
	grant([]string{"lanyard.dev", "cert-manager.io"}, []string{"*"})
	valid := expired(t)
	r := startReplica(t, user, nil, valid)
	testenv.Eventually(t, func(ctx context.Context) error { _, err := r.shows(ctx); return err })
	ns := env.Namespace(t, nil, nil).Name
	c := oauthClient(ns, "x")

	const soon, tries = 10 * time.Second, 4 // 4 s, and what a busy machine adds
	best := time.Hour
	for try := 0; try < tries && best > soon; try++ {
		begun := time.Now()
		got := r.review(t.Context(), t, "/judge/declarations", c)
		best = min(best, time.Since(begun))
		if got.Allowed || got.Result.Code != http.StatusServiceUnavailable || !strings.Contains(got.Result.Message, "has just started and does not know the cluster yet; try again in a moment") {
			t.Fatalf("it says %+v of a client; want 503, and to try again", got)
		}
	}
	if best > soon {
		t.Errorf("it took %s to say so, and the API server waits for 5 s", best)
	}
	if got := r.review(t.Context(), t, "/warn", c); !got.Allowed {
		t.Errorf("the warnings refuse: %+v", got)
	}
	if err := r.ready(t.Context()); err == nil || !strings.Contains(err.Error(), "caches") {
		t.Errorf("/readyz says %v; want that the caches are not filled", err)
	}

	grant([]string{""}, []string{"namespaces"})
	testenv.EventuallyWithin(t, 90*time.Second, func(ctx context.Context) error { // it asks again less and less often
		if got := r.review(ctx, t, "/judge/declarations", c); !got.Allowed {
			return fmt.Errorf("it still says %+v", got)
		}
		return nil
	})
}
