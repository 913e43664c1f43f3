package index

import (
	"maps"
	"strings"

	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/predicate"

	"github.com/lanyard-dev/lanyard/api/v1alpha1"
)

// SpecChanged lets through what can concern others: objects that come and go, that
// were replaced by one of the same name, and new specs and labels. Being deleted is
// going, whether or not a finalizer holds the object. A status never concerns
// others: each controller judges by what people declare.
func SpecChanged() predicate.Predicate {
	return predicate.Funcs{UpdateFunc: func(e event.UpdateEvent) bool {
		return e.ObjectOld.GetUID() != e.ObjectNew.GetUID() ||
			e.ObjectOld.GetGeneration() != e.ObjectNew.GetGeneration() ||
			(e.ObjectOld.GetDeletionTimestamp() == nil) != (e.ObjectNew.GetDeletionTimestamp() == nil) ||
			!maps.Equal(e.ObjectOld.GetLabels(), e.ObjectNew.GetLabels())
	}}
}

// PolicyChanged lets through namespaces that come and go, new labels of them, and new
// annotations of Lanyard's. What others keep in annotations is theirs.
func PolicyChanged() predicate.Predicate {
	return predicate.Funcs{UpdateFunc: func(e event.UpdateEvent) bool {
		return e.ObjectOld.GetUID() != e.ObjectNew.GetUID() ||
			!maps.Equal(e.ObjectOld.GetLabels(), e.ObjectNew.GetLabels()) ||
			!maps.Equal(policyOf(e.ObjectOld), policyOf(e.ObjectNew))
	}}
}

// policyOf are the annotations that rules.ParseNamespace may read.
func policyOf(ns client.Object) map[string]string {
	policy := map[string]string{}
	for key, value := range ns.GetAnnotations() {
		if strings.HasPrefix(key, v1alpha1.SchemeGroupVersion.Group+"/") {
			policy[key] = value
		}
	}
	return policy
}
