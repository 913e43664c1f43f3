package rules_test

import (
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lanyard-dev/lanyard/issuer/oauth"
	"github.com/lanyard-dev/lanyard/issuer/rules"
)

func TestParseScope(t *testing.T) {
	many := func(n int) string {
		var b strings.Builder
		for i := range n {
			b.WriteString("api://orders/r" + strconv.Itoa(i) + " ")
		}
		return b.String()
	}
	tests := map[string]struct {
		scope, resource string
		want            rules.Ask
		refused         oauth.Number
	}{
		"nothing asks for the only resource":           {},
		"blanks ask for nothing":                       {scope: "  "},
		".default asks for every role":                 {scope: "api://orders/.default", want: rules.Ask{Identifier: "api://orders"}},
		"a role narrows":                               {scope: "api://orders/Read", want: rules.Ask{Identifier: "api://orders", Roles: []string{"Read"}}},
		"two roles narrow":                             {scope: "api://orders/Read api://orders/Write ", want: rules.Ask{Identifier: "api://orders", Roles: []string{"Read", "Write"}}},
		"a role twice is once":                         {scope: "api://orders/Read api://orders/Read", want: rules.Ask{Identifier: "api://orders", Roles: []string{"Read"}}},
		"the identifier goes to the last slash":        {scope: "api://orders/v2/Read", want: rules.Ask{Identifier: "api://orders/v2", Roles: []string{"Read"}}},
		"resource alone is like .default":              {resource: "api://orders", want: rules.Ask{Identifier: "api://orders", ByResource: true}},
		"resource with a blank scope is resource":      {scope: " ", resource: "api://orders", want: rules.Ask{Identifier: "api://orders", ByResource: true}},
		"resource may repeat what scope says":          {scope: "api://orders/Read", resource: "api://orders", want: rules.Ask{Identifier: "api://orders", Roles: []string{"Read"}}},
		"__myscopes__ asks for the only resource":      {scope: "urn:opc:idm:__myscopes__"},
		"an expiry asks for a shorter life":            {scope: "api://orders/Read urn:opc:resource:expiry=60", want: rules.Ask{Identifier: "api://orders", Roles: []string{"Read"}, MaxLifetime: time.Minute}},
		"an expiry alone is for the only resource":     {scope: "urn:opc:resource:expiry=3600", want: rules.Ask{MaxLifetime: time.Hour}},
		"an expiry of nothing is refused":              {scope: "urn:opc:resource:expiry=0", refused: oauth.ErrScopeSyntax},
		"a negative expiry is refused":                 {scope: "urn:opc:resource:expiry=-1", refused: oauth.ErrScopeSyntax},
		"an expiry that overflows is refused":          {scope: "urn:opc:resource:expiry=9223372036854775807", refused: oauth.ErrScopeSyntax},
		"two expiries are refused":                     {scope: "urn:opc:resource:expiry=60 urn:opc:resource:expiry=60", refused: oauth.ErrScopeSyntax},
		"resource and scope that disagree are refused": {scope: "api://orders/Read", resource: "api://shop", refused: oauth.ErrScopeMismatch},
		"two resources are refused":                    {scope: "api://orders/Read api://shop/Read", refused: oauth.ErrTwoResources},
		".default beside a role is refused":            {scope: "api://orders/Read api://orders/.default", refused: oauth.ErrScopeSyntax},
		"a word without a slash is refused":            {scope: "openid", refused: oauth.ErrScopeSyntax},
		"an identifier without a role is refused":      {scope: "api://orders/", refused: oauth.ErrScopeSyntax},
		"an identifier alone is refused":               {scope: "api://orders", refused: oauth.ErrScopeSyntax},
		"a role without an identifier is refused":      {scope: "/Read", refused: oauth.ErrScopeSyntax},
		"a quote is refused":                           {scope: `api://orders/"Read"`, refused: oauth.ErrScopeSyntax},
		"a tab is no blank":                            {scope: "api://orders/Read\tapi://orders/Write", refused: oauth.ErrScopeSyntax},
		"a NUL byte is refused":                        {scope: "api://orders/Read\x00", refused: oauth.ErrScopeSyntax},
		"what is not ASCII is refused":                 {scope: "api://orders/Lesén", refused: oauth.ErrScopeSyntax},
		"more than 128 roles are refused":              {scope: many(129), refused: oauth.ErrScopeSyntax},
		"a scope that is too long is refused":          {scope: strings.Repeat("a", 16<<10+1), refused: oauth.ErrScopeSyntax},
		"a resource that is too long is refused":       {resource: "api://" + strings.Repeat("a", 512), refused: oauth.ErrScopeSyntax},
		"a resource that is no identifier is unknown":  {resource: "api://orders/", refused: oauth.ErrNoSuchResource},
	}
	for sentence, test := range tests {
		t.Run(sentence, func(t *testing.T) {
			got, refusal := rules.ParseScope(test.scope, test.resource)
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("ask (-want +got):\n%s", diff)
			}
			if n := number(refusal); n != test.refused {
				t.Errorf("refused with %d, want %d", n, test.refused)
			}
		})
	}
	t.Run("128 roles are not too many", func(t *testing.T) {
		if got, refusal := rules.ParseScope(many(128), ""); refusal != nil || len(got.Roles) != 128 {
			t.Errorf("got %d roles, %v", len(got.Roles), refusal)
		}
	})
}

