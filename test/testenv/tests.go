package testenv

import (
	"context"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/config"
	"sigs.k8s.io/controller-runtime/pkg/envtest"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"
)

const (
	pollInterval = 20 * time.Millisecond
	// patience is how long Eventually waits: far longer than anything should take,
	// because the machine may be busy.
	patience = time.Minute
)

// Namespace makes a namespace of its own for the test.
func (e *Environment) Namespace(t *testing.T, labels, annotations map[string]string) *corev1.Namespace {
	t.Helper()
	ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "test-", Labels: labels, Annotations: annotations}}
	if err := e.Client.Create(t.Context(), ns); err != nil {
		t.Fatal(err)
	}
	return ns
}

// As returns the configuration of a user whom nothing but RBAC holds back.
func (e *Environment) As(t *testing.T, user string, groups ...string) *rest.Config {
	t.Helper()
	u, err := e.envtest.AddUser(envtest.User{Name: user, Groups: groups}, nil)
	if err != nil {
		t.Fatal(err)
	}
	c := u.Config()
	c.QPS = -1
	return c
}

// Kubeconfig writes a kubeconfig for such a user, and returns its path.
func (e *Environment) Kubeconfig(t *testing.T, user string, groups ...string) string {
	t.Helper()
	path, err := e.kubeconfig(user, groups...)
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// Kubectl runs kubectl as the administrator in the checkout's folder, and returns
// what it prints.
func (e *Environment) Kubectl(t *testing.T, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), e.assets.Path("kubectl"), append([]string{"--kubeconfig", e.Kubeconfig(t, "admin", "system:masters")}, args...)...)
	cmd.Dir = e.Root
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("kubectl %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return string(out)
}

// KubectlPath is where kubectl is, for tests of what runs it or is run by it.
func (e *Environment) KubectlPath() string { return e.assets.Path("kubectl") }

// ClientOf returns a client that acts as config says.
func (e *Environment) ClientOf(t *testing.T, config *rest.Config) client.Client {
	t.Helper()
	c, err := client.New(config, client.Options{Scheme: e.Scheme})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// Create creates objects one after the other, as c's user.
func Create(t *testing.T, c client.Client, objects ...client.Object) {
	t.Helper()
	for _, o := range objects {
		if err := c.Create(t.Context(), o); err != nil {
			t.Fatalf("creating %T %s/%s: %v", o, o.GetNamespace(), o.GetName(), err)
		}
	}
}

// Warnings collects what the API server warns of. It is the WarningHandlerWithContext of the
// configuration that a client is made of.
type Warnings struct {
	mu   sync.Mutex
	text []string
}

// HandleWarningHeaderWithContext implements [rest.WarningHandlerWithContext].
func (w *Warnings) HandleWarningHeaderWithContext(_ context.Context, code int, _, text string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if code == 299 { // the one that Kubernetes uses
		w.text = append(w.text, text)
	}
}

// Take returns what was collected since it was last called.
func (w *Warnings) Take() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	text := w.text
	w.text = nil
	return text
}

// Manager runs a manager, as config's user, until the test ends. setup adds the
// controllers. It sees the given namespaces only (none given: all), so that tests
// with clocks of their own do not meet.
func (e *Environment) Manager(t *testing.T, user *rest.Config, setup func(ctrl.Manager) error, namespaces ...string) {
	t.Helper()
	options := ctrl.Options{
		Scheme:     e.Scheme,
		Metrics:    metricsserver.Options{BindAddress: "0"},
		Controller: config.Controller{SkipNameValidation: new(true)}, // several managers in one process
	}
	for _, ns := range namespaces {
		if options.Cache.DefaultNamespaces == nil {
			options.Cache.DefaultNamespaces = map[string]cache.Config{}
		}
		options.Cache.DefaultNamespaces[ns] = cache.Config{}
	}
	manager, err := ctrl.NewManager(user, options)
	if err != nil {
		t.Fatal(err)
	}
	if err := setup(manager); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background()) // until the cleanup, which comes after t.Context()
	ended := make(chan error, 1)
	go func() { ended <- manager.Start(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("the manager ended: %v", err)
		}
	})
	if !manager.GetCache().WaitForCacheSync(t.Context()) {
		t.Fatal("the manager's caches did not fill")
	}
}

// Eventually calls condition until it returns nil, and fails the test with its last
// error if that takes too long.
func Eventually(t *testing.T, condition func(ctx context.Context) error) {
	t.Helper()
	EventuallyWithin(t, patience, condition)
}

// EventuallyWithin is Eventually with another patience, for what is long in itself.
func EventuallyWithin(t *testing.T, patience time.Duration, condition func(ctx context.Context) error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	tick := time.NewTicker(pollInterval)
	defer tick.Stop()
	var last error
	for {
		err := condition(ctx)
		if err == nil {
			return
		}
		if last == nil || ctx.Err() == nil { // that time is up says nothing
			last = err
		}
		select {
		case <-ctx.Done():
			t.Fatalf("still not so after %s: %v", patience, last)
		case <-tick.C:
		}
	}
}
