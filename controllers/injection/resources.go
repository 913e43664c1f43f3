package injection

import (
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
)

// resourcesOf is what the sidecar requests. It never changes a pod's QoS class from
// Guaranteed, and takes its part of what the pod as a whole has where the pod says that.
func resourcesOf(pod *corev1.Pod, w Wish) corev1.ResourceRequirements {
	cpu, memory := resource.MustParse("10m"), resource.MustParse("32Mi")
	sure := guaranteed(pod)
	if sure {
		// As a limit, 10m would have a TLS handshake take a second.
		cpu, memory = resource.MustParse("100m"), resource.MustParse("64Mi")
	}
	if w.CPU != nil {
		cpu = *w.CPU
	}
	if w.Memory != nil {
		memory = *w.Memory
	}
	if pod.Spec.Resources != nil && w.CPU == nil && w.Memory == nil {
		return corev1.ResourceRequirements{}
	}
	r := corev1.ResourceRequirements{Requests: corev1.ResourceList{corev1.ResourceCPU: cpu, corev1.ResourceMemory: memory}}
	if sure {
		r.Limits = r.Requests.DeepCopy()
	}
	return r
}

// guaranteed says whether every container of the pod has limits of CPU and memory, and
// requests what they are.
func guaranteed(pod *corev1.Pod) bool {
	for _, c := range others(pod) {
		for _, name := range []corev1.ResourceName{corev1.ResourceCPU, corev1.ResourceMemory} {
			limit, ok := c.Resources.Limits[name]
			request, asked := c.Resources.Requests[name]
			if !ok || limit.IsZero() || asked && request.Cmp(limit) != 0 { // not asked: as much as the limit
				return false
			}
		}
	}
	return true
}
