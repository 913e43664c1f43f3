package caroots_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"log/slog"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	corev1ac "k8s.io/client-go/applyconfigurations/core/v1"
	"k8s.io/client-go/rest"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/lanyard-dev/lanyard/api/v1alpha1"
	"github.com/lanyard-dev/lanyard/controllers/caroots"
	"github.com/lanyard-dev/lanyard/test/testenv"
)

const own = "lanyard-system"

var (
	env    *testenv.Environment
	groups = []string{"system:serviceaccounts", "system:serviceaccounts:" + own, "system:authenticated"}
)

// ControllerManager, because namespaces are deleted.
func TestMain(m *testing.M) { testenv.Main(m, &env, testenv.Options{ControllerManager: true}) }

// world is the controller with the permissions of config/rbac, and a file with roots.
type world struct {
	*testing.T

	file  string        // current roots are in it
	used  string        // and in it: the root of the certificate that the issuer shows
	clock *atomic.Int64 // seconds ahead
}

func newWorld(t *testing.T, roots ...string) world {
	t.Helper()
	w := prepared(t, roots...)
	w.run(controller(t))
	return w
}

// prepared is a world in which the controller does not run yet.
func prepared(t *testing.T, roots ...string) world {
	t.Helper()
	env.Kubectl(t, "apply", "-f", "config/default/namespace.yaml")
	env.Kubectl(t, "apply", "-k", "config/rbac")
	dir := t.TempDir()
	w := world{T: t, file: filepath.Join(dir, "ca.crt"), used: filepath.Join(dir, "issuer-ca.crt"), clock: &atomic.Int64{}}
	if len(roots) > 0 {
		w.write(roots...)
	}
	forget(t)
	return w
}

// controller is who the controller is.
func controller(t *testing.T) *rest.Config {
	t.Helper()
	return env.As(t, "system:serviceaccount:"+own+":lanyard-controller", groups...)
}

func (w world) run(user *rest.Config) {
	w.Helper()
	env.Manager(w.T, user, func(mgr ctrl.Manager) error {
		return caroots.SetupWithManager(mgr, caroots.Config{
			Namespace: own, Bundle: []string{w.file, w.used}, LookEvery: 20 * time.Millisecond, Log: slog.New(slog.DiscardHandler),
			Now:     func() time.Time { return time.Now().Add(time.Duration(w.clock.Load()) * time.Second) },
			Metrics: prometheus.NewRegistry(),
		})
	})
}

// forget removes what the test before has left in Lanyard's own namespace.
func forget(t *testing.T) {
	t.Helper()
	err := env.Client.Delete(t.Context(), &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: own, Name: v1alpha1.ConfigMapCA}})
	if client.IgnoreNotFound(err) != nil {
		t.Fatal(err)
	}
}

// write puts roots into the file as the kubelet does: another file in its place.
func (w world) write(roots ...string) {
	w.Helper()
	w.writeTo(w.file, roots...)
}

func (w world) writeTo(file string, roots ...string) {
	w.Helper()
	if err := os.WriteFile(file+".new", []byte(strings.Join(roots, "")), 0o600); err != nil {
		w.Fatal(err)
	}
	if err := os.Rename(file+".new", file); err != nil {
		w.Fatal(err)
	}
}

// newRoot makes a root that was valid from so many hours ago, and is so long.
func newRoot(t *testing.T, name string, age, life time.Duration) string {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	from := time.Now().Add(-age)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: from, NotAfter: from.Add(life),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
}

func (w world) client(namespace, name string) *v1alpha1.OAuthClient {
	w.Helper()
	c := &v1alpha1.OAuthClient{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}}
	c.Spec.Authentication.ServiceAccounts = []v1alpha1.ServiceAccountCredential{{Name: name}}
	if err := env.Client.Create(w.Context(), c); err != nil {
		w.Fatal(err)
	}
	w.Cleanup(func() { _ = env.Client.Delete(context.Background(), c) })
	return c
}

func get(ctx context.Context, namespace string) (*corev1.ConfigMap, error) {
	held := &corev1.ConfigMap{}
	return held, env.Client.Get(ctx, client.ObjectKey{Namespace: namespace, Name: v1alpha1.ConfigMapCA}, held)
}

// holds waits until the ConfigMap of a namespace holds these roots, and no others.
func (w world) holds(namespace string, roots ...string) *corev1.ConfigMap {
	w.Helper()
	var held *corev1.ConfigMap
	testenv.Eventually(w.T, func(ctx context.Context) (err error) {
		if held, err = get(ctx, namespace); err != nil {
			return err
		}
		text := held.Data[v1alpha1.KeyCA]
		for _, root := range roots {
			if !strings.Contains(text, root) {
				return fmt.Errorf("a root is missing in %s", namespace)
			}
		}
		if len(text) != len(strings.Join(roots, "")) {
			return fmt.Errorf("it holds other roots too, in %s", namespace)
		}
		return nil
	})
	return held
}

