// Package admission proves, on a real API server, what the schemas of the kinds
// accept, what they refuse and in which words, and that nothing that they accept can
// break a client that reads it: an object that cannot work never stops another.
package admission

import (
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/lanyard-dev/lanyard/api/v1alpha1"
	"github.com/lanyard-dev/lanyard/test/testenv"
)

var env *testenv.Environment

func TestMain(m *testing.M) {
	testenv.Main(m, &env, testenv.Options{})
}

type spec = map[string]any

// A table holds for each sentence what is changed in a spec that is accepted, and
// what the refusal says; nothing: it is accepted.
type table map[string]struct {
	edit func(spec)
	says string
}

// object is an object of a kind with the given spec.
func object(kind, namespace string, s spec) *unstructured.Unstructured {
	o := &unstructured.Unstructured{Object: map[string]any{"spec": s}}
	o.SetGroupVersionKind(v1alpha1.SchemeGroupVersion.WithKind(kind))
	o.SetNamespace(namespace)
	o.SetGenerateName("x-")
	return o
}

// creates runs a table of objects that are made.
func (tests table) creates(t *testing.T, kind string, base func() spec) {
	t.Helper()
	namespace := env.Namespace(t, nil, nil).Name
	for sentence, test := range tests {
		t.Run(sentence, func(t *testing.T) {
			s := base()
			test.edit(s)
			o := object(kind, namespace, s)
			err := env.Client.Create(t.Context(), o)
			judge(t, err, test.says)
			if err == nil {
				readable(t, kind, namespace)
			}
		})
	}
}

// updates runs a table of objects that are changed after they were made.
func (tests table) updates(t *testing.T, kind string, base func() spec) {
	t.Helper()
	namespace := env.Namespace(t, nil, nil).Name
	for sentence, test := range tests {
		t.Run(sentence, func(t *testing.T) {
			o := object(kind, namespace, base())
			if err := env.Client.Create(t.Context(), o); err != nil {
				t.Fatal(err)
			}
			test.edit(o.Object["spec"].(spec))
			judge(t, env.Client.Update(t.Context(), o), test.says)
		})
	}
}

func judge(t *testing.T, err error, says string) {
	t.Helper()
	switch {
	case says == "" && err != nil:
		t.Errorf("refused: %v", err)
	case says != "" && err == nil:
		t.Errorf("accepted; want a refusal that says %q", says)
	case err != nil && !strings.Contains(err.Error(), says):
		t.Errorf("refused with %v\nwant it to say %q", err, says)
	}
}

// readable fails if a client of Go types cannot list the kind, as the controllers
// and the issuer do.
func readable(t *testing.T, kind, namespace string) {
	t.Helper()
	lists := map[string]client.ObjectList{
		"OAuthClient":       &v1alpha1.OAuthClientList{},
		"ClientCertificate": &v1alpha1.ClientCertificateList{},
		"ProtectedResource": &v1alpha1.ProtectedResourceList{},
		"AppRole":           &v1alpha1.AppRoleList{},
		"AppRoleAssignment": &v1alpha1.AppRoleAssignmentList{},
		"TokenRevocation":   &v1alpha1.TokenRevocationList{},
	}
	if err := env.Client.List(t.Context(), lists[kind], client.InNamespace(namespace)); err != nil {
		t.Errorf("what was accepted cannot be read any more: %v", err)
	}
}

func set(field string, value any) func(spec) {
	return func(s spec) {
		path := strings.Split(field, ".")
		for _, name := range path[:len(path)-1] {
			if s[name] == nil {
				s[name] = spec{}
			}
			s = s[name].(spec)
		}
		s[path[len(path)-1]] = value
	}
}

func unset(field string) func(spec) {
	return func(s spec) { unstructured.RemoveNestedField(s, strings.Split(field, ".")...) }
}

func both(edits ...func(spec)) func(spec) {
	return func(s spec) {
		for _, edit := range edits {
			edit(s)
		}
	}
}

func nothing(spec) {}

func repeat(n int, value func(i int) any) []any {
	out := make([]any, n)
	for i := range out {
		out[i] = value(i)
	}
	return out
}

// durations adds to a table what every field of a duration refuses: whatever Go or
// Kubernetes cannot read, and what no int64 of nanoseconds can hold.
func (tests table) durations(field, says string) table {
	for _, value := range []any{
		"1d", "1w", "9999999h", "999999h", "999999h999999h999999h", "-10m", "+10m", "10", "", "10 m", "10m ", " 10m", "ten", "1e3s", "1.5h", "10M", "10m\n", "10m10", "∞", "0x10m", "0s",
		"2540400h10m", "999999h9999999h", "100us", "1000000000ns", int64(600), 10.5, true,
		spec{},
		[]any{"10m"},
	} {
		want := says
		if _, ok := value.(string); !ok {
			want = "must be of type string"
		}
		if s, ok := value.(string); ok && len(s) > 16 {
			want = "Too long"
		}
		tests[field+": "+show(value)] = struct {
			edit func(spec)
			says string
		}{set(field, value), want}
	}
	return tests
}

// times does the same for a field of a time. Go reads no offset of 25 hours, and
// writes no year of five digits, which an offset can make of 9999.
func (tests table) times(field string, before func(spec)) table {
	for _, value := range []any{
		"tomorrow", "", "2027-01-01", "2027-01-01T00:00:00", "2027-13-01T00:00:00Z", "2027-02-30T00:00:00Z", "2027-01-01T24:00:00Z", "2027-01-01T00:00:60Z",
		"2027-01-01t00:00:00z", "2027-01-01 00:00:00Z", "2027-01-01T00:00:00+25:00", "2027-01-01T00:00:00+00:60", "2027-01-01T00:00:00.Z", "2027-01-01T00:00:00,5Z",
		"10000-01-01T00:00:00Z", "0001-01-01T00:00:00Z", "0000-01-01T00:00:00+01:00", "9999-12-31T23:59:59-01:00", "1999-12-31T23:59:59Z", "-001-01-01T00:00:00Z", "2027-01-01T00:00:00Z ", int64(1798761600), true,
	} {
		tests[field+": "+show(value)] = struct {
			edit func(spec)
			says string
		}{both(before, set(field, value)), field}
	}
	return tests
}
