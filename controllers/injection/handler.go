package injection

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	admissionv1 "k8s.io/api/admission/v1"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"

	"github.com/lanyard-dev/lanyard/api/v1alpha1"
	"github.com/lanyard-dev/lanyard/issuer/rules"
)

// handler answers for pods that are created.
type handler struct {
	installation Installation
	// cache and live read the same; live is asked where the cache would refuse, or does not
	// know.
	cache, live observer
}

// handle returns an error where it could not tell.
func (h *handler) handle(ctx context.Context, req admission.Request) (admission.Response, error) {
	pod := &corev1.Pod{}
	if err := json.Unmarshal(req.Object.Raw, pod); err != nil {
		return admission.Response{}, fmt.Errorf("the pod cannot be read: %w", err)
	}
	if h.installation.Image == "" {
		return admission.Denied(fmt.Sprintf("Lanyard injects no pods in this installation: take the label %s away, or have the platform switch injection on, with the Helm value injection.enabled, or --sidecar-image and --issuer-url of lanyard-controller", v1alpha1.LabelInject)), nil
	}
	p, err := h.judge(ctx, pod, req.Namespace)
	var refused *refusal
	switch {
	case errors.As(err, &refused):
		return admission.Denied(refused.sentence), nil
	case err != nil:
		return admission.Response{}, err
	}
	response := admission.Allowed("").WithWarnings(p.warnings...)
	operations := patchOf(pod, shapeOf(pod, p, h.installation), rules.Mark(p.wish.Client))
	if len(operations) == 0 {
		return response, nil
	}
	if response.Patch, err = json.Marshal(operations); err != nil {
		return admission.Response{}, err
	}
	response.PatchType = new(admissionv1.PatchTypeJSONPatch)
	return response, nil
}

// judge judges a pod by the cache. What that refuses, or does not know, is judged again by what
// the API server says now: a client and its pods are often created in one breath.
func (h *handler) judge(ctx context.Context, pod *corev1.Pod, namespace string) (plan, error) {
	w, err := readWish(pod.Annotations)
	if err != nil {
		return plan{}, err
	}
	if err := judgePod(pod, w); err != nil {
		return plan{}, err
	}
	known, err := h.cache.observe(ctx, namespace, w)
	if err != nil {
		return plan{}, err
	}
	p, err := decide(pod, namespace, w, known)
	if err == nil && !p.unsure {
		return p, nil
	}
	if known, err = h.live.observe(ctx, namespace, w); err != nil {
		return plan{}, err
	}
	return decide(pod, namespace, w, known)
}
