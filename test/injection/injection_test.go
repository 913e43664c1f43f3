package injection

import (
	"testing"

	corev1 "k8s.io/api/core/v1"

	"github.com/lanyard-dev/lanyard/api/v1alpha1"
)

// The API server asks twice: after the first time it mounts the service account's own token into every
// container, the sidecar too, and the sidecar has no use for it.
func TestInjectsAPodThatAsksForIt(t *testing.T) {
	ns := namespace(t)
	p := injected(t, ns)
	for _, m := range p.Spec.InitContainers[0].VolumeMounts {
		switch m.Name {
		case v1alpha1.VolumeTokens, v1alpha1.VolumeAssertion, v1alpha1.VolumeCertificate, v1alpha1.VolumeCA:
		default:
			t.Errorf("the sidecar mounts %s at %s", m.Name, m.MountPath)
		}
	}
	if p.Status.QOSClass != corev1.PodQOSBurstable {
		t.Errorf("QoS class %s", p.Status.QOSClass)
	}
}
