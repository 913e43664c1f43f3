package injection

import (
	"fmt"
	"slices"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/lanyard-dev/lanyard/api/v1alpha1"
	"github.com/lanyard-dev/lanyard/test/testenv"
)

// open is a namespace as [namespace] makes it, that no level of Pod Security holds: what is
// refused in it the policies of the mark refuse.
func open(t *testing.T) string {
	t.Helper()
	ns := env.Namespace(t, nil, nil).Name
	testenv.Create(t, env.Client, serviceAccount(ns, "checkout"), oauthClient(ns, "checkout"), issued(ns, "checkout"))
	return ns
}

// plain is a pod that asks for nothing, and exists.
func plain(t *testing.T, namespace string) *corev1.Pod {
	t.Helper()
	p := pod(namespace, func(p *corev1.Pod) { p.Labels, p.Annotations = nil, nil })
	testenv.Create(t, env.Client, p)
	return p
}

func merge(format string, args ...any) client.Patch {
	return client.RawPatch(types.MergePatchType, fmt.Appendf(nil, format, args...))
}

// byHand is a pod as Lanyard injects it, written by somebody who does not ask for injection.
func byHand(t *testing.T, namespace string, change ...func(*corev1.Pod)) *corev1.Pod {
	t.Helper()
	noToken := func(p *corev1.Pod) { p.Spec.AutomountServiceAccountToken = new(false) }
	p := again(injected(t, namespace, noToken))
	delete(p.Labels, v1alpha1.LabelInject)
	for _, c := range change {
		c(p)
	}
	return p
}

func TestRefusesAMarkSetByHand(t *testing.T) {
	ns := open(t)
	p := pod(ns, func(p *corev1.Pod) {
		p.Labels = map[string]string{v1alpha1.LabelAdmitted: "checkout"}
	})
	refuses(t, env.Client.Create(t.Context(), p), "spec.initContainers: the first is not lanyard-sidecar", "lanyard.dev/inject")
}

func TestRefusesAMarkSetByHandBesideTheRequestForInjection(t *testing.T) {
	p := pod(open(t), func(p *corev1.Pod) { p.Labels[v1alpha1.LabelAdmitted] = "checkout" })
	refuses(t, env.Client.Create(t.Context(), p), "the label lanyard.dev/admitted is for Lanyard to write")
}

func TestRefusesAMarkAddedLater(t *testing.T) {
	p := plain(t, open(t))
	err := env.Client.Patch(t.Context(), p, merge(`{"metadata":{"labels":{"lanyard.dev/admitted":"checkout"}}}`))
	refuses(t, err, "lanyard.dev/admitted is written when Lanyard injects a pod, and never after", "it is not there, and stays so")
}

func TestRefusesAMarkChanged(t *testing.T) {
	p := injected(t, open(t))
	err := env.Client.Patch(t.Context(), p, merge(`{"metadata":{"labels":{"lanyard.dev/admitted":"orders"}}}`))
	refuses(t, err, `it is "checkout", and stays so`)
}

func TestRefusesAMarkRemoved(t *testing.T) {
	p := injected(t, open(t))
	err := env.Client.Patch(t.Context(), p, merge(`{"metadata":{"labels":{"lanyard.dev/admitted":null}}}`))
	refuses(t, err, `it is "checkout", and stays so`)
}

func TestRefusesAMarkThroughTheStatus(t *testing.T) {
	p := plain(t, open(t))
	err := env.Client.Status().Patch(t.Context(), p, merge(`{"metadata":{"labels":{"lanyard.dev/admitted":"checkout"}}}`))
	refuses(t, err, "it is not there, and stays so")
}

