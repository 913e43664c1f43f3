package rules_test

import (
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/lanyard-dev/lanyard/issuer/rules"
)

func TestMark(t *testing.T) {
	long := strings.Repeat("a", 49)
	for sentence, tc := range map[string]struct{ name, want string }{
		"a name is its own mark": {"checkout", "checkout"},
		"also with dots":         {"checkout.v2", "checkout.v2"},
		"63 bytes are not cut":   {strings.Repeat("c", 63), strings.Repeat("c", 63)},
		"a longer one is cut, and ends in a part of its hash": {strings.Repeat("c", 64), strings.Repeat("c", 50) + "_52b6419d27bd"},
	} {
		t.Run(sentence, func(t *testing.T) {
			got := rules.Mark(tc.name)
			if got != tc.want {
				t.Errorf("Mark(%q) = %q, want %q", tc.name, got, tc.want)
			}
			if wrong := validation.IsValidLabelValue(got); len(wrong) > 0 {
				t.Errorf("%q is no label value: %v", got, wrong)
			}
		})
	}
	if rules.Mark(long+"."+strings.Repeat("x", 50)) == rules.Mark(long+"."+strings.Repeat("y", 50)) {
		t.Error("two names that begin alike have one mark")
	}
}
