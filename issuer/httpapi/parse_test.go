package httpapi

import (
	"net/url"
	"strings"
	"testing"
	"unicode/utf8"
)

// FuzzParseForm checks parseForm against net/url: what both can read they read
// alike, and nothing passes that this package promises to refuse.
func FuzzParseForm(f *testing.F) {
	for _, s := range []string{
		"grant_type=client_credentials&scope=api%3A%2F%2Forders%2F.default", "a=b&a=b", "client_id=%00", "scope=%ff", "scope=a+b%20c",
		"resource=a&resource=b", "&&=&=x", "client%5fid=1&client_id=2", "grant_type", "scope=%", ";scope=a;b", "client_secret=\x00",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, body string) {
		got, refusal := parseForm(body)
		want, err := url.ParseQuery(body)
		if refusal != nil {
			return
		}
		if strings.Contains(body, ";") {
			return // net/url refuses it; to a form it is a letter like any other
		}
		if err != nil {
			t.Fatalf("accepted %q, which net/url cannot read: %v", body, err)
		}
		for name, values := range want {
			to, _ := got.field(name)
			if to == nil {
				continue
			}
			if len(values) != 1 || values[0] != *to {
				t.Errorf("%s = %q; net/url reads %q", name, *to, values)
			}
			if !utf8.ValidString(*to) || strings.Contains(*to, "\x00") {
				t.Errorf("%s = %q passed", name, *to)
			}
		}
	})
}
