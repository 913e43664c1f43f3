package access

import (
	"context"
	"encoding/json"
	"iter"
	"maps"
	"strings"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// attack is what a person tries with an object: to make it what it must not be, in
// every way that the API server has.
type attack struct {
	by              client.Client
	kind, namespace string
	// owner makes, in good order, what the person then changes.
	owner client.Client
	// good is a spec that may be. Each call's is another one.
	good func() spec
	// bad makes it one that must not.
	bad func(spec)
}

// way is one of the API server's.
type way string

const (
	creates     way = "create"
	generates   way = "create with a generated name"
	appliesNew  way = "apply what is not there"
	updates     way = "update"
	merges      way = "merge patch"
	patches     way = "JSON patch"
	applies     way = "apply over it"
	recreates   way = "delete and create again"
	writeStatus way = "update of the status"
)

// result is what came of an attack in one way.
type result struct {
	way way
	// err is what the API server said.
	err error
	// now is the object as it then is; nil: there is none.
	now *unstructured.Unstructured
}

// fresh says whether the way makes a new object.
func (r result) fresh() bool {
	return r.way == creates || r.way == generates || r.way == appliesNew || r.way == recreates
}

// each carries out the attack in each way, each time with another object.
func (a attack) each(t *testing.T) iter.Seq[result] {
	t.Helper()
	return func(yield func(result) bool) {
		for _, w := range []way{creates, generates, appliesNew, updates, merges, patches, applies, recreates, writeStatus} {
			o := object(a.kind, a.namespace, harmless(a.kind, a.namespace).GetName(), a.good())
			switch w {
			case creates, appliesNew:
			case generates:
				o.SetName("")
				o.SetGenerateName("x-")
			default:
				if err := apply(t, a.owner, o); err != nil {
					t.Fatalf("%s: what the attack begins with: %v", w, err)
				}
			}
			r := result{way: w, err: a.once(t, w, o)}
			if o.GetName() != "" { // it was not refused before it had one
				r.now = stored(t, o)
			}
			if !yield(r) {
				return
			}
		}
	}
}

// once carries out the attack, again where the controller's status was quicker.
func (a attack) once(t *testing.T, w way, o *unstructured.Unstructured) error {
	t.Helper()
	was := maps.Clone(o.Object["spec"].(spec))
	wanted := o.DeepCopy()
	a.bad(wanted.Object["spec"].(spec))
	is := wanted.Object["spec"].(spec)
	switch w { //nolint:exhaustive // the rest is updates
	case creates:
		return a.by.Create(t.Context(), wanted)
	case generates:
		err := a.by.Create(t.Context(), wanted)
		o.SetName(wanted.GetName())
		return err
	case appliesNew, applies:
		return apply(t, a.by, wanted)
	case merges:
		merged := maps.Clone(is)
		for field := range was {
			if _, ok := is[field]; !ok {
				merged[field] = nil // taken away
			}
		}
		return a.by.Patch(t.Context(), wanted, client.RawPatch(types.MergePatchType, encode(t, spec{"spec": merged})))
	case patches:
		return a.by.Patch(t.Context(), wanted, client.RawPatch(types.JSONPatchType, encode(t, []spec{{"op": "replace", "path": "/spec", "value": is}})))
	case recreates:
		if err := a.by.Delete(t.Context(), o); err != nil {
			return err
		}
		return a.by.Create(t.Context(), wanted)
	}
	for { // update, and of the status
		now := stored(t, o)
		now.Object["spec"] = is
		write := a.by.Update
		if w == writeStatus {
			now.Object["status"] = changed
			write = func(ctx context.Context, o client.Object, _ ...client.UpdateOption) error {
				return a.by.Status().Update(ctx, o)
			}
		}
		if err := write(t.Context(), now); !apierrors.IsConflict(err) {
			return err
		}
	}
}

// refused fails if the API server did not refuse, in one of these words. The status is
// refused to people whatever is in it.
func refused(t *testing.T, r result, words ...string) {
	t.Helper()
	if r.err == nil {
		t.Errorf("%s: done; want a refusal of %v", r.way, r.now.Object["spec"])
		return
	}
	if r.way == writeStatus {
		if !apierrors.IsForbidden(r.err) {
			t.Errorf("%s: refused with %v; want that the status is forbidden", r.way, r.err)
		}
		return
	}
	for _, says := range words {
		if strings.Contains(r.err.Error(), says) {
			return
		}
	}
	t.Errorf("%s: refused with %v\nwant it to say one of %q", r.way, r.err, words)
}

func encode(t *testing.T, value any) []byte {
	t.Helper()
	data, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	return data
}