func TestRefusesAMarkThroughABinding(t *testing.T) {
	ns := open(t)
	clientset, err := kubernetes.NewForConfig(env.Config)
	check(t, err)
	for name, change := range map[string]func(*corev1.Binding){
		"a label":       func(b *corev1.Binding) { b.Labels = map[string]string{v1alpha1.LabelAdmitted: "checkout"} },
		"an annotation": func(b *corev1.Binding) { b.Annotations = map[string]string{v1alpha1.AnnotationClient: "checkout"} },
	} {
		p := plain(t, ns)
		b := &corev1.Binding{ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: p.Name}, Target: corev1.ObjectReference{Kind: "Node", Name: "n"}}
		change(b)
		t.Run(name+" of pods/binding", func(t *testing.T) {
			refuses(t, clientset.CoreV1().Pods(ns).Bind(t.Context(), b, metav1.CreateOptions{}), "the Binding has the label lanyard.dev/admitted or an annotation of lanyard.dev/")
		})
		t.Run(name+" of bindings", func(t *testing.T) {
			refuses(t, env.Client.Create(t.Context(), b), "the Binding has the label")
		})
		b.Labels, b.Annotations = nil, nil
		check(t, clientset.CoreV1().Pods(ns).Bind(t.Context(), b, metav1.CreateOptions{}))
	}
}