func (w world) gone(namespace string) {
	w.Helper()
	testenv.Eventually(w.T, func(ctx context.Context) error {
		if _, err := get(ctx, namespace); !apierrors.IsNotFound(err) {
			return fmt.Errorf("it is still there: %w", errors.Join(errors.New("not gone"), err))
		}
		return nil
	})
}

func TestEachNamespaceWithAClientHasTheRoots(t *testing.T) {
	first, second := newRoot(t, "first", 2*time.Hour, 24*time.Hour), newRoot(t, "second", time.Hour, 48*time.Hour)
	w := newWorld(t, first)
	shop, other := env.Namespace(t, nil, nil).Name, env.Namespace(t, nil, nil).Name
	checkout := w.client(shop, "checkout")
	written := w.holds(shop, first)
	w.holds(own, first)
	// Nothing is written a second time, whatever happens around it.
	w.client(shop, "cart")
	w.client(other, "cart")
	w.holds(other, first)
	if now, err := get(t.Context(), shop); err != nil || now.ResourceVersion != written.ResourceVersion {
		t.Errorf("it was written again, or is gone: %v", err)
	}

	// The CA is replaced: the old root stays.
	w.write(second)
	for _, ns := range []string{own, shop, other} {
		w.holds(ns, second, first)
	}
	// It was changed and deleted by somebody.
	env.Kubectl(t, "-n", shop, "patch", "configmap", "lanyard-ca", "--type=merge", "-p", `{"data":{"ca.crt":"-----BEGIN CERTIFICATE-----"}}`)
	w.holds(shop, second, first)
	env.Kubectl(t, "-n", shop, "delete", "configmap", "lanyard-ca")
	w.holds(shop, second, first)
	env.Kubectl(t, "-n", shop, "patch", "configmap", "lanyard-ca", "--type=merge", "-p", `{"data":{"ca.crt":""},"immutable":true}`)
	w.holds(shop, second, first)
	env.Kubectl(t, "-n", shop, "patch", "configmap", "lanyard-ca", "--type=merge", "-p", `{"data":null,"binaryData":{"ca.crt":"AAAA"}}`)
	w.holds(shop, second, first)

	// A file that cannot be read changes nothing.
	w.write("nothing")
	w.client(env.Namespace(t, nil, nil).Name, "cart")
	w.holds(shop, second, first)
	// The last client goes, and the ConfigMap with it; in others it stays.
	env.Kubectl(t, "-n", shop, "delete", "oauthclient", "cart")
	w.holds(shop, second, first)
	env.Kubectl(t, "-n", shop, "delete", "oauthclient", checkout.Name)
	w.gone(shop)
	w.holds(other, second, first)

	// Somebody takes an old root out of the memory: everybody trusts it no longer.
	w.write(second)
	env.Kubectl(t, "-n", own, "patch", "configmap", "lanyard-ca", "--type=merge", "-p", `{"data":{"ca.crt":""}}`)
	w.holds(other, second)
	w.holds(own, second)
}

// cert-manager may replace the CA between the making of the issuer's certificate and the controller's
// first look: what the issuer shows is trusted all the same.
func TestTheRootOfTheCertificateInUseIsCurrentToo(t *testing.T) {
	used, current, next := newRoot(t, "used", 3*time.Hour, 24*time.Hour), newRoot(t, "current", 2*time.Hour, 24*time.Hour), newRoot(t, "next", time.Hour, 24*time.Hour)
	w := prepared(t, current)
	w.writeTo(w.used, used)
	w.run(controller(t))
	ns := env.Namespace(t, nil, nil).Name
	w.client(ns, "checkout")
	w.holds(ns, current, used)
	// Lanyard is told to forget what is not in use.
	w.write(next)
	w.holds(ns, next, current, used)
	env.Kubectl(t, "-n", own, "delete", "configmap", "lanyard-ca")
	w.holds(ns, next, used)
	// One of the two cannot be read: what was read last stays.
	w.writeTo(w.used, "nothing")
	env.Kubectl(t, "-n", own, "delete", "configmap", "lanyard-ca")
	w.holds(ns, next, used)
}

func TestANamespaceWithAnAPIHasTheRootsToo(t *testing.T) {
	root := newRoot(t, "root", time.Hour, 24*time.Hour)
	w := newWorld(t, root)
	ns := env.Namespace(t, nil, nil).Name
	orders := &v1alpha1.ProtectedResource{
		ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: "orders"},
		Spec:       v1alpha1.ProtectedResourceSpec{Identifier: "api://" + ns},
	}
	if err := env.Client.Create(t.Context(), orders); err != nil {
		t.Fatal(err)
	}
	w.holds(ns, root)
	if err := env.Client.Delete(t.Context(), orders); err != nil {
		t.Fatal(err)
	}
	w.gone(ns)
}

