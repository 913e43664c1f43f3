package webhook

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	admissionv1 "k8s.io/api/admission/v1"
	authenticationv1 "k8s.io/api/authentication/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"
)

var noon = time.Date(2026, 5, 1, 12, 0, 0, 987, time.FixedZone("", 3600))

const (
	noonText = "2026-05-01T11:00:00Z"
	monday   = "2026-04-27T08:00:00Z"
)

func TestWhoDecided(t *testing.T) {
	stored := func(edits ...func(spec)) spec {
		s := spec{"roleRef": map[string]any{"name": "reads"}, decision: "Approved", expiresAt: "2027-01-01T00:00:00Z", decidedBy: "alice", decidedAt: monday}
		for _, edit := range edits {
			edit(s)
		}
		return s
	}
	set := func(field string, value any) func(spec) { return func(s spec) { s[field] = value } }
	without := func(fields ...string) func(spec) {
		return func(s spec) {
			for _, f := range fields {
				delete(s, f)
			}
		}
	}
	bobNow := []operation{{"add", "/spec/decidedBy", "bob"}, {"add", "/spec/decidedAt", noonText}}
	kept := []operation{{"add", "/spec/decidedBy", "alice"}, {"add", "/spec/decidedAt", monday}}
	none := without(decidedBy, decidedAt)
	tests := map[string]struct {
		before, after spec
		want          []operation
		warns         []string // a part of each warning
	}{
		"a new decision is who made it":              {nil, stored(none), bobNow, nil},
		"a new one with another's name":              {nil, stored(), bobNow, []string{`spec.decidedBy: "alice" is not kept: it is written by Lanyard's admission, and is "bob"`, `spec.decidedAt: "2026-04-27T08:00:00Z" is not kept`}},
		"a new one with another time":                {nil, stored(set(decidedBy, "bob")), bobNow[1:], []string{"spec.decidedAt"}},
		"a new one with a time to come":              {nil, stored(set(decidedBy, "bob"), set(decidedAt, "2026-05-01T11:00:01Z")), bobNow[1:], []string{"spec.decidedAt"}},
		"a new one that came here before":            {nil, stored(set(decidedBy, "bob"), set(decidedAt, noonText)), nil, nil},
		"a new one that came here a second ago":      {nil, stored(set(decidedBy, "bob"), set(decidedAt, "2026-05-01T10:59:59Z")), bobNow[1:], nil},
		"a new one with something else than a name":  {nil, stored(set(decidedBy, map[string]any{"a": 1}), without(decidedAt)), bobNow, []string{"what was given is not kept"}},
		"a new one with a very long name":            {nil, stored(set(decidedBy, strings.Repeat("é", 500)), without(decidedAt)), bobNow, []string{strings.Repeat("é", 100) + `"… is not kept`}},
		"the same again":                             {stored(), stored(), nil, nil},
		"the same again without the record":          {stored(), stored(none), kept, nil},
		"the same again by another name":             {stored(), stored(set(decidedBy, "mallory")), kept[:1], []string{`"mallory" is not kept: it is written by Lanyard's admission, and is "alice"`}},
		"the same again at another time":             {stored(), stored(set(decidedAt, "2025-01-01T00:00:00Z")), kept[1:], []string{"spec.decidedAt"}},
		"the same again at another time, just now":   {stored(), stored(set(decidedBy, "bob"), set(decidedAt, noonText)), kept, []string{"spec.decidedBy", "spec.decidedAt"}},
		"the same instant written otherwise":         {stored(), stored(set(expiresAt, "2027-01-01T01:00:00.0+01:00")), nil, nil},
		"an empty reason instead of none":            {stored(), stored(set(reason, "")), nil, nil},
		"the other decision":                         {stored(), stored(set(decision, "Denied"), without(expiresAt)), bobNow, nil},
		"the other decision, without the record":     {stored(), stored(set(decision, "Denied"), none), bobNow, nil},
		"the other decision in a third one's name":   {stored(), stored(set(decision, "Denied"), set(decidedBy, "carol")), bobNow, []string{`"carol" is not kept`}},
		"a later end":                                {stored(), stored(set(expiresAt, "2028-01-01T00:00:00Z")), bobNow, nil},
		"no end":                                     {stored(), stored(without(expiresAt)), bobNow, nil},
		"an end a nanosecond later":                  {stored(), stored(set(expiresAt, "2027-01-01T00:00:00.000000001Z")), bobNow, nil},
		"an end that is none":                        {stored(), stored(set(expiresAt, "soon")), bobNow, nil},
		"a reason":                                   {stored(), stored(set(reason, "they asked")), bobNow, nil},
		"another field":                              {stored(), stored(set("clientRef", "x")), nil, nil},
		"older than the webhook, the same again":     {stored(none), stored(none), nil, nil},
		"older than the webhook, and a forged name":  {stored(none), stored(), []operation{{Op: "remove", Path: "/spec/decidedBy"}, {Op: "remove", Path: "/spec/decidedAt"}}, []string{"and is absent", "and is absent"}},
		"older than the webhook, and decided anew":   {stored(none), stored(none, set(decision, "Denied")), bobNow, nil},
		"a name that differs in case of its field's": {stored(), stored(set("decidedby", "mallory")), nil, nil},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			got, warnings := whoDecided(test.before, test.after, "bob", noon)
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("patch (-want +got):\n%s", diff)
			}
			if len(warnings) != len(test.warns) {
				t.Fatalf("warnings %q; want %d", warnings, len(test.warns))
			}
			for i, w := range test.warns {
				if !strings.Contains(warnings[i], w) {
					t.Errorf("warning %q; want %q in it", warnings[i], w)
				}
			}
		})
	}
}

