package clientauth_test

import (
	"testing"

	"github.com/lanyard-dev/lanyard/api/v1alpha1"
	"github.com/lanyard-dev/lanyard/issuer/clientauth"
	"github.com/lanyard-dev/lanyard/issuer/oauth"
	"github.com/lanyard-dev/lanyard/issuer/rules"
)

// requiring has client shop/checkout accept injected pods only, and tokens that are bound
// to no pod if admission allowed it.
func requiring(w *world, boundTo v1alpha1.BoundTo) {
	c, _ := w.registry.ClientByID("shop/checkout")
	c = c.DeepCopy()
	c.Spec.Authentication.ServiceAccounts[0].Admission = v1alpha1.AdmissionRequired
	c.Spec.Authentication.ServiceAccounts[0].BoundTo = boundTo
	w.registry.ApplyClient(c)
}

func TestRefusesAPodWithoutTheMarkOfItsClient(t *testing.T) {
	unbound := func(_, k map[string]any) { delete(k, "pod"); delete(k, "node") }
	for sentence, test := range map[string]struct {
		label    string
		boundTo  v1alpha1.BoundTo
		token    func(claims, kubernetes map[string]any)
		optional bool
		number   oauth.Number
	}{
		"the client's mark":                               {label: rules.Mark("checkout")},
		"no mark":                                         {number: oauth.ErrIdentity},
		"the mark of another client":                      {label: rules.Mark("federated"), number: oauth.ErrIdentity},
		"a mark that begins like the client's":            {label: rules.Mark("checkout") + "-2", number: oauth.ErrIdentity},
		"the client id in place of the name":              {label: "shop.checkout", number: oauth.ErrIdentity},
		"a token bound to no pod, boundTo: Pod":           {token: unbound, number: oauth.ErrIdentity},
		"a token bound to no pod, boundTo: Any":           {token: unbound, boundTo: v1alpha1.BoundToAny, number: oauth.ErrIdentity},
		"a pod with the mark where a token could be free": {label: rules.Mark("checkout"), boundTo: v1alpha1.BoundToAny},
		"no mark where none is asked for":                 {optional: true},
	} {
		t.Run(sentence, func(t *testing.T) {
			w := newWorld(t)
			if !test.optional {
				requiring(w, test.boundTo)
			}
			w.pod.Mark = clientauth.MarkOf(test.label)
			var seen clientauth.Seen
			_, refusal := w.authenticator().Authenticate(t.Context(), clientauth.Presented{
				Assertion: w.token(test.token), AssertionType: oauth.AssertionTypeJWTBearer,
			}, now, &seen)
			switch {
			case test.number == 0 && refusal != nil:
				t.Errorf("refused: %v", refusal)
			case test.number == 0:
			case refusal == nil:
				t.Error("accepted")
			case refusal.Number != test.number || refusal.Reason != "pod_not_admitted" || refusal.Description() != test.number.Text():
				t.Errorf("refused with %d %q: %s", refusal.Number, refusal.Reason, refusal.Description())
			}
		})
	}
}

func TestMarksAreToldApart(t *testing.T) {
	a, again := clientauth.MarkOf("a"), clientauth.MarkOf("a")
	if clientauth.MarkOf("") != 0 || a == 0 || a != again || a == clientauth.MarkOf("b") {
		t.Error("marks are mixed up")
	}
}
