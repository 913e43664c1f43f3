package cli_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lanyard-dev/lanyard/cmd/kubectl-lanyard/internal/cli"
)

func TestMissingSaysWhatMayBeMeant(t *testing.T) {
	tests := map[string]struct {
		name  string
		names []string
		want  string
	}{
		"letters that changed places": {"chekcout", []string{"cart", "checkout", "search"}, `did you mean checkout?`},
		"the nearest comes first":     {"orders-red", []string{"orders-write", "orders-read", "orders-reads"}, `did you mean orders-read, orders-reads?`},
		"a part of the name":          {"read", []string{"orders-read", "orders-write"}, `did you mean orders-read?`},
		"nothing like it, so all":     {"x", []string{"cart", "pay"}, `there are cart, pay`},
		"nothing like it, and many":   {"q", []string{"aa", "bb", "cc", "dd", "ee", "ff", "gg", "hh"}, `there are aa, bb, cc, dd, ee, ff and 2 more`},
		"nothing at all":              {"x", nil, `which has none at all; another namespace is written NAMESPACE/NAME, or with -n`},
	}
	for sentence, test := range tests {
		t.Run(sentence, func(t *testing.T) {
			got := cli.Missing("OAuthClient", "shop", test.name, test.names).Error()
			_, after, _ := cutAfter(got, "in namespace shop")
			if diff := cmp.Diff(test.want, after); diff != "" {
				t.Errorf("%s (-want +got):\n%s", got, diff)
			}
		})
	}
}
