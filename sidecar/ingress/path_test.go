package ingress

import (
	"net/url"
	"path"
	"strings"
	"testing"
)

func TestReadsPaths(t *testing.T) {
	for escaped, want := range map[string]string{
		"/":                  "/",
		"/orders":            "/orders",
		"/orders/":           "/orders/",
		"/orders/a%20b":      "/orders/a b",
		"/%6Frders":          "/orders",
		"/orders/m%C3%BCrbe": "/orders/mürbe",
		"/orders/a,b:c@d=e+": "/orders/a,b:c@d=e+",
		"/.well-known/x":     "/.well-known/x",
		"/a..b":              "/a..b",
	} {
		if got, why := readPath(escaped); got != want || why != "" {
			t.Errorf("%s: got %q, %s", escaped, got, why)
		}
	}
}

func TestRefusesPathTricks(t *testing.T) {
	for _, escaped := range []string{
		"", "*", "orders", "http://x/", "//orders", "/orders//admin", "/a/./b", "/a/../b", "/..", "/.", "/a/%2e%2e/b", "/a/.%2E", "/a/...",
		"/a/.. /b", "/a/%20/b", "/a%2fb", "/a%2Fb", "/a%252fb", "/a%25", "/a%", "/a%zz", "/a%5cb", `/a\b`, "/a;x=1/b", "/a/..;/b", "/a%3Bb",
		"/a%3Fb", "/a%23b", "/a#b", "/a%00", "/a%0a", "/a%7f", "/a%ff", "/a%c0%af", "/a%E2%80%8Bb", "/a%C2%A0b",
	} {
		if got, why := readPath(escaped); why == "" {
			t.Errorf("%s was read as %q", escaped, got)
		}
	}
}

func FuzzReadPath(f *testing.F) {
	for _, seed := range []string{"/", "/orders/1", "/a%20b/", "/a/..%2fb", "//", "/%6frders", "/a;b", "/\u212a"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, escaped string) {
		got, why := readPath(escaped)
		if (got == "") != (why != "") {
			t.Fatalf("%q: got %q and %q", escaped, got, why)
		}
		if why != "" {
			return
		}
		// What is passed on is read again as the same, by itself and by those that clean paths.
		u := url.URL{Path: got}
		if again, why := readPath(u.EscapedPath()); again != got {
			t.Errorf("%q was read as %q, and then as %q (%s)", escaped, got, again, why)
		}
		if cleaned := path.Clean(got); cleaned != strings.TrimSuffix(got, "/") && got != "/" {
			t.Errorf("%q was read as %q, which others read as %q", escaped, got, cleaned)
		}
		if fold(fold(got)) != fold(got) || fold(strings.ToUpper(got)) != fold(got) && isASCII(got) {
			t.Errorf("%q folds to %q", got, fold(got))
		}
	})
}

func isASCII(s string) bool { return !strings.ContainsFunc(s, func(r rune) bool { return r > 127 }) }