// number is the catalogue number of a refusal; 0 if there is none.
func number(e *oauth.Error) oauth.Number {
	if e == nil {
		return 0
	}
	return e.Number
}

func FuzzParseScope(f *testing.F) {
	for _, seed := range [][2]string{
		{"", ""},
		{"api://orders/.default", ""},
		{"api://orders/Read api://orders/Write", "api://orders"},
		{"api://orders/Read api://shop/Read", ""},
		{"openid profile", "urn:x:y"},
		{"//// a/b /", "https://x.orders.svc:8443/v2"},
		{"a/\x00", "\xff"},
	} {
		f.Add(seed[0], seed[1])
	}
	f.Fuzz(func(t *testing.T, scope, resource string) {
		ask, refusal := rules.ParseScope(scope, resource)
		if refusal != nil {
			if ask.Identifier != "" || ask.Roles != nil {
				t.Fatalf("a refusal comes with an ask: %+v", ask)
			}
			return
		}
		if ask.Identifier == "" && ask.Roles != nil {
			t.Fatalf("roles of no resource: %+v", ask)
		}
		if ask.Identifier == "" || ask.ByResource {
			return
		}
		// What was read, written again, reads the same.
		again := ask.Identifier + "/.default"
		if ask.Roles != nil {
			again = ask.Identifier + "/" + strings.Join(ask.Roles, " "+ask.Identifier+"/")
		}
		twice, refusal := rules.ParseScope(again, "")
		if refusal != nil && len(again) <= 16<<10 {
			t.Fatalf("%q: %v", again, refusal)
		}
		if diff := cmp.Diff(ask, twice); refusal == nil && diff != "" {
			t.Fatalf("%q reads differently the second time:\n%s", again, diff)
		}
	})
}

func FuzzCanonicalIdentifier(f *testing.F) {
	for _, seed := range []string{"api://orders", "https://x.orders.svc:8443/v2", "urn:a:b", "api://Orders", "api://orders/%2e%2e/x", "api://[::1]/x", "a:/", "https://%6f", "\x00"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, identifier string) {
		if !rules.CanonicalIdentifier(identifier) {
			if rules.IdentifierAllowed(identifier, rules.ParseNamespace("orders", nil, map[string]string{"lanyard.dev/identifiers": identifier}), "cluster.local") {
				t.Fatalf("%q is not canonical, and allowed", identifier)
			}
			return
		}
		if len(identifier) > 512 {
			return
		}
		// It can be asked for in both ways, and is the same in both.
		ask, refusal := rules.ParseScope(identifier+"/.default", identifier)
		if refusal != nil || ask.Identifier != identifier {
			t.Fatalf("%q cannot be asked for: %+v, %v", identifier, ask, refusal)
		}
	})
}

func FuzzParseNamespace(f *testing.F) {
	f.Add("legacy,shop-*", "https://example.com/*", "Issuer/ca", "true", "legacy", "https://example.com/x")
	f.Add("*", "*", "*", "false", "a/b", "api://shop")
	f.Add(",,", "/*", "//", "", "", "https://kubernetes.default.svc")
	f.Fuzz(func(t *testing.T, ids, identifiers, issuers, suspend, id, identifier string) {
		ns := rules.ParseNamespace("shop", nil, map[string]string{
			"lanyard.dev/client-ids": ids, "lanyard.dev/identifiers": identifiers, "lanyard.dev/issuers": issuers, "lanyard.dev/suspend": suspend,
		})
		// Only a plain no lets the namespace go on.
		no := slices.Contains([]string{"", "no", "false", "0"}, strings.ToLower(strings.TrimSpace(suspend)))
		if ns.Suspended == no {
			t.Fatalf("suspend %q: %t", suspend, ns.Suspended)
		}
		c := client()
		c.Spec.ClientID = id
		if strings.Contains(id, "/") && rules.ClientIDAllowed(c, ns) {
			t.Fatalf("client id %q is allowed", id)
		}
		if ids == "" && id != "" && rules.ClientIDAllowed(c, ns) {
			t.Fatalf("client id %q is allowed by nothing", id)
		}
		// Without the annotation only what belongs to the namespace is allowed; with
		// it, never by a star alone.
		none := rules.ParseNamespace("shop", nil, nil)
		if strings.Trim(identifiers, "*/, \t\r\n\v\f\u0085\u00a0") == "" && rules.IdentifierAllowed(identifier, ns, "cluster.local") && !rules.IdentifierAllowed(identifier, none, "cluster.local") {
			t.Fatalf("identifier %q is allowed by %q", identifier, identifiers)
		}
	})
}
