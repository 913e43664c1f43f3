package injection

import (
	"flag"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"sigs.k8s.io/yaml"

	"github.com/lanyard-dev/lanyard/api/v1alpha1"
)

var update = flag.Bool("update", false, "write testdata anew")

const config = `
resources:
- {name: orders, identifier: api://orders}
upstreams:
- {port: 9470, url: https://orders.orders.svc:8443, resource: api://orders, caConfigMap: orders-ca}
`

// What a pod becomes, to be read by people.
func TestInject(t *testing.T) {
	both := corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("1"), corev1.ResourceMemory: resource.MustParse("1Gi")}
	tests := map[string]struct {
		pod   *corev1.Pod
		known Known
	}{
		"plain": {pod(), ready()},
		"everything": {pod(
			annotated(v1alpha1.AnnotationConfig, config),
			annotated(v1alpha1.AnnotationExposeCertificate, "true"),
			annotated(v1alpha1.AnnotationWait, "false"),
			annotated(v1alpha1.AnnotationSidecarCPU, "20m"),
			func(p *corev1.Pod) {
				p.Spec.SecurityContext = &corev1.PodSecurityContext{RunAsUser: new(int64(0)), FSGroup: new(int64(2000))}
				p.Spec.Volumes = []corev1.Volume{{Name: "data", VolumeSource: corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{}}}}
				p.Spec.InitContainers = []corev1.Container{{Name: "migrate", Image: "app:v1", Env: []corev1.EnvVar{{Name: "A", Value: "b"}}}}
				p.Spec.Containers[0].VolumeMounts = []corev1.VolumeMount{{Name: "data", MountPath: "/data"}}
				p.Spec.Containers[0].Env = []corev1.EnvVar{{Name: v1alpha1.EnvTokenURL, Value: "http://mine"}}
			},
		), ready()},
		"guaranteed": {pod(func(p *corev1.Pod) {
			p.Spec.Containers[0].Resources = corev1.ResourceRequirements{Requests: both, Limits: both}
		}), ready()},
		"before its client": {pod(), Known{}},
		"without a certificate": {pod(), Known{Client: oauthClient(func(c *v1alpha1.OAuthClient) {
			c.Spec.TokenBinding, c.Spec.ClientID = v1alpha1.TokenBindingNone, "checkout@shop"
		})}},
		"by its certificate": {pod(), Known{
			Client: oauthClient(func(c *v1alpha1.OAuthClient) {
				c.Spec.TokenBinding = v1alpha1.TokenBindingNone
				c.Spec.Authentication = v1alpha1.ClientAuthentication{Certificate: &v1alpha1.CertificateCredential{Methods: []v1alpha1.CertificateMethod{v1alpha1.MethodTLSClientAuth}}}
			}),
			Certificates: []*v1alpha1.ClientCertificate{issued("checkout", "checkout")},
		}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			got, _, err := inject(t, test.pod, test.known)
			check(t, err)
			text, err := yaml.Marshal(got)
			check(t, err)
			path := filepath.Join("testdata", name+".yaml")
			if *update {
				check(t, os.WriteFile(path, text, 0o600))
			}
			want, err := os.ReadFile(path)
			check(t, err)
			if diff := cmp.Diff(string(want), string(text)); diff != "" {
				t.Errorf("%s (go test -update writes it anew): %s", path, diff)
			}
			again, _, err := inject(t, got, test.known)
			check(t, err)
			if diff := cmp.Diff(got, again); diff != "" {
				t.Errorf("a second time changes it: %s", diff)
			}
		})
	}
}
