package injection

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/lanyard-dev/lanyard/api/v1alpha1"
	"github.com/lanyard-dev/lanyard/test/testenv"
)

// The namespace is held to Pod Security's restricted level. The API server asks twice: after the
// first time it mounts the service account's own token into every container, the sidecar too,
// which has no use for it.
func TestInjectsAPodThatAsksForIt(t *testing.T) {
	p := injected(t, namespace(t))
	for _, m := range p.Spec.InitContainers[0].VolumeMounts {
		switch m.Name {
		case v1alpha1.VolumeTokens, v1alpha1.VolumeAssertion, v1alpha1.VolumeCertificate, v1alpha1.VolumeCA:
		default:
			t.Errorf("the sidecar mounts %s at %s", m.Name, m.MountPath)
		}
	}
	if len(p.Spec.Containers[0].VolumeMounts) != 2 {
		t.Errorf("the app mounts %+v; want its service account's token and %s", p.Spec.Containers[0].VolumeMounts, v1alpha1.TokensPath)
	}
	if p.Status.QOSClass != corev1.PodQOSBurstable {
		t.Errorf("QoS class %s", p.Status.QOSClass)
	}
}

// More of Kubernetes is between a pod and its store: a LimitRange, a quota that wants limits.
func TestInjectsBesideALimitRangeAndAQuota(t *testing.T) {
	ns := namespace(t)
	limit := corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("500m"), corev1.ResourceMemory: resource.MustParse("64Mi")}
	testenv.Create(t, env.Client,
		&corev1.LimitRange{ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: "x"}, Spec: corev1.LimitRangeSpec{Limits: []corev1.LimitRangeItem{
			{Type: corev1.LimitTypeContainer, Default: limit, DefaultRequest: limit},
		}}},
		&corev1.ResourceQuota{ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: "x"}, Spec: corev1.ResourceQuotaSpec{Hard: corev1.ResourceList{
			corev1.ResourceLimitsMemory: resource.MustParse("1Gi"),
		}}},
	)
	testenv.Eventually(t, func(ctx context.Context) error { return env.Client.Create(ctx, pod(ns), client.DryRunAll) }) // the quota has to be counted first
	p := injected(t, ns)
	if p.Status.QOSClass != corev1.PodQOSGuaranteed {
		t.Errorf("QoS class %s; want that of the app alone, Guaranteed", p.Status.QOSClass)
	}
}

func TestInjectsWhatIsCopiedFromARunningPod(t *testing.T) {
	ns := namespace(t)
	p := injected(t, ns)
	for name, change := range map[string]func(*corev1.Pod){
		"as it is": func(*corev1.Pod) {},
		"with other tokens wanted": func(p *corev1.Pod) {
			p.Annotations[v1alpha1.AnnotationConfig] = "resources: [{name: a, identifier: api://a}]"
		},
		"with another container": func(p *corev1.Pod) { p.Spec.Containers = append(p.Spec.Containers, restricted("b")) },
	} {
		t.Run(name, func(t *testing.T) {
			c := again(p)
			change(c)
			testenv.Create(t, env.Client, c)
		})
	}
	c := again(p)
	c.Annotations[v1alpha1.AnnotationClient] = "orders"
	refuses(t, env.Client.Create(t.Context(), c), `the label lanyard.dev/admitted is "checkout"`, "if the pod is a copy of one that runs")
}

// kubectl apply takes a folder in its own order: a client may come after its pods.
func TestInjectsBeforeTheClientIsThere(t *testing.T) {
	ns := env.Namespace(t, nil, nil).Name
	testenv.Create(t, env.Client, serviceAccount(ns, "checkout"))
	says := warned(t, pod(ns))
	for _, want := range []string{"there is no OAuthClient " + ns + "/checkout yet", "the pod waits for the Secret checkout-mtls"} {
		if !strings.Contains(says, want) {
			t.Errorf("warned of %q; want %q", says, want)
		}
	}
	// A moment later all of it is known, however far behind the controller's cache is.
	testenv.Create(t, env.Client, oauthClient(ns, "checkout"), issued(ns, "checkout"))
	p := pod(ns)
	p.Annotations[v1alpha1.AnnotationConfig] = "resources: [{name: orders, identifier: api://orders}]"
	if says := warned(t, p); says != "" {
		t.Errorf("warned of %q", says)
	}
	want := &corev1.SecretVolumeSource{SecretName: "checkout-key", DefaultMode: new(int32(0o444))}
	for _, v := range p.Spec.Volumes {
		if v.Name == v1alpha1.VolumeCertificate && cmp.Diff(want, v.Secret) != "" {
			t.Error(cmp.Diff(want, v.Secret))
		}
	}
}

