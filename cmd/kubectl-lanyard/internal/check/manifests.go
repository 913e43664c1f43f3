package check

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/yaml"

	"github.com/lanyard-dev/lanyard/config"
)

// object is a manifest, or what the API server has, as JSON is decoded.
type object = map[string]any

// manifests reads the objects of the files that match, each file by itself, as they are
// where Lanyard runs in the namespace lanyard.
func manifests(pattern, lanyard string) ([][]object, error) {
	names, err := fs.Glob(config.Manifests, pattern)
	if err != nil {
		return nil, err
	}
	var all [][]object
	for _, name := range names {
		data, err := config.Manifests.ReadFile(name)
		if err != nil {
			return nil, err
		}
		data = bytes.ReplaceAll(data, []byte("lanyard-system"), []byte(lanyard))
		var file []object
		for document := range bytes.SplitSeq(data, []byte("\n---\n")) {
			var o object
			if err := yaml.Unmarshal(document, &o); err != nil {
				return nil, fmt.Errorf("%s: %w", name, err)
			}
			if len(o) > 0 {
				file = append(file, o)
			}
		}
		all = append(all, file)
	}
	return all, nil
}

// installed makes a check for each file that matches: its objects are there, are of this
// version, and judge finds them good.
func (p *probe) installed(pattern, hint string, judge func(o object, now time.Time) Result) ([]check, error) {
	files, err := manifests(pattern, p.lanyard)
	if err != nil {
		return nil, err
	}
	var all []check
	for _, file := range files {
		all = append(all, check{shortKind(file[0]) + " " + nameOf(file[0]), func(ctx context.Context) Result {
			var results []Result
			for _, want := range file {
				results = append(results, p.compare(ctx, want, hint, judge))
			}
			return worst(results...)
		}})
	}
	return all, nil
}

// compare compares one object with the one that is installed.
func (p *probe) compare(ctx context.Context, want object, hint string, judge func(o object, now time.Time) Result) Result {
	u := &unstructured.Unstructured{Object: object{"apiVersion": want["apiVersion"], "kind": want["kind"]}}
	err := p.Get(ctx, types.NamespacedName{Name: nameOf(want)}, u)
	what := fmt.Sprintf("%s %s", want["kind"], nameOf(want))
	if apierrors.IsNotFound(err) {
		return fail(hint, "there is no %s", what)
	}
	if r, done := unseen(err, what); done {
		return r
	}
	got, err := plain(u.Object)
	if err != nil {
		return unclear(err)
	}
	result := judge(got, p.now())
	if path := missing(withoutLists(want)["spec"], got["spec"], "spec"); path != "" {
		result = worst(result, otherVersion(what, path))
	}
	if path := missing(webhooksOf(want), webhooksOf(got), "webhooks"); path != "" {
		result = worst(result, otherVersion(what, path))
	}
	return result
}

func otherVersion(what, path string) Result {
	return warn("Install the manifests of the version that runs, or use the kubectl lanyard of that version.", "%s is not that of this version: %s differs", what, path)
}

// missing returns the path of the first thing in want that is not so in got. What got
// has beside does not count: the API server fills in what was left out.
func missing(want, got any, path string) string {
	switch want := want.(type) {
	case object:
		g, _ := got.(object)
		for _, name := range slices.Sorted(maps.Keys(want)) {
			if m := missing(want[name], g[name], path+"."+name); m != "" {
				return m
			}
		}
		return ""
	case []any:
		g, _ := got.([]any)
		if len(want) != len(g) {
			return path
		}
		for i := range want {
			if m := missing(want[i], g[i], fmt.Sprintf("%s[%d]", path, i)); m != "" {
				return m
			}
		}
		return ""
	case nil:
		return ""
	case string:
		g, _ := got.(string)
		if strings.TrimSpace(want) == strings.TrimSpace(g) {
			return ""
		}
	default:
		if want == got || got == nil && (want == false || want == 0.0) {
			return ""
		}
	}
	return path
}

// webhooksOf are the webhooks of a configuration without where they are: the manifests
// name a Service, and an installation may use a URL.
func webhooksOf(o object) any {
	list, _ := o["webhooks"].([]any)
	all := make([]any, 0, len(list))
	for _, w := range list {
		if w, ok := w.(object); ok {
			w = maps.Clone(w)
			delete(w, "clientConfig")
			all = append(all, w)
		}
	}
	return all
}

// withoutLists is a manifest without the variables of lanyard-mark that each installation
// writes itself: its images and its issuer. judgeLists looks at them.
func withoutLists(o object) object {
	variables, _, _ := unstructured.NestedSlice(o, "spec", "variables")
	if nameOf(o) != policyMark || len(variables) == 0 {
		return o
	}
	for _, v := range variables {
		if v, ok := v.(object); ok && (v["name"] == "images" || v["name"] == "audience") {
			delete(v, "expression")
		}
	}
	o = runtime.DeepCopyJSON(o)
	_ = unstructured.SetNestedSlice(o, variables, "spec", "variables") // it was there
	return o
}

// plain is o as JSON is decoded, with all numbers of one type.
func plain(o object) (object, error) {
	data, err := json.Marshal(o)
	if err != nil {
		return nil, err
	}
	var out object
	err = json.Unmarshal(data, &out)
	return out, err
}

func nameOf(o object) string {
	metadata, _ := o["metadata"].(object)
	name, _ := metadata["name"].(string)
	return name
}

func shortKind(o object) string {
	switch o["kind"] {
	case "CustomResourceDefinition":
		return "kind"
	case "ValidatingAdmissionPolicy":
		return "policy"
	case "MutatingWebhookConfiguration":
		return "mutating webhooks"
	}
	return "validating webhooks"
}

// unseen is the result where something could not be seen.
func unseen(err error, what string) (Result, bool) {
	switch {
	case err == nil:
		return Result{}, false
	case apierrors.IsForbidden(err):
		return notSeen("%s %s", closedTo, what), true
	}
	return unclear(err), true
}

func unclear(err error) Result { return fail("", untold+"%v", err) }

// untold begins what is found where nobody could tell.
const untold = "could not be told: "
