package pod_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/lanyard-dev/lanyard/api/v1alpha1"
	"github.com/lanyard-dev/lanyard/controllers/index"
	"github.com/lanyard-dev/lanyard/controllers/pod"
	"github.com/lanyard-dev/lanyard/test/testenv"
)

var env *testenv.Environment

func TestMain(m *testing.M) { testenv.Main(m, &env, testenv.Options{}) }

// run runs the controller with the permissions of config/rbac, whose clock is ahead of the
// pods' by what they are told after.
func run(t *testing.T) *prometheus.Registry {
	t.Helper()
	env.Kubectl(t, "apply", "-f", "config/default/namespace.yaml")
	env.Kubectl(t, "apply", "-k", "config/rbac")
	registry := prometheus.NewRegistry()
	user := env.As(t, "system:serviceaccount:lanyard-system:lanyard-controller", "system:serviceaccounts", "system:serviceaccounts:lanyard-system", "system:authenticated")
	env.Manager(t, user, func(mgr ctrl.Manager) error {
		return errors.Join(
			mgr.GetFieldIndexer().IndexField(t.Context(), &v1alpha1.ClientCertificate{}, index.CertificateClient, func(o client.Object) []string {
				return []string{o.(*v1alpha1.ClientCertificate).Spec.ClientRef.Name}
			}),
			pod.SetupWithManager(mgr, pod.Config{Now: func() time.Time { return time.Now().Add(15 * time.Second) }, Metrics: registry}),
		)
	})
	return registry
}

// newPod makes a pod as it is after injection for client checkout, with that Secret.
func newPod(t *testing.T, namespace, name, secret string, change ...func(*corev1.Pod)) *corev1.Pod {
	t.Helper()
	always := corev1.ContainerRestartPolicyAlways
	p := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: namespace, Name: name,
			Labels:      map[string]string{v1alpha1.LabelInject: "true", v1alpha1.LabelAdmitted: "checkout"},
			Annotations: map[string]string{v1alpha1.AnnotationClient: "checkout"},
		},
		Spec: corev1.PodSpec{
			ServiceAccountName: "checkout",
			InitContainers: []corev1.Container{{
				Name: v1alpha1.SidecarContainer, Image: "lanyard", RestartPolicy: &always,
				Args: []string{"--client-id=" + namespace + "/checkout", "--assertion-file=/assertion/token"},
			}},
			Containers: []corev1.Container{{Name: "app", Image: "app"}},
			Volumes:    []corev1.Volume{{Name: v1alpha1.VolumeCertificate, VolumeSource: corev1.VolumeSource{Secret: &corev1.SecretVolumeSource{SecretName: secret}}}},
		},
	}
	for _, c := range change {
		c(p)
	}
	err := env.Client.Create(t.Context(), &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "checkout"}})
	if client.IgnoreAlreadyExists(err) != nil {
		t.Fatal(err)
	}
	create(t, p)
	return p
}

func create(t *testing.T, o client.Object) {
	t.Helper()
	if err := env.Client.Create(t.Context(), o); err != nil {
		t.Fatal(err)
	}
}

// eventsOf are the events on a pod of that name; "": on any of the namespace.
func eventsOf(ctx context.Context, namespace, name string) (notes []string, err error) {
	var list eventsv1.EventList
	err = env.Client.List(ctx, &list, client.InNamespace(namespace))
	for _, e := range list.Items {
		if e.Regarding.Kind == "Pod" && (name == "" || e.Regarding.Name == name) {
			notes = append(notes, fmt.Sprintf("%s %s: %s", e.Type, e.Reason, e.Note))
		}
	}
	return notes, err
}

// says waits for an event on a pod.
func says(t *testing.T, p *corev1.Pod, reason, part string) {
	t.Helper()
	testenv.Eventually(t, func(ctx context.Context) error {
		notes, err := eventsOf(ctx, p.Namespace, p.Name)
		for _, note := range notes {
			if strings.HasPrefix(note, "Warning "+reason) && strings.Contains(note, part) {
				return nil
			}
		}
		return errors.Join(fmt.Errorf("no event %s that says %q among %q", reason, part, notes), err)
	})
}