// What the mark stands for, and what somebody writes instead, who leaves the label out that
// would have Lanyard look at the pod.
func TestRefusesAMarkOnAPodThatWasNotInjectedIntact(t *testing.T) {
	ns := open(t)
	sidecar := func(change func(*corev1.Container)) func(*corev1.Pod) {
		return func(p *corev1.Pod) { change(&p.Spec.InitContainers[0]) }
	}
	volume := func(name string, change func(*corev1.Volume)) func(*corev1.Pod) {
		return func(p *corev1.Pod) {
			change(&p.Spec.Volumes[slices.IndexFunc(p.Spec.Volumes, func(v corev1.Volume) bool { return v.Name == name })])
		}
	}
	mounts := func(m corev1.VolumeMount) func(*corev1.Pod) {
		return func(p *corev1.Pod) {
			p.Spec.Containers[0].VolumeMounts = append(p.Spec.Containers[0].VolumeMounts, m)
		}
	}
	tests := map[string]struct {
		change func(*corev1.Pod)
		says   string
	}{
		"another client":       {func(p *corev1.Pod) { p.Annotations[v1alpha1.AnnotationClient] = "orders" }, `injected the pod for client "checkout", and its annotation lanyard.dev/client says "orders"`},
		"no annotation":        {func(p *corev1.Pod) { p.Annotations = nil }, `its annotation lanyard.dev/client says ""`},
		"the sidecar is gone":  {func(p *corev1.Pod) { p.Spec.InitContainers = nil }, "the first is not lanyard-sidecar"},
		"the sidecar is later": {func(p *corev1.Pod) { p.Spec.InitContainers = slices.Insert(p.Spec.InitContainers, 0, restricted("x")) }, "the first is not lanyard-sidecar"},
		"another image":        {sidecar(func(c *corev1.Container) { c.Image = "evil:v1" }), "evil:v1 is not one of Lanyard's, which are " + testenv.SidecarImage},
		"a part of the image":  {sidecar(func(c *corev1.Container) { c.Image = testenv.SidecarImage[1:] }), "is not one of Lanyard's"},
		"another command":      {sidecar(func(c *corev1.Container) { c.Command = []string{"/bin/sh"} }), "command, args or restartPolicy"},
		"no restart policy":    {sidecar(func(c *corev1.Container) { c.RestartPolicy, c.StartupProbe = nil, nil }), "command, args or restartPolicy"},
		"another argument":     {sidecar(func(c *corev1.Container) { c.Args = append(c.Args, "--listen=0.0.0.0:9466") }), "command, args or restartPolicy"},
		"another issuer":       {sidecar(func(c *corev1.Container) { c.Args = append(c.Args, "--issuer=https://evil") }), "command, args or restartPolicy"},
		"no issuer":            {sidecar(func(c *corev1.Container) { c.Args = c.Args[1:] }), "command, args or restartPolicy"},
		"an environment":       {sidecar(func(c *corev1.Container) { c.Env = []corev1.EnvVar{{Name: "SSL_CERT_DIR", Value: "/x"}} }), "LANYARD_CONFIG alone"},
		"another configuration": {sidecar(func(c *corev1.Container) {
			c.Env = []corev1.EnvVar{{Name: "LANYARD_CONFIG", Value: "resources: []"}}
		}), "LANYARD_CONFIG alone"},
		"an environment from elsewhere": {sidecar(func(c *corev1.Container) {
			c.EnvFrom = []corev1.EnvFromSource{{ConfigMapRef: &corev1.ConfigMapEnvSource{LocalObjectReference: corev1.LocalObjectReference{Name: "x"}}}}
		}), "LANYARD_CONFIG alone"},
		"another probe": {sidecar(func(c *corev1.Container) { c.StartupProbe.Exec.Command = []string{"/lanyard-sidecar", "x"} }), "probes, lifecycle or securityContext"},
		"a liveness probe": {sidecar(func(c *corev1.Container) {
			c.LivenessProbe = c.StartupProbe.DeepCopy()
			c.LivenessProbe.SuccessThreshold = 1
		}), "probes, lifecycle or securityContext"},
		"a hook": {sidecar(func(c *corev1.Container) {
			c.Lifecycle = &corev1.Lifecycle{PreStop: &corev1.LifecycleHandler{Exec: &corev1.ExecAction{Command: []string{"/x"}}}}
		}), "probes, lifecycle or securityContext"},
		"root":                    {sidecar(func(c *corev1.Container) { c.SecurityContext.RunAsNonRoot = new(false) }), "probes, lifecycle or securityContext"},
		"a capability":            {sidecar(func(c *corev1.Container) { c.SecurityContext.Capabilities.Add = []corev1.Capability{"SYS_PTRACE"} }), "probes, lifecycle or securityContext"},
		"no security context":     {sidecar(func(c *corev1.Container) { c.SecurityContext = nil }), "probes, lifecycle or securityContext"},
		"a mount over the binary": {sidecar(func(c *corev1.Container) { c.VolumeMounts[0].MountPath = "/lanyard-sidecar" }), "mounts something else than Lanyard's volumes, or them elsewhere"},
		"a part of a volume":      {sidecar(func(c *corev1.Container) { c.VolumeMounts[1].SubPath = "x" }), "mounts something else"},
		"a mount less":            {sidecar(func(c *corev1.Container) { c.VolumeMounts = c.VolumeMounts[1:] }), "lanyard-tokens or lanyard-ca is missing"},
		"tokens on the node": {volume(v1alpha1.VolumeTokens, func(v *corev1.Volume) {
			v.VolumeSource = corev1.VolumeSource{HostPath: &corev1.HostPathVolumeSource{Path: "/tmp"}}
		}), "one whose name is Lanyard's is not what Lanyard makes it"},
		"tokens on a disk":                   {volume(v1alpha1.VolumeTokens, func(v *corev1.Volume) { v.EmptyDir.Medium = "" }), "is not what Lanyard makes it"},
		"roots of one's own":                 {volume(v1alpha1.VolumeCA, func(v *corev1.Volume) { v.ConfigMap.Name = "evil" }), "is not what Lanyard makes it"},
		"an assertion for another":           {volume(v1alpha1.VolumeAssertion, func(v *corev1.Volume) { v.Projected.Sources[0].ServiceAccountToken.Audience = "x" }), "is not what Lanyard makes it"},
		"an app that mounts the assertion":   {mounts(corev1.VolumeMount{Name: v1alpha1.VolumeAssertion, MountPath: "/x"}), "container app mounts lanyard-assertion or lanyard-certificate"},
		"an app that mounts the certificate": {mounts(corev1.VolumeMount{Name: v1alpha1.VolumeCertificate, MountPath: "/x", ReadOnly: true}), "container app mounts lanyard-assertion or lanyard-certificate"},
		"an init container that mounts it": {func(p *corev1.Pod) {
			c := restricted("x")
			c.VolumeMounts = []corev1.VolumeMount{{Name: v1alpha1.VolumeCertificate, MountPath: "/x"}}
			p.Spec.InitContainers = append(p.Spec.InitContainers, c)
		}, "container x mounts lanyard-assertion or lanyard-certificate"},
		"an app that writes tokens": {mounts(corev1.VolumeMount{Name: v1alpha1.VolumeTokens, MountPath: "/x"}), "or lanyard-tokens to write to it"},
		"an assertion of the app's own": {func(p *corev1.Pod) {
			p.Spec.Volumes = append(p.Spec.Volumes, corev1.Volume{Name: "x", VolumeSource: corev1.VolumeSource{Projected: &corev1.ProjectedVolumeSource{Sources: []corev1.VolumeProjection{
				{DownwardAPI: &corev1.DownwardAPIProjection{}},
				{ServiceAccountToken: &corev1.ServiceAccountTokenProjection{Audience: testenv.IssuerURL, Path: "x"}},
			}}}})
		}, "x projects a service account token for Lanyard's issuer"},
		"the node's network":    {func(p *corev1.Pod) { p.Spec.HostNetwork = true }, "hostNetwork, hostPID and shareProcessNamespace"},
		"the node's processes":  {func(p *corev1.Pod) { p.Spec.HostPID = true }, "hostNetwork, hostPID and shareProcessNamespace"},
		"one process namespace": {func(p *corev1.Pod) { p.Spec.ShareProcessNamespace = new(true) }, "hostNetwork, hostPID and shareProcessNamespace"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			refuses(t, env.Client.Create(t.Context(), byHand(t, ns, test.change)), "lanyard-mark", test.says)
		})
	}
	t.Run("the whole of it is no forgery", func(t *testing.T) { testenv.Create(t, env.Client, byHand(t, ns)) })
}

