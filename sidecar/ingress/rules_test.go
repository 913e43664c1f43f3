package ingress_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lanyard-dev/lanyard/sidecar/ingress"
)

const rulesText = `
rules:
- {path: /orders, methods: [GET], roles: [Orders.Read.All, Orders.Write.All]}
- {path: /orders, methods: [POST, PUT], roles: [Orders.Write.All]}
- {path: /Orders/Admin, methods: ["*"], roles: [Orders.Admin]}
- {path: /whoami, methods: [GET], access: Authenticated}
- {path: /healthz, methods: [GET], access: Anyone}
`

func parse(t testing.TB, text string) *ingress.Rules {
	t.Helper()
	rules, err := ingress.ParseRules([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return rules
}

func TestFindsTheRuleOfTheLongestPath(t *testing.T) {
	rules := parse(t, rulesText)
	for asked, want := range map[string]string{
		"GET /orders":             "/orders Orders.Read.All",
		"GET /orders/":            "/orders Orders.Read.All",
		"GET /orders/1/lines":     "/orders Orders.Read.All",
		"HEAD /orders/1":          "/orders Orders.Read.All",
		"POST /orders":            "/orders Orders.Write.All",
		"GET /ORDERS/1":           "/orders Orders.Read.All",
		"GET /orders/admin":       "/Orders/Admin Orders.Admin",
		"DELETE /orders/ADMIN/x":  "/Orders/Admin Orders.Admin",
		"GET /orders/administer":  "/orders Orders.Read.All",
		"GET /orders/\u212Aelvin": "/orders Orders.Read.All",
		"GET /orders/adm\u0131n":  "/Orders/Admin Orders.Admin",
		"GET /orders/adm\u0130n":  "/Orders/Admin Orders.Admin",
		"GET /healthz":            "/healthz ",
		"DELETE /orders":          "",
		"get /orders":             "",
		"GET /orders2":            "",
		"GET /":                   "",
		"GET /elsewhere":          "",
		"POST /healthz":           "",
		"CONNECT /orders/admin":   "",
		"TRACE /orders/admin":     "",
	} {
		method, path, _ := strings.Cut(asked, " ")
		got := ""
		if rule, ok := rules.Find(method, path); ok {
			got = rule.Path + " "
			if len(rule.Roles) > 0 {
				got += rule.Roles[0]
			}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: %s", asked, diff)
		}
	}
	if _, ok := new(ingress.Rules).Find("GET", "/"); ok {
		t.Error("the zero value lets somebody through")
	}
	root := parse(t, "rules: [{path: /, methods: [GET], roles: [A]}]")
	for _, path := range []string{"/", "/x", "/x/y"} {
		if _, ok := root.Find("GET", path); !ok {
			t.Errorf("%s is not below /", path)
		}
	}
}

// Django and werkzeug among others make capitals of a method.
func TestRefusesMethodsThatAppsReadOtherwise(t *testing.T) {
	rules := parse(t, "rules: [{path: /orders, methods: ['*'], roles: [Orders.Write.All]}, {path: /orders, methods: [DELETE], roles: [Orders.Admin]}]")
	for _, method := range []string{"delete", "Delete", "dELETE", "trace", "", "DELETE\u017f", "_DELETE", "DELETE_"} {
		if rule, ok := rules.Find(method, "/orders/1"); ok {
			t.Errorf("%q is let through by the rule for %s", method, rule.Methods)
		}
	}
	if rule, _ := rules.Find("PROPFIND", "/orders/1"); len(rule.Methods) != 1 || rule.Methods[0] != "*" {
		t.Errorf("PROPFIND is judged by %+v", rule)
	}
}

func TestRefusesRulesThatAreNone(t *testing.T) {
	rule := func(fields string) string { return "rules: [{" + fields + "}]" }
	for name, test := range map[string]struct{ text, want string }{
		"nothing":                  {"", "at least one rule"},
		"no rules":                 {"rules: []", "at least one rule"},
		"another field":            {rule("path: /a, methods: [GET], role: [A]"), `unknown field "role"`},
		"a field twice":            {rule("path: /a, path: /b, methods: [GET], roles: [A]"), "already"},
		"a list without its name":  {"[{path: /a}]", "list rules"},
		"no path":                  {rule("methods: [GET], roles: [A]"), "rules[0].path"},
		"a path without a slash":   {rule("path: a, methods: [GET], roles: [A]"), "slash"},
		"a slash at the end":       {rule("path: /a/, methods: [GET], roles: [A]"), "without the slash at the end"},
		"an encoded path":          {rule("path: /a%41, methods: [GET], roles: [A]"), "decoded"},
		"a path with dots":         {rule("path: /a/../b, methods: [GET], roles: [A]"), "dots"},
		"a doubled slash":          {rule("path: //a, methods: [GET], roles: [A]"), "empty segment"},
		"a pattern":                {rule("path: '/a/*', methods: [GET], roles: [A]"), "patterns"},
		"a pattern in braces":      {rule("path: '/a/{id}', methods: [GET], roles: [A]"), "patterns"},
		"no methods":               {rule("path: /a, roles: [A]"), "rules[0].methods is empty"},
		"a small method":           {rule("path: /a, methods: [get], roles: [A]"), "get"},
		"a method twice":           {rule("path: /a, methods: [GET, GET], roles: [A]"), "twice"},
		"all, and another":         {rule("path: /a, methods: ['*', GET], roles: [A]"), "alone"},
		"tunnels":                  {rule("path: /a, methods: [CONNECT], roles: [A]"), "CONNECT"},
		"neither roles nor access": {rule("path: /a, methods: [GET]"), "access: Authenticated or Anyone"},
		"empty roles":              {rule("path: /a, methods: [GET], roles: []"), "roles is empty"},
		"roles and access":         {rule("path: /a, methods: [GET], roles: [A], access: Anyone"), "one of them"},
		"another access":           {rule("path: /a, methods: [GET], access: anyone"), "Anyone"},
		"a role that is none":      {rule("path: /a, methods: [GET], roles: ['A,B']"), "AppRole"},
		"the same rule twice":      {"rules: [{path: /a, methods: [GET], roles: [A]}, {path: /A, methods: [POST, GET], roles: [B]}]", "rules[1].methods: GET of /A"},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := ingress.ParseRules([]byte(test.text)); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, without %q", err, test.want)
			}
		})
	}
}

func FuzzParseRules(f *testing.F) {
	f.Add(rulesText, "GET", "/orders/1")
	f.Add("rules: [{path: /, methods: ['*'], access: Anyone}]", "HEAD", "/a/")
	f.Fuzz(func(t *testing.T, text, method, path string) {
		rules, err := ingress.ParseRules([]byte(text))
		if err != nil || !strings.HasPrefix(path, "/") {
			return
		}
		rule, ok := rules.Find(method, path)
		if !ok {
			return
		}
		if len(rule.Roles) == 0 && rule.Access == "" {
			t.Errorf("%s %s is free for all by %+v", method, path, rule)
		}
		if below := len(path) >= len(rule.Path) || strings.EqualFold(path+"/", rule.Path); !below && !strings.ContainsFunc(path, func(r rune) bool { return r > 127 }) {
			t.Errorf("%s %s is not below %s", method, path, rule.Path)
		}
	})
}
