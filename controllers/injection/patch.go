package injection

import (
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"

	"github.com/lanyard-dev/lanyard/api/v1alpha1"
)

// operation is one of a JSON patch (RFC 6902).
type operation struct {
	Op    string `json:"op"`
	Path  string `json:"path"`
	From  string `json:"from,omitempty"`
	Value any    `json:"value,omitempty"`
}

type patch []operation

func (p *patch) add(path string, value any) {
	*p = append(*p, operation{Op: "add", Path: path, Value: value})
}

func (p *patch) replace(path string, value any) {
	*p = append(*p, operation{Op: "replace", Path: path, Value: value})
}

// first and last add to a list of that length, which may not be there at all.
func (p *patch) first(list string, length int, value any) { p.into(list, "/0", length, value) }
func (p *patch) last(list string, length int, value any)  { p.into(list, "/-", length, value) }

func (p *patch) into(list, at string, length int, value any) {
	if length == 0 {
		p.add(list, []any{value})
		return
	}
	p.add(list+at, value)
}

// patchOf is what a pod lacks of its shape: of a pod that comes for the first time all of
// it, and nothing of one that has it. Only what Lanyard adds is touched, so that fields that
// this version of Kubernetes' types does not know stay as they are.
func patchOf(pod *corev1.Pod, s shape, mark string) patch {
	var p patch
	if pod.Labels[v1alpha1.LabelAdmitted] != mark {
		p.add("/metadata/labels/lanyard.dev~1admitted", mark) // the labels are there: one asked for this
	}
	p.volumes(pod.Spec.Volumes, s.volumes)
	p.sidecar(pod, s.sidecar)
	position := 0
	for _, c := range pod.Spec.InitContainers {
		if c.Name != v1alpha1.SidecarContainer {
			position++ // the sidecar is first
			p.container(fmt.Sprintf("/spec/initContainers/%d", position), c, s)
		}
	}
	for i, c := range pod.Spec.Containers {
		p.container(fmt.Sprintf("/spec/containers/%d", i), c, s)
	}
	return p
}

// volumes replaces Lanyard's volumes that differ, removes those that are wanted no more, and
// adds those that are missing.
func (p *patch) volumes(found, wanted []corev1.Volume) {
	length, missing := len(found), slices.Clone(wanted)
	for i, v := range slices.Backward(found) {
		path := fmt.Sprintf("/spec/volumes/%d", i)
		at := slices.IndexFunc(missing, func(w corev1.Volume) bool { return w.Name == v.Name })
		switch {
		case at >= 0:
			if !equality.Semantic.DeepEqual(v, missing[at]) {
				p.replace(path, missing[at])
			}
			missing = slices.Delete(missing, at, at+1)
		case ours(v.Name):
			*p = append(*p, operation{Op: "remove", Path: path})
			length--
		}
	}
	for _, v := range missing {
		p.last("/spec/volumes", length, v)
		length++
	}
}

// sidecar puts the sidecar before all others, as it should be.
func (p *patch) sidecar(pod *corev1.Pod, wanted corev1.Container) {
	const first = "/spec/initContainers/0"
	i := sidecarOf(pod)
	if i < 0 {
		p.first("/spec/initContainers", len(pod.Spec.InitContainers), wanted)
		return
	}
	if i > 0 {
		*p = append(*p, operation{Op: "move", From: fmt.Sprintf("/spec/initContainers/%d", i), Path: first})
	}
	found := pod.Spec.InitContainers[i]
	if wanted = keep(found, wanted); !equality.Semantic.DeepEqual(found, wanted) {
		p.replace(first, wanted)
	}
}

// keep keeps of a sidecar that was injected already what others may rightly change: where its
// image comes from (a mirror; the policy of the mark knows which are Lanyard's), its resources
// (a LimitRange), and as whom it runs (OpenShift), if that is not root.
func keep(found, wanted corev1.Container) corev1.Container {
	wanted.Image, wanted.ImagePullPolicy, wanted.Resources = found.Image, found.ImagePullPolicy, found.Resources
	was := found.SecurityContext
	if was == nil {
		return wanted
	}
	kept := wanted.SecurityContext.DeepCopy()
	kept.SELinuxOptions, kept.RunAsGroup = was.SELinuxOptions, was.RunAsGroup
	if was.RunAsUser != nil && *was.RunAsUser != 0 {
		kept.RunAsUser = was.RunAsUser
	}
	wanted.SecurityContext = kept
	return wanted
}

// container gives a container the tokens, and tells it where to ask for them.
func (p *patch) container(path string, c corev1.Container, s shape) {
	switch i := slices.IndexFunc(c.VolumeMounts, func(m corev1.VolumeMount) bool { return m.Name == s.mount.Name }); {
	case i < 0:
		p.last(path+"/volumeMounts", len(c.VolumeMounts), s.mount)
	case !equality.Semantic.DeepEqual(c.VolumeMounts[i], s.mount):
		p.replace(fmt.Sprintf("%s/volumeMounts/%d", path, i), s.mount)
	}
	if !slices.ContainsFunc(c.Env, func(e corev1.EnvVar) bool { return e.Name == s.env.Name }) {
		p.first(path+"/env", len(c.Env), s.env) // first, so that others may refer to it
	}
}
