package caroots

import (
	"context"
	"crypto/x509"
	"errors"
	"slices"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/lanyard-dev/lanyard/api/v1alpha1"
	"github.com/lanyard-dev/lanyard/issuer/rules"
)

// observation is all that the decision on one namespace takes.
type observation struct {
	// needed: the namespace holds an OAuthClient or a ProtectedResource, or is Lanyard's own.
	needed bool
	// held is the ConfigMap that is there; nil: there is none.
	held *corev1.ConfigMap
	// current are the roots of the files, remembered those of the memory.
	current, remembered []*x509.Certificate
}

func (r *reconciler) observe(ctx context.Context, namespace string) (observation, error) {
	o := observation{current: r.bundle.current()}
	var err error
	if o.needed, err = r.needed(ctx, namespace); err != nil {
		return o, err
	}
	if o.held, err = r.get(ctx, namespace); err != nil {
		return o, err
	}
	memory := o.held
	if namespace != r.namespace {
		if memory, err = r.get(ctx, r.namespace); err != nil {
			return o, err
		}
	}
	if memory != nil && ours(memory) {
		// Whoever may write ConfigMaps in Lanyard's namespace may have spoilt it: what
		// cannot be read is forgotten, and written anew.
		o.remembered, _ = parseRoots([]byte(memory.Data[v1alpha1.KeyCA]))
	}
	return o, nil
}

func (r *reconciler) needed(ctx context.Context, namespace string) (bool, error) {
	if namespace == r.namespace {
		return true, nil
	}
	var clients v1alpha1.OAuthClientList
	var resources v1alpha1.ProtectedResourceList
	in := []client.ListOption{client.InNamespace(namespace), client.UnsafeDisableDeepCopy}
	if err := errors.Join(r.reader.List(ctx, &clients, in...), r.reader.List(ctx, &resources, in...)); err != nil {
		return false, err
	}
	return slices.ContainsFunc(clients.Items, func(c v1alpha1.OAuthClient) bool { return !rules.Gone(&c) }) ||
		slices.ContainsFunc(resources.Items, func(p v1alpha1.ProtectedResource) bool { return !rules.Gone(&p) }), nil
}

// get returns the ConfigMap of a namespace, nil if there is none. That there is none it takes
// from the API server alone: an apply overwrites without a conflict what Lanyard itself has just
// made and the cache does not hold yet, and with it a root that pods still verify with.
func (r *reconciler) get(ctx context.Context, namespace string) (*corev1.ConfigMap, error) {
	held := &corev1.ConfigMap{}
	err := r.configMaps.Get(ctx, in(namespace), held)
	if err == nil {
		return held, nil
	}
	if !apierrors.IsNotFound(err) {
		return nil, err
	}
	// A list, which RBAC can hold to the one name, and which the cache needs anyway.
	var list corev1.ConfigMapList
	err = r.live.List(ctx, &list, client.InNamespace(namespace), client.MatchingFields{metav1.ObjectNameField: v1alpha1.ConfigMapCA})
	if err != nil || len(list.Items) == 0 {
		return nil, err
	}
	digested(&list.Items[0], r.namespace)
	return &list.Items[0], nil
}

// digested replaces what a ConfigMap holds by its digest, except in Lanyard's own
// namespace: whoever may write the ConfigMap in theirs could fill a megabyte each.
func digested(held *corev1.ConfigMap, own string) {
	held.ManagedFields, held.Annotations = nil, nil
	if _, ok := held.BinaryData[v1alpha1.KeyCA]; ok {
		held.BinaryData = map[string][]byte{v1alpha1.KeyCA: nil} // that it is there
	} else {
		held.BinaryData = nil
	}
	if text, ok := held.Data[v1alpha1.KeyCA]; ok && held.Namespace != own {
		held.Data = map[string]string{v1alpha1.KeyCA: digest(text)}
	} else if !ok {
		held.Data = nil
	}
}
