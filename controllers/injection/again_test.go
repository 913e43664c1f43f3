package injection

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/lanyard-dev/lanyard/api/v1alpha1"
)

// What others do to an injected pod before it comes here again, and what is left of it.
func TestInjectAgain(t *testing.T) {
	sidecar := func(p *corev1.Pod) *corev1.Container { return &p.Spec.InitContainers[0] }
	tests := map[string]struct {
		others func(*corev1.Pod)
		// keeps is what stays of that; nil: nothing.
		keeps func(*corev1.Pod)
	}{
		"nothing": {others: func(*corev1.Pod) {}},
		"the API server mounts the service account's token": {others: func(p *corev1.Pod) {
			sidecar(p).VolumeMounts = append(sidecar(p).VolumeMounts, corev1.VolumeMount{Name: "kube-api-access-x", MountPath: "/var/run/secrets/kubernetes.io/serviceaccount"})
		}},
		"another sidecar before ours": {others: func(p *corev1.Pod) {
			p.Spec.InitContainers = slices.Insert(p.Spec.InitContainers, 0, corev1.Container{Name: "mesh"})
		}, keeps: func(p *corev1.Pod) {
			p.Spec.InitContainers = append(p.Spec.InitContainers, withTokens("mesh"))
		}},
		"another container": {others: func(p *corev1.Pod) {
			p.Spec.Containers = append(p.Spec.Containers, corev1.Container{Name: "agent"})
		}, keeps: func(p *corev1.Pod) {
			p.Spec.Containers = append(p.Spec.Containers, withTokens("agent"))
		}},
		"an environment for all containers": {others: func(p *corev1.Pod) {
			sidecar(p).Env = append(sidecar(p).Env, corev1.EnvVar{Name: "HTTPS_PROXY", Value: "http://proxy"})
		}},
		"another command, and a hook": {others: func(p *corev1.Pod) {
			sidecar(p).Command, sidecar(p).Args = []string{"/bin/sh"}, nil
			sidecar(p).Lifecycle = &corev1.Lifecycle{}
		}},
		"another kind of volume": {others: func(p *corev1.Pod) {
			p.Spec.Volumes[0].VolumeSource = corev1.VolumeSource{HostPath: &corev1.HostPathVolumeSource{Path: "/"}}
		}},
		"a volume of an upstream that is wanted no more": {others: func(p *corev1.Pod) {
			p.Spec.Volumes = slices.Insert(p.Spec.Volumes, 1, corev1.Volume{Name: "lanyard-upstream-old"})
		}},
		"a volume less": {others: func(p *corev1.Pod) {
			p.Spec.Volumes = p.Spec.Volumes[:len(p.Spec.Volumes)-1]
		}},
		"tokens to be written to": {others: func(p *corev1.Pod) { p.Spec.Containers[0].VolumeMounts[0].ReadOnly = false }},
		"root":                    {others: func(p *corev1.Pod) { sidecar(p).SecurityContext.RunAsUser = new(int64(0)) }},
		"privileges":              {others: func(p *corev1.Pod) { sidecar(p).SecurityContext.Privileged = new(true) }},
		"a mirror of the image, a limit and a user of the platform": {
			others: platform,
			keeps:  platform,
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			want := injected(t)
			if test.keeps != nil {
				test.keeps(want)
			}
			p := injected(t)
			test.others(p)
			got, _, err := inject(t, p, ready())
			check(t, err)
			if diff := cmp.Diff(want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// withTokens is a container as it is after injection.
func withTokens(name string) corev1.Container {
	return corev1.Container{
		Name:         name,
		Env:          []corev1.EnvVar{{Name: v1alpha1.EnvTokenURL, Value: tokenURL}},
		VolumeMounts: []corev1.VolumeMount{{Name: v1alpha1.VolumeTokens, MountPath: v1alpha1.TokensPath, ReadOnly: true}},
	}
}

// platform is what one may do to the sidecar.
func platform(p *corev1.Pod) {
	c := &p.Spec.InitContainers[0]
	c.Image = "mirror.example.com/lanyard:v1"
	c.Resources.Limits = corev1.ResourceList{corev1.ResourceMemory: resource.MustParse("64Mi")}
	c.SecurityContext.RunAsUser = new(int64(1000650000))
	c.SecurityContext.SELinuxOptions = &corev1.SELinuxOptions{Level: "s0:c1,c2"}
}

// A pod that is as it should be gets no patch, so that the API server does not ask again.
func TestInjectedPodsGetNoPatch(t *testing.T) {
	p := injected(t, annotated(v1alpha1.AnnotationConfig, config))
	response := handled(t, &handler{installation: installed, cache: fixed(t), live: fixed(t)}, p)
	if !response.Allowed || len(response.Patch) > 0 {
		t.Errorf("allowed %v, patch %s; want none", response.Allowed, response.Patch)
	}
}
