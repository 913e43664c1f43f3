package webhook

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/lanyard-dev/lanyard/api/v1alpha1"
	"github.com/lanyard-dev/lanyard/test/testenv"
)

// down ends the controller until the test does.
func down(t *testing.T) {
	t.Helper()
	env.Controller.Kill()
	t.Cleanup(func() {
		if err := env.Controller.Start(context.Background()); err != nil { // t.Context() has ended
			t.Error(err)
		}
	})
}

// five makes one object of each kind, by what its create is refused for while nobody
// answers.
func five(namespace, name string) map[string][]client.Object {
	c := oauthClient(namespace, name)
	return map[string][]client.Object{
		"declarations.lanyard.dev": {c, resource(namespace, name, "api://"+namespace), role(namespace, name, "orders", "Read-"+name), issued(namespace, name, testenv.WorkloadCA)},
		"who-decided.lanyard.dev":  {assignment(namespace, name, name, c)},
	}
}

func TestRefusesToDeclareWhileNoWebhookAnswers(t *testing.T) {
	alice := newPerson(t, "alice")
	ns := env.Namespace(t, nil, nil)
	for _, objects := range five(ns.Name, "before") {
		testenv.Create(t, alice, objects...)
	}
	down(t)
	for webhook, objects := range five(ns.Name, "after") {
		for _, o := range objects {
			err := alice.Create(t.Context(), o)
			if !apierrors.IsInternalError(err) || !strings.Contains(err.Error(), `failed calling webhook "`+webhook+`"`) {
				t.Errorf("%T: err = %v; want it to name %s, which cannot be called", o, err, webhook)
			}
		}
	}
	err := alice.Patch(t.Context(), assignment(ns.Name, "before", "before", oauthClient(ns.Name, "before")), merge(`{"spec":{"reason":"x"}}`))
	if err == nil || !strings.Contains(err.Error(), `failed calling webhook "who-decided.lanyard.dev"`) {
		t.Errorf("another reason: err = %v; want it to name who-decided.lanyard.dev", err)
	}
	stillWorks(t, alice, ns.Name)

	// A namespace with everything in it ends.
	begun := time.Now()
	check(t, env.Client.Delete(t.Context(), ns))
	testenv.Eventually(t, func(ctx context.Context) error {
		if err := env.Client.Get(ctx, client.ObjectKeyFromObject(ns), ns); !apierrors.IsNotFound(err) {
			return errors.Join(fmt.Errorf("it is still there: %v", ns.Status.Conditions), err)
		}
		return nil
	})
	t.Logf("the namespace took %s to end", time.Since(begun)) // 5 s of it are Kubernetes' own wait
}

// stillWorks changes and deletes the objects "before" in every way that waits for no
// webhook, or for none longer than a second.
func stillWorks(t *testing.T, alice *person, namespace string) {
	t.Helper()
	const patience = 4 * time.Second // a write that waited for one that must answer takes 5, and fails
	within := func(what string, does func() error) {
		t.Helper()
		begun := time.Now()
		if err := does(); err != nil {
			t.Errorf("%s: %v", what, err)
		}
		if took := time.Since(begun); took > patience {
			t.Errorf("%s took %s; want at most %s", what, took, patience)
		}
	}
	for i := range 3 {
		within("a ConfigMap", func() error {
			return env.Client.Create(t.Context(), &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: fmt.Sprint("free-", i)}})
		})
		within("a namespace", func() error {
			return env.Client.Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "free-"}}, client.DryRunAll)
		})
	}
	kinds := five(namespace, "before")
	objects := slices.Concat(kinds["declarations.lanyard.dev"], kinds["who-decided.lanyard.dev"])
	for _, o := range objects {
		within(fmt.Sprintf("labelling a %T", o), func() error {
			return alice.Patch(t.Context(), o.DeepCopyObject().(client.Object), merge(`{"metadata":{"labels":{"a":"b"},"annotations":{"a":"b"},"finalizers":["example.com/x"]}}`))
		})
		within(fmt.Sprintf("taking a finalizer off a %T", o), func() error {
			return alice.Patch(t.Context(), o.DeepCopyObject().(client.Object), merge(`{"metadata":{"finalizers":null}}`))
		})
	}
	meta := metav1.ObjectMeta{Namespace: namespace, Name: "before"}
	for what, does := range map[string]func() error{
		"suspending a client": func() error {
			return alice.Patch(t.Context(), &v1alpha1.OAuthClient{ObjectMeta: meta}, merge(`{"spec":{"suspend":true}}`))
		},
		"suspending a resource": func() error {
			return alice.Patch(t.Context(), &v1alpha1.ProtectedResource{ObjectMeta: meta}, merge(`{"spec":{"suspend":true}}`))
		},
		"suspending a namespace": func() error {
			return env.Client.Patch(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace}}, merge(`{"metadata":{"annotations":{"lanyard.dev/suspend":"true"}}}`))
		},
		"distrusting a certificate": func() error {
			return alice.Patch(t.Context(), &v1alpha1.ClientCertificate{ObjectMeta: meta}, merge(`{"spec":{"distrust":["%s"]}}`, strings.Repeat("a", 43)))
		},
	} {
		within(what, does)
	}
	for _, o := range objects {
		within(fmt.Sprintf("deleting a %T", o), func() error { return alice.Delete(t.Context(), o.DeepCopyObject().(client.Object)) })
	}
}

// A webhook that takes connections and says nothing costs what config/webhook lets it
// cost, and nothing else waits for it.
func TestRefusesToWaitForASlowWebhook(t *testing.T) {
	alice := newPerson(t, "alice")
	ns := env.Namespace(t, nil, nil)
	for _, objects := range five(ns.Name, "before") {
		testenv.Create(t, alice, objects...)
	}
	configuration := &admissionregistrationv1.ValidatingWebhookConfiguration{ObjectMeta: metav1.ObjectMeta{Name: "lanyard"}}
	address, err := url.Parse(*get(t, configuration).Webhooks[0].ClientConfig.URL)
	check(t, err)
	down(t)
	listener, err := net.Listen("tcp", address.Host) // the kernel takes connections, and nobody reads them
	check(t, err)
	defer listener.Close()

	var waits sync.WaitGroup
	for webhook, objects := range five(ns.Name, "after") {
		waits.Go(func() {
			begun := time.Now()
			err := alice.Create(t.Context(), objects[0])
			if err == nil || !strings.Contains(err.Error(), `failed calling webhook "`+webhook+`"`) {
				t.Errorf("%T: err = %v; want it to name %s", objects[0], err, webhook)
			}
			if took := time.Since(begun); took < 4*time.Second || took > 20*time.Second {
				t.Errorf("%s was waited for for %s; want 5 s", webhook, took)
			}
		})
	}
	waits.Wait()
	stillWorks(t, alice, ns.Name)
}
