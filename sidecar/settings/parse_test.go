package settings_test

import (
	"net/url"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lanyard-dev/lanyard/sidecar/settings"
)

func address(t *testing.T, text string) *url.URL {
	t.Helper()
	u, err := url.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

func TestParse(t *testing.T) {
	orders := settings.Upstream{Port: 9470, URL: address(t, "https://orders.orders.svc:8443"), Resource: "api://orders", CAConfigMap: "orders-ca"}
	for sentence, tc := range map[string]struct {
		text string
		want settings.Settings
	}{
		"nothing asks for nothing":   {"", settings.Settings{}},
		"a comment asks for nothing": {"# later\n", settings.Settings{}},
		"JSON is YAML":               {`{"resources":[{"name":"orders","identifier":"api://orders"}]}`, settings.Settings{Resources: []settings.Resource{{Name: "orders", Identifier: "api://orders"}}}},
		"an upstream of a listed resource": {
			"resources:\n- {name: orders, identifier: api://orders}\nupstreams:\n- {port: 9470, url: https://orders.orders.svc:8443, resource: api://orders, caConfigMap: orders-ca}\n",
			settings.Settings{Resources: []settings.Resource{{Name: "orders", Identifier: "api://orders"}}, Upstreams: []settings.Upstream{orders}},
		},
		"the resource of an upstream belongs to the list": {
			"upstreams:\n- {port: 9470, url: https://orders.orders.svc:8443, resource: api://orders, caConfigMap: orders-ca}\n",
			settings.Settings{Resources: []settings.Resource{{Name: "upstream-9470", Identifier: "api://orders"}}, Upstreams: []settings.Upstream{orders}},
		},
	} {
		t.Run(sentence, func(t *testing.T) {
			got, err := settings.Parse([]byte(tc.text))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("Parse (-want +got):\n%s", diff)
			}
			for _, u := range got.Upstreams {
				if !got.Lists(u.Resource) {
					t.Errorf("the resource of port %d is not listed", u.Port)
				}
			}
		})
	}
}

func TestRefusesSettings(t *testing.T) {
	resource := func(name, identifier string) string {
		return "resources:\n- {name: " + name + ", identifier: " + identifier + "}\n"
	}
	upstream := func(port, url, rest string) string {
		return "upstreams:\n- {port: " + port + ", url: '" + url + "', resource: api://orders" + rest + "}\n"
	}
	for sentence, tc := range map[string]struct{ text, want string }{
		"a list in place of an object":      {"- orders", "no YAML with the lists resources and upstreams"},
		"an unknown field":                  {"resource: []", `unknown field "resource"`},
		"a field twice":                     {"resources: []\nresources: []", "already"},
		"a name that leaves its folder":     {resource("../x", "api://orders"), `resources[0].name "../x" names a file`},
		"a name that is a folder":           {resource("..", "api://orders"), "names a file"},
		"no name":                           {"resources: [{identifier: api://orders}]", "names a file"},
		"a name that is kept for upstreams": {resource("upstream-9470", "api://orders"), "kept for upstreams"},
		"one name twice":                    {resource("a", "api://a") + "- {name: a, identifier: api://b}", `resources[1].name "a" stands there twice`},
		"one identifier twice":              {resource("a", "api://a") + "- {name: b, identifier: api://a}", `resources[1].identifier "api://a" stands there twice`},
		"no identifier":                     {"resources: [{name: a}]", "resources[0].identifier \"\" is no resource's identifier"},
		"a scope in place of an identifier": {resource("a", "api://a/.default"), `resources[0].identifier "api://a/.default" is a scope: write the identifier alone, api://a`},
		"an object in place of a list":      {"resources: {name: a, identifier: api://a}", "resources is not a list: begin each entry with -"},
		"a text in place of an entry":       {"resources: [api://a]", "resources is not an entry with fields"},
		"a port in quotes":                  {upstream(`"9470"`, "https://orders", ""), "upstreams.port is not a number: write it without quotes"},
		"a list in place of a text":         {resource("[a]", "api://a"), "resources.name is not a text: write it in quotes"},
		"a field of another name":           {"resources: [{name: a, id: api://a}]", `unknown field "id"; resources have name and identifier, upstreams`},
		"an identifier with a space":        {resource("a", "'api://a b'"), "is no resource's identifier"},
		"a token in the clear":              {upstream("9470", "http://orders", ""), "no https address"},
		"a url without a host":              {upstream("9470", "https:///x", ""), "no https address"},
		"a url with a user":                 {upstream("9470", "https://me:secret@orders", ""), "holds a user"},
		"a url with a query":                {upstream("9470", "https://orders?x=1", ""), "holds a user, a query"},
		"a url with a fragment":             {upstream("9470", "https://orders/#", ""), "holds a user, a query or a fragment"},
		"a privileged port":                 {upstream("443", "https://orders", ""), "port 443 is not between"},
		"the endpoint's own port":           {upstream("9466", "https://orders", ""), "the sidecar's own"},
		"a ConfigMap that cannot be":        {upstream("9470", "https://orders", ", caConfigMap: a/b"), "no name of a ConfigMap"},
		"one port twice":                    {upstream("9470", "https://orders", "") + "- {port: 9470, url: https://b, resource: api://b}", "upstreams[1].port 9470 stands there twice"},
		"more than anybody needs":           {"# " + strings.Repeat("x", settings.MaxBytes), "write at most"},
	} {
		t.Run(sentence, func(t *testing.T) {
			got, err := settings.Parse([]byte(tc.text))
			if err == nil {
				t.Fatalf("accepted as %+v", got)
			}
			if !strings.Contains(err.Error(), tc.want) {
				t.Errorf("error %q does not say %q", err, tc.want)
			}
			if strings.Contains(err.Error(), "secret") {
				t.Errorf("error %q repeats what may be a secret", err)
			}
		})
	}
}

