package injection

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"

	certmanagerv1 "github.com/cert-manager/cert-manager/pkg/apis/certmanager/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/lanyard-dev/lanyard/api/v1alpha1"
	"github.com/lanyard-dev/lanyard/controllers/index"
)

// holding reads a cluster that holds the objects.
func holding(t *testing.T, objects ...client.Object) observer {
	t.Helper()
	scheme := runtime.NewScheme()
	check(t, errors.Join(v1alpha1.AddToScheme(scheme), certmanagerv1.AddToScheme(scheme)))
	reader := fake.NewClientBuilder().WithScheme(scheme).WithObjects(objects...).
		WithIndex(&v1alpha1.ClientCertificate{}, index.CertificateClient, func(o client.Object) []string {
			return []string{o.(*v1alpha1.ClientCertificate).Spec.ClientRef.Name}
		}).Build()
	return observer{find: index.Finder{Reader: reader}, indexed: true}
}

// fixed holds a client that is ready.
func fixed(t *testing.T) observer {
	t.Helper()
	return holding(t, oauthClient(), issued("checkout", "checkout"), issued("other", "orders"))
}

// unread fails the test if it is read.
func unread(t *testing.T) observer {
	t.Helper()
	scheme := runtime.NewScheme()
	check(t, v1alpha1.AddToScheme(scheme))
	asked := errors.New("nothing had to be read here")
	return observer{find: index.Finder{Reader: fake.NewClientBuilder().WithScheme(scheme).WithInterceptorFuncs(interceptor.Funcs{
		Get: func(context.Context, client.WithWatch, client.ObjectKey, client.Object, ...client.GetOption) error {
			t.Error(asked)
			return asked
		},
		List: func(context.Context, client.WithWatch, client.ObjectList, ...client.ListOption) error {
			t.Error(asked)
			return asked
		},
	}).Build()}}
}

func TestHandleReadsTheAPIServerBeforeItRefusesOrGuesses(t *testing.T) {
	tests := map[string]struct {
		pod         *corev1.Pod
		cache, live observer
		refused     string
		warned      string
	}{
		"what the cache knows is enough":         {pod: pod(), cache: fixed(t), live: unread(t)},
		"a client that was created a moment ago": {pod: pod(), cache: holding(t), live: fixed(t)},
		"a service account that was added a moment ago": {
			pod: pod(), live: fixed(t),
			cache: holding(t, oauthClient(func(c *v1alpha1.OAuthClient) { c.Spec.Authentication.ServiceAccounts[0].Name = "other" }), issued("checkout", "checkout")),
		},
		"a certificate that was deleted a moment ago": {
			pod: pod(), live: fixed(t), cache: holding(t, oauthClient(), issued("checkout", "checkout"), issued("old", "checkout")),
		},
		"a client that is not there yet": {
			pod: pod(annotated(v1alpha1.AnnotationConfig, config)), cache: holding(t), live: holding(t),
			warned: "there is no OAuthClient shop/checkout yet: the sidecar waits for it, and the pod's own containers with it; it is taken to have that client id, and to list the pod's service account\n" +
				"OAuthClient shop/checkout has no ClientCertificate yet: the pod waits for the Secret checkout-mtls; if the key will be in another one, name that in the annotation lanyard.dev/certificate-secret",
		},
		"a certificate that is not there yet": {
			pod: pod(annotated(v1alpha1.AnnotationCertificate, "second")), cache: fixed(t), live: fixed(t),
			warned: "there is no ClientCertificate shop/second yet: the pod waits for the Secret second-mtls",
		},
		"a Secret that is named before its certificate is there": {
			pod: pod(annotated(v1alpha1.AnnotationCertificateSecret, "checkout-key")), cache: holding(t, oauthClient()), live: unread(t),
		},
		"an adopted certificate": {
			pod: pod(), live: unread(t),
			cache: holding(t, oauthClient(), adopting("checkout"), &certmanagerv1.Certificate{
				ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "adopted"}, Spec: certmanagerv1.CertificateSpec{SecretName: "adopted-key"},
			}),
		},
		"an adopted certificate that is not there yet": {
			pod: pod(), cache: holding(t, oauthClient(), adopting("checkout")), live: holding(t, oauthClient(), adopting("checkout")),
			warned: "there is no Certificate shop/adopted of cert-manager yet, which ClientCertificate checkout adopts: the pod waits for the Secret checkout-mtls",
		},
		"a suspended client": {
			pod: pod(), live: unread(t),
			cache:  holding(t, oauthClient(func(c *v1alpha1.OAuthClient) { c.Spec.Suspend = true }), issued("checkout", "checkout")),
			warned: "OAuthClient shop/checkout is suspended: the sidecar waits until it is resumed",
		},
		"a client that is not ready": {
			pod: pod(), live: unread(t),
			cache: holding(t, oauthClient(func(c *v1alpha1.OAuthClient) {
				c.Status.Conditions = []metav1.Condition{{Type: v1alpha1.ConditionReady, Status: "False", Message: "its namespace is suspended"}}
			}), issued("checkout", "checkout")),
			warned: "OAuthClient shop/checkout is not Ready, and the sidecar waits until it is, and the pod's own containers with it: its namespace is suspended",
		},
		"a client whose tokens are bound by DPoP": {
			pod: pod(), live: unread(t),
			cache:  holding(t, oauthClient(func(c *v1alpha1.OAuthClient) { c.Spec.TokenBinding = v1alpha1.TokenBindingDPoP })),
			warned: "OAuthClient shop/checkout has tokenBinding: DPoP",
		},
		"an annotation that means nothing": {
			pod: pod(annotated("lanyard.dev/expose-certificates", "true")), cache: fixed(t), live: unread(t),
			warned: `the annotation "lanyard.dev/expose-certificates" means nothing on a pod`,
		},
		"no configuration": {
			pod: pod(annotated(v1alpha1.AnnotationConfig, "")), cache: fixed(t), live: unread(t),
			warned: "the annotation lanyard.dev/config lists no API, so the sidecar gets no tokens",
		},
		"an upstream that nothing verifies": {
			pod:   pod(annotated(v1alpha1.AnnotationConfig, "upstreams: [{port: 9470, url: https://orders.orders.svc:8443, resource: api://orders}]")),
			cache: fixed(t), live: unread(t),
			warned: "the annotation lanyard.dev/config: upstreams[0] has no caConfigMap, and Lanyard's image has no roots of its own: calls of orders.orders.svc:8443 fail",
		},
		"a pod that only its owner can mend": {
			pod: pod(func(p *corev1.Pod) { p.Spec.HostNetwork = true }), cache: unread(t), live: unread(t),
			refused: "spec.hostNetwork is true",
		},
		"a service account that the client does not list": {
			pod: pod(func(p *corev1.Pod) { p.Spec.ServiceAccountName = "other" }), cache: fixed(t), live: fixed(t),
			refused: "spec.serviceAccountName is other",
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			if _, ok := test.pod.Annotations[v1alpha1.AnnotationConfig]; !ok {
				test.pod.Annotations[v1alpha1.AnnotationConfig] = "resources: [{name: orders, identifier: api://orders}]"
			}
			got := handled(t, &handler{installation: installed, cache: test.cache, live: test.live}, test.pod)
			switch {
			case test.refused != "" && (got.Allowed || got.Result.Code != http.StatusForbidden || !strings.Contains(got.Result.Message, test.refused)):
				t.Errorf("it says %+v; want a refusal with %q", got.Result, test.refused)
			case test.refused == "" && (!got.Allowed || len(got.Patch) == 0):
				t.Errorf("it says %+v; want it injected", got.Result)
			}
			if warned := strings.Join(got.Warnings, "\n"); !strings.HasPrefix(warned, test.warned) || test.warned == "" && warned != "" {
				t.Errorf("it warns of %q; want %q", warned, test.warned)
			}
		})
	}
}

