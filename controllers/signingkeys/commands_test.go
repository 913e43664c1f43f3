package signingkeys

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/lanyard-dev/lanyard/api/v1alpha1"
	"github.com/lanyard-dev/lanyard/issuer/keyring"
)

func TestOrders(t *testing.T) {
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	key := func(id string, from time.Time) keyring.Key { return keyring.Key{ID: id, SignsFrom: from} }
	ring := keyring.Ring{}.With(key("old", now.Add(-2*time.Hour)), time.Hour).With(key("this", now.Add(-time.Minute)), time.Hour).With(key("next", now.Add(time.Hour)), time.Hour)
	const rotate, drop = v1alpha1.AnnotationRotate, v1alpha1.AnnotationDropKey
	all := "old (has signed), this (signs), next (will sign)"
	tests := map[string]struct {
		annotations map[string]string
		ring        keyring.Ring
		want        keyring.Commands
		done        []string
		refuses     []string
	}{
		"nothing":                                 {map[string]string{"other": "x"}, ring, keyring.Commands{}, nil, nil},
		"rotate, whatever the value":              {map[string]string{rotate: ""}, ring, keyring.Commands{Rotate: true}, []string{rotate}, nil},
		"drop the key that signs":                 {map[string]string{drop: "current"}, ring, keyring.Commands{Drop: "this"}, []string{drop}, nil},
		"drop by kid":                             {map[string]string{drop: "old"}, ring, keyring.Commands{Drop: "old"}, []string{drop}, nil},
		"both":                                    {map[string]string{drop: "next", rotate: "now"}, ring, keyring.Commands{Rotate: true, Drop: "next"}, []string{rotate, drop}, nil},
		"drop the current one of an empty ring":   {map[string]string{drop: "current"}, keyring.Ring{}, keyring.Commands{}, []string{drop}, nil},
		"an unknown kid is refused, and stays":    {map[string]string{drop: "thiz"}, ring, keyring.Commands{}, nil, []string{`"thiz"`, all, `"current"`}},
		"an empty shell variable is refused":      {map[string]string{drop: ""}, ring, keyring.Commands{}, nil, []string{`""`, all}},
		"a kid of nothing":                        {map[string]string{drop: "this"}, keyring.Ring{}, keyring.Commands{}, nil, []string{"none"}},
		"a refused drop does not stop a rotation": {map[string]string{drop: "CURRENT", rotate: ""}, ring, keyring.Commands{Rotate: true}, []string{rotate}, []string{all}},
		"a long value is not repeated":            {map[string]string{drop: strings.Repeat("x", 100)}, ring, keyring.Commands{}, nil, []string{`"` + strings.Repeat("x", 64) + `"`}},
	}
	for sentence, test := range tests {
		t.Run(sentence, func(t *testing.T) {
			got := ordersOn(&corev1.Secret{ObjectMeta: metav1.ObjectMeta{Annotations: test.annotations}}, test.ring, now)
			if diff := cmp.Diff(test.want, got.Commands); diff != "" {
				t.Errorf("commands (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(test.done, got.done); diff != "" {
				t.Errorf("annotations that go (-want +got):\n%s", diff)
			}
			if (got.refusal != "") != (test.refuses != nil) {
				t.Errorf("refusal: %q", got.refusal)
			}
			for _, part := range test.refuses {
				if !strings.Contains(got.refusal, part) {
					t.Errorf("the refusal %q does not say %s", got.refusal, part)
				}
			}
		})
	}
	if got := ordersOn(nil, keyring.Ring{}, now); got.Rotate || got.Drop != "" || got.refusal != "" {
		t.Errorf("without a Secret: %+v", got)
	}
}
