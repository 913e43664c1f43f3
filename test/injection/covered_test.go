package injection

import (
	"slices"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/lanyard-dev/lanyard/api/v1alpha1"
	"github.com/lanyard-dev/lanyard/test/testenv"
)

// mountedAt is a volume with an upstream's roots that the sidecar mounts at path.
func mountedAt(path string) func(*corev1.Pod) {
	const name = v1alpha1.VolumeUpstreamPrefix + "x"
	return func(p *corev1.Pod) {
		p.Spec.Volumes = append(p.Spec.Volumes, corev1.Volume{Name: name, VolumeSource: corev1.VolumeSource{
			ConfigMap: &corev1.ConfigMapVolumeSource{LocalObjectReference: corev1.LocalObjectReference{Name: "x"}},
		}})
		sidecar := &p.Spec.InitContainers[0]
		sidecar.VolumeMounts = append(sidecar.VolumeMounts, corev1.VolumeMount{Name: name, MountPath: path, ReadOnly: true})
	}
}

// Whoever says which roots the sidecar trusts the issuer by, and where the issuer's name leads
// (hostAliases, dnsConfig), gets the assertion. A runtime resolves dots in the path of a mount.
func TestRefusesRootsOfOnesOwnUnderTheMark(t *testing.T) {
	const upstreams = "/var/run/secrets/lanyard.dev/upstreams"
	ns := open(t)
	roots := func(change func(*corev1.ConfigMapVolumeSource)) func(*corev1.Pod) {
		return func(p *corev1.Pod) {
			i := slices.IndexFunc(p.Spec.Volumes, func(v corev1.Volume) bool { return v.Name == v1alpha1.VolumeCA })
			change(p.Spec.Volumes[i].ConfigMap)
		}
	}
	const elsewhere, volume = "mounts something else than Lanyard's volumes, or them elsewhere", "one whose name is Lanyard's is not what Lanyard makes it"
	for name, test := range map[string]struct {
		change func(*corev1.Pod)
		says   string
	}{
		"a mount over them, by dots":              {mountedAt(upstreams + "/../ca"), elsewhere},
		"a mount over the system's, by dots":      {mountedAt(upstreams + "/../../../../../etc/ssl/certs"), elsewhere},
		"a mount over them, by dots further down": {mountedAt(upstreams + "/x/../../ca"), elsewhere},
		"a mount over all upstreams":              {mountedAt(upstreams + "/"), elsewhere},
		"a mount below an upstream's":             {mountedAt(upstreams + "/x/y"), elsewhere},
		"another key of the ConfigMap": {roots(func(s *corev1.ConfigMapVolumeSource) {
			s.Items = []corev1.KeyToPath{{Key: "mine", Path: v1alpha1.KeyCA}}
		}), volume},
		"no need of the ConfigMap": {roots(func(s *corev1.ConfigMapVolumeSource) { s.Optional = new(true) }), volume},
	} {
		t.Run(name, func(t *testing.T) {
			refuses(t, env.Client.Create(t.Context(), byHand(t, ns, test.change), client.DryRunAll), "lanyard-mark", test.says)
		})
	}
	t.Run("an upstream's roots are no forgery", func(t *testing.T) {
		testenv.Create(t, env.Client, byHand(t, ns, mountedAt(upstreams+"/roots.of-x")))
	})
}

func TestRefusesAMarkOnASidecarWithMoreThanItNeeds(t *testing.T) {
	ns := open(t)
	for name, test := range map[string]struct {
		change func(*corev1.Pod)
		says   string
	}{
		"a terminal":                  {func(p *corev1.Pod) { p.Spec.InitContainers[0].Stdin, p.Spec.InitContainers[0].TTY = true, true }, "command, args or restartPolicy"},
		"a message over the program":  {func(p *corev1.Pod) { p.Spec.InitContainers[0].TerminationMessagePath = "/lanyard-sidecar" }, "probes, lifecycle or securityContext"},
		"a device of the pod's owner": {claim, "probes, lifecycle or securityContext"},
		"nobody's mark": {func(p *corev1.Pod) {
			p.Labels[v1alpha1.LabelAdmitted] = ""
			delete(p.Annotations, v1alpha1.AnnotationClient)
		}, "its annotation lanyard.dev/client says \"\""},
	} {
		t.Run(name, func(t *testing.T) {
			refuses(t, env.Client.Create(t.Context(), byHand(t, ns, test.change), client.DryRunAll), "lanyard-mark", test.says)
		})
	}
}

// claim has a device plugged into the sidecar, whose driver may mount what it likes there.
func claim(p *corev1.Pod) {
	p.Spec.ResourceClaims = []corev1.PodResourceClaim{{Name: "x", ResourceClaimName: new("x")}}
	p.Spec.InitContainers[0].Resources.Claims = []corev1.ResourceClaim{{Name: "x"}}
}

// The other ways to write to a pod that is there take nothing of its labels and annotations.
func TestRefusesAMarkThroughEverySubresource(t *testing.T) {
	ns := open(t)
	for _, subresource := range []string{"resize", "ephemeralcontainers"} {
		p := plain(t, ns)
		patch := merge(`{"metadata":{"labels":{"lanyard.dev/admitted":"checkout"},"annotations":{"lanyard.dev/client":"checkout"}}}`)
		if err := env.Client.SubResource(subresource).Patch(t.Context(), p.DeepCopy(), patch); err != nil {
			refuses(t, err, "lanyard.dev")
		}
		check(t, env.Client.Get(t.Context(), client.ObjectKeyFromObject(p), p))
		if len(p.Labels) > 0 || len(p.Annotations) > 0 {
			t.Errorf("pods/%s wrote labels %v and annotations %v", subresource, p.Labels, p.Annotations)
		}
	}
}