// adopting adopts the Certificate adopted of cert-manager.
func adopting(name string) *v1alpha1.ClientCertificate {
	cc := issued(name, "checkout")
	cc.Spec.Issuance, cc.Spec.CertificateRef = nil, &v1alpha1.LocalReference{Name: "adopted"}
	return cc
}

func TestRefusesToInjectWhereThereIsNoImage(t *testing.T) {
	got := handled(t, &handler{cache: unread(t), live: unread(t)}, pod())
	for _, part := range []string{"Lanyard injects no pods in this installation", "injection.enabled", "--sidecar-image"} {
		if got.Allowed || !strings.Contains(got.Result.Message, part) {
			t.Errorf("it says %+v; want %q", got.Result, part)
		}
	}
}

// What it could not tell is no refusal: the API server is asked to try again.
func TestHandleSaysWhereItCouldNotTell(t *testing.T) {
	broken := observer{find: index.Finder{Reader: fake.NewClientBuilder().WithScheme(runtime.NewScheme()).Build()}}
	h := &handler{installation: installed, cache: broken, live: broken}
	if _, err := h.handle(t.Context(), review(t, pod())); err == nil {
		t.Error("it answers, and cannot know")
	}
	req := review(t, pod())
	req.Object.Raw = []byte("{")
	if _, err := h.handle(t.Context(), req); err == nil {
		t.Error("it answers for a pod that it cannot read")
	}
}

func TestVolumesOfUpstreams(t *testing.T) {
	long := strings.Repeat("a", 60)
	for configMap, want := range map[string]string{
		"orders-ca": "lanyard-upstream-orders-ca",
		"orders.ca": "lanyard-upstream-orders-ca-",
		long:        "lanyard-upstream-" + strings.Repeat("a", 33) + "-",
		long + "b":  "lanyard-upstream-" + strings.Repeat("a", 33) + "-",
	} {
		got := upstreamVolume(configMap)
		if !strings.HasPrefix(got, want) || len(got) > 63 || strings.Contains(got, ".") {
			t.Errorf("%s: %s; want %s…", configMap, got, want)
		}
	}
	if upstreamVolume(long) == upstreamVolume(long+"b") {
		t.Error("two ConfigMaps share a volume")
	}
}

// No pod may make the API server wait, or get a patch that it cannot apply.
func FuzzInject(f *testing.F) {
	f.Add("checkout", config, "/var/run/lanyard", "lanyard-tokens", true)
	f.Add("a.b", "", "/run/../run/lanyard", "data", false)
	f.Fuzz(func(t *testing.T, name, config, path, volume string, twice bool) {
		p := pod(annotated(v1alpha1.AnnotationClient, name), annotated(v1alpha1.AnnotationConfig, config))
		p.Spec.Volumes = []corev1.Volume{{Name: volume}}
		p.Spec.Containers[0].VolumeMounts = []corev1.VolumeMount{{Name: volume, MountPath: path}}
		p.Spec.InitContainers = slices.Repeat(p.Spec.Containers, 2)
		got, _, err := inject(t, p, Known{})
		if err == nil && twice {
			again, _, err := inject(t, got, Known{})
			check(t, err)
			if len(again.Spec.Volumes) != len(got.Spec.Volumes) {
				t.Errorf("%d volumes become %d", len(got.Spec.Volumes), len(again.Spec.Volumes))
			}
		}
	})
}