func TestAnExpiredRootIsDropped(t *testing.T) {
	old, current := newRoot(t, "old", 23*time.Hour, 24*time.Hour), newRoot(t, "current", time.Hour, 48*time.Hour)
	w := newWorld(t, old)
	ns := env.Namespace(t, nil, nil).Name
	w.client(ns, "checkout")
	w.holds(ns, old)
	w.write(current)
	w.holds(ns, old, current)
	w.clock.Store(3601)
	// What a timer of an hour would do.
	env.Kubectl(t, "-n", own, "label", "configmap", "lanyard-ca", "touched=yes")
	w.holds(ns, current)
	w.holds(own, current)
}

func TestTheRootsComeWhenTheFileDoes(t *testing.T) {
	w := newWorld(t)
	ns := env.Namespace(t, nil, nil).Name
	w.client(ns, "checkout")
	root := newRoot(t, "root", time.Hour, 24*time.Hour)
	w.write(root)
	w.holds(ns, root)
}

// theirs makes a ConfigMap of somebody else where ours should be, and waits until it was told.
func (w world) theirs(ns string) *corev1.ConfigMap {
	w.Helper()
	theirs := &corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: v1alpha1.ConfigMapCA},
		Data:       map[string]string{v1alpha1.KeyCA: "theirs", "more": "of it"},
	}
	if err := env.Client.Create(w.Context(), theirs); err != nil {
		w.Fatal(err)
	}
	w.client(ns, "checkout")
	testenv.Eventually(w.T, func(ctx context.Context) error {
		var list eventsv1.EventList
		if err := env.Client.List(ctx, &list, client.InNamespace(ns)); err != nil {
			return err
		}
		for _, e := range list.Items {
			if e.Reason == caroots.EventNotOurs && e.Type == corev1.EventTypeWarning && e.Regarding.Name == v1alpha1.ConfigMapCA {
				return nil
			}
		}
		return fmt.Errorf("no event %s among %d", caroots.EventNotOurs, len(list.Items))
	})
	return theirs
}

func TestRefusesToTakeOverAConfigMapOfSomebodyElse(t *testing.T) {
	root := newRoot(t, "root", time.Hour, 24*time.Hour)
	w := newWorld(t, root)
	ns := env.Namespace(t, nil, nil).Name
	theirs := w.theirs(ns)
	env.Kubectl(t, "-n", ns, "delete", "oauthclient", "checkout")
	w.client(ns, "again")
	other := env.Namespace(t, nil, nil).Name
	w.client(other, "checkout") // comes after
	w.holds(other, root)
	now, err := get(t.Context(), ns)
	if err != nil || now.ResourceVersion != theirs.ResourceVersion {
		t.Errorf("it was touched: %v", err)
	}
	// They give way.
	env.Kubectl(t, "-n", ns, "delete", "configmap", "lanyard-ca")
	w.holds(ns, root)
}

func TestANamespaceWithTheConfigMapCanBeDeleted(t *testing.T) {
	root := newRoot(t, "root", time.Hour, 24*time.Hour)
	w := newWorld(t, root)
	ns := env.Namespace(t, nil, nil).Name
	w.client(ns, "checkout")
	w.holds(ns, root)
	env.Kubectl(t, "delete", "namespace", ns, "--timeout=2m")
}

func TestWithoutAFileItSaysSoAndGoesOn(t *testing.T) {
	var log bytes.Buffer
	if err := caroots.SetupWithManager(nil, caroots.Config{Log: slog.New(slog.NewTextHandler(&log, nil))}); err != nil {
		t.Errorf("without a file: %v", err)
	}
	if !strings.Contains(log.String(), "--ca-bundle") {
		t.Errorf("it does not say what is missing: %s", log.String())
	}
}

// What a thief of the controller's token could not do.
func TestRefusesOtherConfigMapsToTheController(t *testing.T) {
	newWorld(t)
	ns := env.Namespace(t, nil, nil).Name
	mine := env.ClientOf(t, env.As(t, "system:serviceaccount:"+own+":lanyard-controller", groups...))
	object := func(name string) *corev1.ConfigMap {
		return &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: name}}
	}
	if err := env.Client.Create(t.Context(), object("theirs")); err != nil {
		t.Fatal(err)
	}
	for doing, err := range map[string]error{
		"read one":                mine.Get(t.Context(), client.ObjectKeyFromObject(object("theirs")), object("theirs")),
		"list them":               mine.List(t.Context(), &corev1.ConfigMapList{}),
		"list them in one":        mine.List(t.Context(), &corev1.ConfigMapList{}, client.InNamespace(ns)),
		"create one":              mine.Create(t.Context(), object("another")),
		"create one by an apply":  mine.Apply(t.Context(), corev1ac.ConfigMap("another", ns), client.FieldOwner("x")),
		"change one":              mine.Apply(t.Context(), corev1ac.ConfigMap("theirs", ns).WithData(map[string]string{"a": "b"}), client.FieldOwner("x")),
		"delete one":              mine.Delete(t.Context(), object("theirs")),
		"create ours by its name": mine.Create(t.Context(), object(v1alpha1.ConfigMapCA)), // a POST has no name
	} {
		if !apierrors.IsForbidden(err) {
			t.Errorf("the controller may %s: err = %v; want forbidden", doing, err)
		}
	}
}