func TestRefusesPodsThatCanNeverWork(t *testing.T) {
	ns := namespace(t)
	for name, test := range map[string]struct {
		change func(*corev1.Pod)
		says   string
	}{
		"no annotation":           {func(p *corev1.Pod) { p.Annotations = nil }, "the annotation lanyard.dev/client is missing"},
		"another service account": {func(p *corev1.Pod) { p.Spec.ServiceAccountName = "default" }, "spec.serviceAccountName is default, and OAuthClient " + ns + "/checkout lists checkout"},
		"the node's network":      {func(p *corev1.Pod) { p.Spec.HostNetwork = true }, "spec.hostNetwork is true"},
		"a taken name":            {func(p *corev1.Pod) { p.Spec.Containers[0].Name = "lanyard-sidecar" }, "a container is called lanyard-sidecar"},
		"a taken port":            {func(p *corev1.Pod) { p.Spec.Containers[0].Ports = []corev1.ContainerPort{{ContainerPort: 9466}} }, "declares port 9466"},
	} {
		t.Run(name, func(t *testing.T) {
			var err error
			testenv.Eventually(t, func(ctx context.Context) error { // until the service account default is there
				err = env.Client.Create(ctx, pod(ns, test.change))
				if err != nil && strings.Contains(err.Error(), "serviceaccount") {
					return err
				}
				return nil
			})
			refuses(t, err, `admission webhook "inject.lanyard.dev" denied the request`, test.says)
		})
	}
}

func TestRefusesALabelThatNobodyWouldHear(t *testing.T) {
	ns := namespace(t)
	for _, value := range []string{"True", "yes", "1", ""} {
		p := pod(ns, func(p *corev1.Pod) { p.Labels[v1alpha1.LabelInject] = value })
		refuses(t, env.Client.Create(t.Context(), p, client.DryRunAll), "lanyard-inject", `lanyard.dev/inject is "`+value+`": write "true" for a sidecar`)
	}
}

func TestRefusesToAskAboutPodsThatDoNotAskForIt(t *testing.T) {
	ns := namespace(t)
	injected(t, ns)
	before := asked(t)
	if before == 0 {
		t.Fatal("the API server counts no question, though it asked")
	}
	for i := range 10 {
		p := pod(ns, func(p *corev1.Pod) {
			p.Labels = map[string]string{"lanyard.dev/inject": "false"}
			p.Name = fmt.Sprint("free-", i)
		})
		testenv.Create(t, env.Client, p)
		check(t, env.Client.Patch(t.Context(), p, merge(`{"metadata":{"labels":{"lanyard.dev/inject":"true"}}}`))) // too late
		check(t, env.Client.Delete(t.Context(), p, client.GracePeriodSeconds(0)))
	}
	if after := asked(t); after != before {
		t.Errorf("asked %d times about pods that do not ask for it", after-before)
	}
}

func TestRefusesToInjectWhileNoWebhookAnswers(t *testing.T) {
	ns := namespace(t)
	p := injected(t, ns)
	down(t)
	testenv.Create(t, env.Client, pod(ns, func(p *corev1.Pod) { p.Labels = nil }))
	check(t, env.Client.Patch(t.Context(), p, merge(`{"metadata":{"labels":{"a":"b"}}}`)))
	check(t, env.Client.Delete(t.Context(), p))
	err := env.Client.Create(t.Context(), pod(ns))
	if !apierrors.IsInternalError(err) || !strings.Contains(err.Error(), `failed calling webhook "inject.lanyard.dev"`) {
		t.Errorf("err = %v; want it to name inject.lanyard.dev, which cannot be called", err)
	}
}
