package verifier

import (
	"strings"
	"testing"

	"github.com/lanyard-dev/lanyard/issuer/oauth"
)

// FuzzAuthorizationHeader: whatever is read as a token stands in the one header
// as it was sent, behind its scheme, and can be quoted without harm.
func FuzzAuthorizationHeader(f *testing.F) {
	for _, seed := range []string{"", "Bearer a.b.c", "bearer  a", "MTLS_POP x==", "DPoP x", "Basic YTpi", "Bearer a b", "Bearer", "Bearer =", "\x00"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, value string) {
		got, refusal := parseAuthorization([]string{value})
		if refusal != nil {
			if got != (credentials{}) {
				t.Fatal("credentials beside a refusal")
			}
			if refusal.Code == oauth.InsufficientScope || refusal.Description == "" {
				t.Fatalf("an unfit refusal: %+v", refusal)
			}
			return
		}
		scheme, rest, _ := strings.Cut(value, " ")
		if !strings.EqualFold(scheme, got.scheme) || strings.Trim(rest, " ") != got.token {
			t.Fatalf("read %+v from %q", got, value)
		}
		if got.token == "" || quotable(got.token) != got.token || strings.ContainsAny(got.token, " ,;") {
			t.Fatalf("a token of the wrong form: %q", got.token)
		}
		if _, refusal := parseAuthorization([]string{value, value}); refusal == nil {
			t.Fatal("two headers were accepted")
		}
	})
}