func TestRefusesAMarkKeptWithAnotherSidecarImage(t *testing.T) {
	p := injected(t, open(t))
	p.Spec.InitContainers[0].Image = "evil:v1"
	refuses(t, env.Client.Update(t.Context(), p), "the image of lanyard-sidecar is "+testenv.SidecarImage+", and does not become evil:v1")
}

func TestRefusesToChangeWhatWasInjected(t *testing.T) {
	p := injected(t, open(t))
	for _, change := range []string{`{"lanyard.dev/client":"orders"}`, `{"lanyard.dev/client":null}`, `{"lanyard.dev/config":""}`} {
		err := env.Client.Patch(t.Context(), p.DeepCopy(), merge(`{"metadata":{"annotations":%s}}`, change))
		refuses(t, err, "those of lanyard.dev/ say what Lanyard injected")
	}
}

func TestRefusesEphemeralContainersThatSeeTheSidecar(t *testing.T) {
	ns := open(t)
	debugger := func(change func(*corev1.EphemeralContainer)) error {
		p := injected(t, ns)
		c := corev1.EphemeralContainer{EphemeralContainerCommon: corev1.EphemeralContainerCommon{
			Name: "debugger", Image: "debug:v1", ImagePullPolicy: corev1.PullIfNotPresent, TerminationMessagePolicy: corev1.TerminationMessageReadFile,
		}}
		change(&c)
		p.Spec.EphemeralContainers = append(p.Spec.EphemeralContainers, c)
		return env.Client.SubResource("ephemeralcontainers").Update(t.Context(), p)
	}
	check(t, debugger(func(c *corev1.EphemeralContainer) { c.TargetContainerName = "app" }))
	refuses(t, debugger(func(c *corev1.EphemeralContainer) { c.TargetContainerName = v1alpha1.SidecarContainer }), "one targets lanyard-sidecar")
	for _, name := range []string{v1alpha1.VolumeTokens, v1alpha1.VolumeAssertion, v1alpha1.VolumeCertificate} {
		refuses(t, debugger(func(c *corev1.EphemeralContainer) {
			c.VolumeMounts = []corev1.VolumeMount{{Name: name, MountPath: "/x", ReadOnly: true}}
		}), "one mounts a volume of Lanyard")
	}
}

// Kubernetes' own work on an injected pod goes on: nothing of Lanyard's must hold a pod back from
// ending.
func TestInjectedPodsLiveAndEndWithoutLanyard(t *testing.T) {
	ns := open(t)
	p := injected(t, ns)
	down(t)
	check(t, env.Client.Patch(t.Context(), p, merge(`{"metadata":{"labels":{"a":"b"},"finalizers":["example.com/x"]}}`)))
	check(t, env.Client.Status().Patch(t.Context(), p, merge(`{"status":{"phase":"Running"}}`)))
	check(t, env.Client.Patch(t.Context(), p, merge(`{"metadata":{"finalizers":null}}`)))
	check(t, env.Client.Delete(t.Context(), p, client.GracePeriodSeconds(0)))
	gone(t, p)
}