// counts waits until the metric says so many pods without a sidecar; -1: it names no such namespace.
func counts(t *testing.T, registry *prometheus.Registry, namespace string, want float64) {
	t.Helper()
	testenv.Eventually(t, func(context.Context) error {
		families, err := registry.Gather()
		got := -1.0
		for _, f := range families {
			for _, m := range f.Metric {
				if f.GetName() == "lanyard_pods_not_injected" && m.Label[0].GetValue() == namespace {
					got = m.Gauge.GetValue()
				}
			}
		}
		if got != want {
			return errors.Join(fmt.Errorf("lanyard_pods_not_injected of %s is %v; want %v", namespace, got, want), err)
		}
		return nil
	})
}

func TestAPodWithoutTheSidecarThatItAsksForIsFound(t *testing.T) {
	registry := run(t)
	ns := env.Namespace(t, nil, nil).Name
	unmarked := func(p *corev1.Pod) { delete(p.Labels, v1alpha1.LabelAdmitted) }
	missed := newPod(t, ns, "missed", "checkout-mtls", unmarked)
	later := newPod(t, ns, "later", "checkout-mtls", unmarked, func(p *corev1.Pod) { p.Labels = nil })
	newPod(t, ns, "plain", "checkout-mtls", func(p *corev1.Pod) { p.Labels = nil })
	says(t, missed, pod.EventNotInjected, "Delete it")
	counts(t, registry, ns, 1)
	env.Kubectl(t, "-n", ns, "label", "pod", later.Name, "lanyard.dev/inject=true")
	says(t, later, pod.EventNotInjected, "the label came later")
	counts(t, registry, ns, 2)
	env.Kubectl(t, "-n", ns, "label", "pod", later.Name, "lanyard.dev/inject-")
	counts(t, registry, ns, 1)
	// It is over.
	missed.Status.Phase = corev1.PodSucceeded
	if err := env.Client.Status().Update(t.Context(), missed); err != nil {
		t.Fatal(err)
	}
	counts(t, registry, ns, -1)
	if notes, err := eventsOf(t.Context(), ns, "plain"); err != nil || len(notes) > 0 {
		t.Errorf("a pod that asks for nothing has events: %q, %v", notes, err)
	}
}

func TestAPodIsToldWhatItWaitsForAndThatAGuessWasWrong(t *testing.T) {
	run(t)
	ns := env.Namespace(t, nil, nil).Name
	right, wrong := newPod(t, ns, "right", "elsewhere"), newPod(t, ns, "wrong", "checkout-mtls")
	for _, p := range []*corev1.Pod{right, wrong} {
		says(t, p, pod.EventWaitsForClient, "OAuthClient "+ns+"/checkout")
	}
	c := &v1alpha1.OAuthClient{ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: "checkout"}}
	c.Spec.Authentication.ServiceAccounts = []v1alpha1.ServiceAccountCredential{{Name: "checkout"}}
	create(t, c)
	for _, p := range []*corev1.Pod{right, wrong} { // both are to have been told before it comes
		says(t, p, pod.EventWaitsForCertificate, "has no ClientCertificate")
	}
	cc := &v1alpha1.ClientCertificate{ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: "checkout"}}
	cc.Spec.ClientRef.Name = "checkout"
	cc.Spec.Issuance = &v1alpha1.Issuance{IssuerRef: v1alpha1.IssuerReference{Name: "ca", Kind: "ClusterIssuer"}, SecretName: "elsewhere"}
	create(t, cc)
	says(t, wrong, pod.EventInjectedOtherwise, "mounts the Secret checkout-mtls, and the client's key is in elsewhere")
	// It stays so while what does not concern it changes, and is not told again.
	env.Kubectl(t, "-n", ns, "label", "oauthclient", "checkout", "team=shop")
	env.Kubectl(t, "-n", ns, "patch", "oauthclient", "checkout", "--type=merge", "-p", `{"spec":{"displayName":"Checkout"}}`)
	last := newPod(t, ns, "last", "x", func(p *corev1.Pod) { p.Annotations[v1alpha1.AnnotationCertificate] = "none" })
	says(t, last, pod.EventWaitsForCertificate, "ClientCertificate "+ns+"/none")
	for name, want := range map[string]int{"right": 2, "wrong": 3} {
		if notes, err := eventsOf(t.Context(), ns, name); err != nil || len(notes) != want {
			t.Errorf("pod %s has %d events; want %d: %q, %v", name, len(notes), want, notes, err)
		}
	}
}