func TestWhoDecidedAnswersWhateverComes(t *testing.T) {
	h := &handlers{now: func() time.Time { return noon }}
	tests := map[string]struct {
		operation   admissionv1.Operation
		object, old string
		allowed     bool
		patch       string
	}{
		"a new decision":        {admissionv1.Create, `{"spec":{"decision":"Denied"}}`, "", true, `[{"op":"add","path":"/spec/decidedBy","value":"bob"},{"op":"add","path":"/spec/decidedAt","value":"` + noonText + `"}]`},
		"no spec":               {admissionv1.Create, `{}`, "", true, ""},
		"a spec that is null":   {admissionv1.Create, `{"spec":null}`, "", true, ""},
		"a spec that is a text": {admissionv1.Create, `{"spec":"x"}`, "", false, ""},
		"no object":             {admissionv1.Create, ``, "", false, ""},
		"an update of no spec":  {admissionv1.Update, `{"spec":{"decidedBy":"x"}}`, `{}`, true, `[{"op":"remove","path":"/spec/decidedBy"}]`},
		"an update of nothing":  {admissionv1.Update, `{"spec":{}}`, ``, false, ""},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			r := h.handleWhoDecided(t.Context(), admission.Request{AdmissionRequest: admissionv1.AdmissionRequest{
				Operation: test.operation, UserInfo: authenticationv1.UserInfo{Username: "bob"},
				Object: runtime.RawExtension{Raw: []byte(test.object)}, OldObject: runtime.RawExtension{Raw: []byte(test.old)},
			}})
			if r.Allowed != test.allowed || string(r.Patch) != test.patch {
				t.Errorf("allowed %t, patch %s; want %t, %s", r.Allowed, r.Patch, test.allowed, test.patch)
			}
		})
	}
}

// Whatever comes, what is stored names the user and now, or what was stored before; and
// a second call finds nothing to do.
func FuzzWhoDecided(f *testing.F) {
	f.Add(`{"spec":{"decision":"Approved"}}`, `{"spec":{"decision":"Denied","decidedBy":"x"}}`, true)
	f.Add(`{"spec":{"decision":1,"expiresAt":{"a":[null]},"decidedBy":"a","decidedAt":"b"}}`, `{"spec":{"decidedBy":null}}`, true)
	f.Add(``, `{"spec":{"decidedAt":[]},"Spec":{"decidedBy":"y"}}`, false)
	f.Fuzz(func(t *testing.T, old, object string, update bool) {
		after, err := specOf([]byte(object))
		if err != nil || after == nil {
			return
		}
		var before spec
		if update {
			if before, err = specOf([]byte(old)); err != nil || before == nil {
				return
			}
		}
		anew := decidedAnew(before, after)
		patch, _ := whoDecided(before, after, "bob", noon)
		if _, err := json.Marshal(patch); err != nil {
			t.Fatalf("the patch cannot be written: %v", err)
		}
		for _, o := range patch {
			field := strings.TrimPrefix(o.Path, "/spec/")
			if o.Op == "remove" {
				delete(after, field)
			} else {
				after[field] = o.Value
			}
		}
		want := spec{decidedBy: "bob", decidedAt: noonText}
		if !anew {
			want = spec{}
			for _, field := range []string{decidedBy, decidedAt} {
				if value, ok := before[field]; ok {
					want[field] = value
				}
			}
		}
		got := spec{}
		for _, field := range []string{decidedBy, decidedAt} {
			if value, ok := after[field]; ok {
				got[field] = value
			}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		if patch, warnings := whoDecided(before, after, "bob", noon); len(patch)+len(warnings) > 0 {
			t.Errorf("a second time: %v, %q", patch, warnings)
		}
	})
}
