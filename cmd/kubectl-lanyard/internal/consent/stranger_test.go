package consent

import (
	"errors"
	"strings"
	"testing"

	"github.com/lanyard-dev/lanyard/api/v1alpha1"
)

// A misspelt client is warned of, in all of what can be known of it.
func TestStranger(t *testing.T) {
	waits := func(clients ...string) *v1alpha1.AppRole {
		r := &v1alpha1.AppRole{}
		for _, c := range clients {
			namespace, name, _ := strings.Cut(c, "/")
			r.Status.Pending = append(r.Status.Pending, v1alpha1.ClientReference{Namespace: namespace, Name: name})
		}
		return r
	}
	many := waits("shop/cart")
	count := int32(51)
	many.Status.PendingCount = &count
	decided := func(a *v1alpha1.AppRoleAssignment) facts {
		return facts{assignments: []*v1alpha1.AppRoleAssignment{a}}
	}
	tests := map[string]struct {
		seen observed
		want []string // in what is said; none: nothing is
	}{
		"it is there":                            {observed{role: waits(), facts: facts{client: &v1alpha1.OAuthClient{}}}, nil},
		"it is not there":                        {observed{role: waits(), missing: errors.New("there is no OAuthClient; did you mean checkin?")}, []string{"there is no OAuthClient; did you mean checkin?"}},
		"unread, and it waits":                   {observed{role: waits("shop/cart", "shop/checkout"), unread: true}, nil},
		"unread, and a decision names it":        {observed{role: waits(), unread: true, facts: decided(of("orders-write", "checkout", said("a", approved, 0, "")))}, nil},
		"unread, and more wait than are listed":  {observed{role: many, unread: true}, nil},
		"unread, and nothing knows it":           {observed{role: waits(), unread: true}, []string{"no client shop/checkout is known here", "you may not read namespace shop"}},
		"unread, and a decision names another":   {observed{role: waits(), unread: true, facts: decided(of("orders-read", "cart", said("a", approved, 0, "")))}, []string{"no client shop/checkout is known here"}},
		"unread, and whole namespaces are named": {observed{role: waits(), unread: true, facts: decided(selecting("a", approved, "shop", 0))}, []string{"no client shop/checkout is known here"}},
		"unread, and one of that sound waits":    {observed{role: waits("bank/teller", "shop/chekcout"), unread: true}, []string{"did you mean shop/chekcout?"}},
		"unread, and others wait":                {observed{role: waits("bank/teller"), unread: true}, []string{"there wait bank/teller"}},
	}
	for sentence, test := range tests {
		t.Run(sentence, func(t *testing.T) {
			got := stranger(wants(approved), test.seen)
			if (got == "") != (len(test.want) == 0) {
				t.Errorf("it says %q", got)
			}
			for _, want := range test.want {
				if !strings.Contains(got, want) {
					t.Errorf("it says %q; want %q", got, want)
				}
			}
		})
	}
}
