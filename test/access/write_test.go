package access

import (
	"cmp"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// fieldOwner is under what name people apply.
const fieldOwner = "kubectl"

// changed is a status that any kind may have.
var changed = spec{"observedGeneration": int64(7)}

// do does one thing in one of the ways that the API server has, as kubectl would.
// Where the controller was quicker it is done again, to the newer object.
func do(t *testing.T, by client.Client, way string, o *unstructured.Unstructured) error {
	t.Helper()
	for {
		err := doOnce(t, by, way, o.DeepCopy())
		if !apierrors.IsConflict(err) {
			return err
		}
		o = stored(t, o)
	}
}

func doOnce(t *testing.T, by client.Client, way string, o *unstructured.Unstructured) error {
	t.Helper()
	switch way {
	case "get+list":
		list := &unstructured.UnstructuredList{}
		list.SetGroupVersionKind(o.GroupVersionKind())
		return cmp.Or(by.Get(t.Context(), client.ObjectKeyFromObject(o), o), by.List(t.Context(), list, client.InNamespace(o.GetNamespace())))
	case "create":
		return by.Create(t.Context(), o)
	case "update":
		o.SetAnnotations(map[string]string{"changed": "yes"})
		return by.Update(t.Context(), o)
	case "patch":
		return by.Patch(t.Context(), o, client.RawPatch(types.MergePatchType, []byte(`{"metadata":{"annotations":{"changed":"yes"}}}`)))
	case "apply":
		return apply(t, by, o)
	case "delete":
		return by.Delete(t.Context(), o)
	case "deletecollection":
		return by.DeleteAllOf(t.Context(), o, client.InNamespace(o.GetNamespace()), client.MatchingLabels(o.GetLabels()))
	case "update/status":
		o.Object["status"] = changed
		return by.Status().Update(t.Context(), o)
	case "patch/status":
		return by.Status().Patch(t.Context(), o, client.RawPatch(types.MergePatchType, []byte(`{"status":{"observedGeneration":7}}`)))
	case "apply/status":
		only := object(o.GetKind(), o.GetNamespace(), o.GetName(), nil)
		only.Object = map[string]any{"apiVersion": o.GetAPIVersion(), "kind": o.GetKind(), "metadata": only.Object["metadata"], "status": changed}
		return by.Status().Apply(t.Context(), client.ApplyConfigurationFromUnstructured(only), client.FieldOwner(fieldOwner), client.ForceOwnership)
	}
	t.Fatalf("%q is no verb", way)
	return nil
}

// apply is server-side apply, with force.
func apply(t *testing.T, by client.Client, o *unstructured.Unstructured) error {
	t.Helper()
	return by.Apply(t.Context(), client.ApplyConfigurationFromUnstructured(o.DeepCopy()), client.FieldOwner(fieldOwner), client.ForceOwnership)
}