// What a pod was made for is not what came, in ways that its Secret does not show.
func TestAPodIsToldThatItsClientNeedsAnother(t *testing.T) {
	run(t)
	oauthClient := func(ns string, change func(*v1alpha1.OAuthClient)) {
		c := &v1alpha1.OAuthClient{ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: "checkout"}}
		c.Spec.Authentication.ServiceAccounts = []v1alpha1.ServiceAccountCredential{{Name: "checkout"}}
		change(c)
		create(t, c)
	}
	certificate := func(ns, name, of string) {
		cc := &v1alpha1.ClientCertificate{ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: name}}
		cc.Spec.ClientRef.Name = of
		cc.Spec.Issuance = &v1alpha1.Issuance{IssuerRef: v1alpha1.IssuerReference{Name: "ca", Kind: "ClusterIssuer"}, SecretName: name + "-mtls"}
		create(t, cc)
	}
	tests := map[string]struct {
		pod  func(*corev1.Pod)
		come func(p *corev1.Pod)
		says string
	}{
		"a client that authenticates by its certificate alone": {come: func(p *corev1.Pod) {
			oauthClient(p.Namespace, func(c *v1alpha1.OAuthClient) {
				c.Spec.Authentication = v1alpha1.ClientAuthentication{Certificate: &v1alpha1.CertificateCredential{Methods: []v1alpha1.CertificateMethod{v1alpha1.MethodTLSClientAuth}}}
			})
			certificate(p.Namespace, "checkout", "checkout")
		}, says: "by the pod's service account"},
		"a client without a certificate, which needs none": {come: func(p *corev1.Pod) {
			oauthClient(p.Namespace, func(c *v1alpha1.OAuthClient) { c.Spec.TokenBinding = v1alpha1.TokenBindingNone })
		}, says: "mounts the Secret checkout-mtls"},
		"another client's certificate, after the client": {
			pod: func(p *corev1.Pod) { p.Annotations[v1alpha1.AnnotationCertificate] = "checkout" },
			come: func(p *corev1.Pod) {
				oauthClient(p.Namespace, func(*v1alpha1.OAuthClient) {})
				says(t, p, pod.EventWaitsForCertificate, "ClientCertificate "+p.Namespace+"/checkout")
				certificate(p.Namespace, "checkout", "orders")
			}, says: "pinned to OAuthClient orders",
		},
	}
	for sentence, test := range tests {
		t.Run(sentence, func(t *testing.T) {
			ns := env.Namespace(t, nil, nil).Name
			if test.pod == nil {
				test.pod = func(*corev1.Pod) {}
			}
			p := newPod(t, ns, "web", "checkout-mtls", test.pod)
			says(t, p, pod.EventWaitsForClient, "OAuthClient "+ns+"/checkout")
			test.come(p)
			says(t, p, pod.EventInjectedOtherwise, test.says)
		})
	}
}

func TestACrowdOfPodsCostsFewEvents(t *testing.T) {
	registry := run(t)
	crowd, other := env.Namespace(t, nil, nil).Name, env.Namespace(t, nil, nil).Name
	unmarked := func(p *corev1.Pod) { delete(p.Labels, v1alpha1.LabelAdmitted) }
	const pods = 200
	for i := range pods {
		newPod(t, crowd, fmt.Sprint("pod-", i), "x", unmarked)
	}
	counts(t, registry, crowd, pods)
	says(t, newPod(t, other, "own", "x", unmarked), pod.EventNotInjected, "")
	if notes, err := eventsOf(t.Context(), crowd, ""); err != nil || len(notes) > 50 {
		t.Errorf("%d events, %v", len(notes), err)
	}
}
