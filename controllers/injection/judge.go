package injection

import (
	"path"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/lanyard-dev/lanyard/api/v1alpha1"
	"github.com/lanyard-dev/lanyard/issuer/rules"
)

// judgePod refuses a pod that no sidecar can serve, or that has already what the sidecar
// needs.
func judgePod(pod *corev1.Pod, w Wish) error {
	for _, judge := range []func(*corev1.Pod, Wish) error{judgeMark, judgeKind, judgeContainers, judgeVolumes, judgeMounts, judgePorts} {
		if err := judge(pod, w); err != nil {
			return err
		}
	}
	return nil
}

// marked says whether the pod was injected already, in this admission or, if it is a copy of
// a pod that runs, in that one's.
func marked(pod *corev1.Pod) bool {
	_, ok := pod.Labels[v1alpha1.LabelAdmitted]
	return ok
}

// sidecarOf is where the sidecar stands among the init containers; -1: nowhere.
func sidecarOf(pod *corev1.Pod) int {
	return slices.IndexFunc(pod.Spec.InitContainers, func(c corev1.Container) bool { return c.Name == v1alpha1.SidecarContainer })
}

func judgeMark(pod *corev1.Pod, w Wish) error {
	const hint = "take it away, and if the pod is a copy of one that runs, also what Lanyard added to that: the init container " +
		v1alpha1.SidecarContainer + ", and the volumes and volumeMounts whose names begin with lanyard-"
	switch mark := pod.Labels[v1alpha1.LabelAdmitted]; {
	case !marked(pod):
		return nil
	case mark != rules.Mark(w.Client):
		return refuse("the label %s is %s, and says for which client Lanyard injected the pod, not %s: %s", v1alpha1.LabelAdmitted, shown(mark), shown(w.Client), hint)
	case sidecarOf(pod) < 0:
		return refuse("the label %s is for Lanyard to write, on pods that it injected: %s", v1alpha1.LabelAdmitted, hint)
	default:
		return nil
	}
}

// judgeKind refuses pods whose namespaces the sidecar cannot share with them.
func judgeKind(pod *corev1.Pod, _ Wish) error {
	_, mirror := pod.Annotations[corev1.MirrorPodAnnotationKey]
	switch s := &pod.Spec; {
	case mirror:
		return refuse("this is a static pod, which a kubelet runs as its file says: nothing can be injected; take the label %s away", v1alpha1.LabelInject)
	case s.OS != nil && s.OS.Name == corev1.Windows, s.NodeSelector[corev1.LabelOSStable] == string(corev1.Windows):
		return refuse("this is a pod for Windows, and Lanyard's sidecar runs on Linux: take the label %s away, and run lanyard-sidecar as a process of your own", v1alpha1.LabelInject)
	case s.HostNetwork:
		return refuse("spec.hostNetwork is true: the sidecar's tokens would be open to every process of the node, which shares the pod's loopback; leave hostNetwork out")
	case s.HostPID:
		return refuse("spec.hostPID is true: processes of the pod could read the sidecar's files through /proc; leave hostPID out")
	case s.ShareProcessNamespace != nil && *s.ShareProcessNamespace:
		return refuse("spec.shareProcessNamespace is true: the pod's other containers could read the sidecar's private key through /proc; leave it out, and ask for the key with the annotation %s: \"true\" if the app needs it", v1alpha1.AnnotationExposeCertificate)
	default:
		return nil
	}
}

// ours says whether a volume's name is one of Lanyard's.
func ours(volume string) bool {
	switch volume {
	case v1alpha1.VolumeTokens, v1alpha1.VolumeAssertion, v1alpha1.VolumeCertificate, v1alpha1.VolumeCA:
		return true
	default:
		return strings.HasPrefix(volume, v1alpha1.VolumeUpstreamPrefix)
	}
}

// others are the pod's containers beside the sidecar. Once the pod is marked, the init
// container of the sidecar's name is the sidecar.
func others(pod *corev1.Pod) []corev1.Container {
	all := slices.Clone(pod.Spec.InitContainers)
	if i := sidecarOf(pod); i >= 0 && marked(pod) {
		all = slices.Delete(all, i, i+1)
	}
	return append(all, pod.Spec.Containers...)
}

func judgeContainers(pod *corev1.Pod, _ Wish) error {
	for _, c := range others(pod) {
		if c.Name == v1alpha1.SidecarContainer {
			return refuse("a container is called %s, which is the name of the one that Lanyard adds: take it away, or give yours another name", c.Name)
		}
	}
	return nil
}

func judgeVolumes(pod *corev1.Pod, _ Wish) error {
	if marked(pod) {
		return nil
	}
	for _, v := range pod.Spec.Volumes {
		if ours(v.Name) {
			return refuse("a volume is called %s, which is the name of one that Lanyard adds: take it away, or give yours another name", v.Name)
		}
	}
	return nil
}

// judgeMounts refuses mounts of what is the sidecar's, and what covers the place of the
// tokens.
func judgeMounts(pod *corev1.Pod, _ Wish) error {
	for _, c := range others(pod) {
		for _, m := range c.VolumeMounts {
			added := marked(pod) && m.Name == v1alpha1.VolumeTokens
			switch {
			case ours(m.Name) && !added:
				return refuse("the container %s mounts the volume %s, which is Lanyard's: take the mount away; tokens are in %s without it", c.Name, m.Name, v1alpha1.TokensPath)
			case within(m.MountPath, v1alpha1.TokensPath) && (!added || m.MountPath != v1alpha1.TokensPath):
				return refuse("the container %s mounts %s at %s, where Lanyard puts tokens (%s): give it another mountPath", c.Name, m.Name, m.MountPath, v1alpha1.TokensPath)
			}
		}
	}
	return nil
}

// within says whether p is at or below dir, a path below /var/run. In most images /var/run is
// a link to /run.
func within(p, dir string) bool {
	direct := func(p string) string {
		p = path.Clean("/" + p)
		if rest, ok := strings.CutPrefix(p, "/var/run/"); ok {
			return "/run/" + rest
		}
		return p
	}
	return direct(p) == direct(dir) || strings.HasPrefix(direct(p), direct(dir)+"/")
}

// judgePorts refuses ports that another container declares: all share one loopback.
func judgePorts(pod *corev1.Pod, w Wish) error {
	taken := map[int32]string{portEndpoint: "its token endpoint", portMetrics: "metrics and health"}
	for _, u := range w.Settings.Upstreams {
		taken[int32(u.Port)] = "the upstream " + u.URL.String() //nolint:gosec // G115: Parse lets no port above 65535 pass
	}
	for _, c := range others(pod) {
		for _, p := range c.Ports {
			what, ok := taken[p.ContainerPort]
			switch tcp := p.Protocol == "" || p.Protocol == corev1.ProtocolTCP; {
			case ok && tcp && (p.ContainerPort == portEndpoint || p.ContainerPort == portMetrics):
				return refuse("the container %s declares port %d, which Lanyard's sidecar needs for %s: choose another", c.Name, p.ContainerPort, what)
			case ok && tcp:
				return refuse("the container %s declares port %d, which the annotation %s gives to %s: choose another for one of them", c.Name, p.ContainerPort, v1alpha1.AnnotationConfig, what)
			case p.Name == portName:
				return refuse("the container %s calls a port %s, as the sidecar's is called: give it another name", c.Name, p.Name)
			}
		}
	}
	return nil
}