// The controller parses this for whoever may create a pod, and has little memory.
func TestRefusesTextThatGrows(t *testing.T) {
	long := strings.Repeat("x", 8000)
	many := strings.TrimSuffix(strings.Repeat("*b,", 1500), ",")
	for sentence, text := range map[string]string{
		"aliases of aliases":         "a: &a " + long + "\nb: &b [" + strings.TrimSuffix(strings.Repeat("*a,", 40), ",") + "]\nc: [" + many + "]\n",
		"aliases without spaces":     `{"a":&a "` + long + `","b":&b [` + strings.TrimSuffix(strings.Repeat("*a,", 40), ",") + `],"c":[` + many + `]}`,
		"an anchor after a tag":      "a: !!str &a x\nb: *a\n",
		"an anchor of the document":  "&a\nresources: []\n",
		"an anchor on a line of CR":  "a: 1\r&b c: 1\n",
		"an anchor after a line end": "a: 1\u2028&b c: 1\n",
		"a merge":                    "resources: [&a {name: a, identifier: 'api://a'}, {<<: *a, name: b}]",
		"UTF-16":                     "\xff\xfea\x00:\x00 \x00&\x00a\x00",
	} {
		t.Run(sentence, func(t *testing.T) {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			_, err := settings.Parse([]byte(text))
			runtime.ReadMemStats(&after)
			if err == nil || !strings.Contains(err.Error(), "write each entry out") {
				t.Errorf("error %v", err)
			}
			if took := (after.TotalAlloc - before.TotalAlloc) >> 20; took > 4 {
				t.Errorf("%d bytes took %d MiB", len(text), took)
			}
		})
	}
}

func TestReadsAmpersandsThatAreText(t *testing.T) {
	text := "# orders & payments, R&D\nresources: [{name: a, identifier: 'api://a&b'}]\nupstreams: [{port: 9470, url: https://a/x&y, resource: api://a&b}]\n"
	if _, err := settings.Parse([]byte(text)); err != nil {
		t.Error(err)
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte("resources:\n- {name: orders, identifier: api://orders}\nupstreams:\n- {port: 9470, url: https://orders.orders.svc:8443, resource: api://orders, caConfigMap: orders-ca}\n"))
	f.Add([]byte("upstreams: [{port: 1e3, url: 'https://[::1]', resource: 'a:b'}]"))
	f.Fuzz(func(t *testing.T, text []byte) {
		s, err := settings.Parse(text)
		if err != nil {
			return
		}
		for _, r := range s.Resources {
			if strings.ContainsAny(r.Name, "/\\\x00") || r.Name == "." || r.Name == ".." {
				t.Errorf("%q names no file", r.Name)
			}
		}
		for _, u := range s.Upstreams {
			if u.URL.Scheme != "https" || u.URL.Host == "" || u.URL.User != nil || !s.Lists(u.Resource) {
				t.Errorf("upstream %+v", u)
			}
		}
	})
}
