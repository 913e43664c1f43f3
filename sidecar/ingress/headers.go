package ingress

import (
	"net/http"
	"slices"
	"strings"

	"github.com/lanyard-dev/lanyard/verifier"
)

// The headers that tell the app who calls. They are there if and only if a token was accepted.
const (
	HeaderClientID = "X-Lanyard-Client-Id" // client_id, by default <namespace>/<name>
	HeaderTenant   = "X-Lanyard-Tenant"    // tid, the client's namespace
	HeaderRoles    = "X-Lanyard-Roles"     // roles, with commas between them
	HeaderSubject  = "X-Lanyard-Subject"   // sub
)

// identity are the values of these headers for a token; nil has none of them.
func identity(t *verifier.Token) map[string]string {
	if t == nil {
		return map[string]string{HeaderClientID: "", HeaderTenant: "", HeaderRoles: "", HeaderSubject: ""}
	}
	// What is no role value, as the issuer would never write, could read as two of them.
	roles := slices.DeleteFunc(slices.Clone(t.Roles), func(role string) bool { return !roleValue.MatchString(role) })
	return map[string]string{
		HeaderClientID: t.ClientID, HeaderTenant: t.Tenant, HeaderRoles: strings.Join(roles, ","), HeaderSubject: t.Subject,
	}
}

// Headers that a client could tell the app something by which only this process may say: who
// calls, with which certificate, from where, and what was judged. Frameworks read some of the
// latter instead of the method and path of the request.
var (
	forgedPrefixes = []string{"x-lanyard", "x-forwarded-", "x-ssl-", "ssl-client-", "x-client-cert"}
	forgedNames    = []string{
		"client-cert", "client-cert-chain", "x-arr-clientcert", "forwarded", "x-real-ip",
		"x-http-method", "x-http-method-override", "x-method-override", "x-original-method",
		"x-original-url", "x-original-uri", "x-rewrite-url",
		"proxy", // becomes the environment's HTTP_PROXY in CGI (CVE-2016-5385)
		"http2-settings",
	}
	credentialNames = []string{"authorization", "dpop"}
)

// strip removes what a client may not tell the app, in all spellings that some server turns into
// the same name: CGI, WSGI and their like write every character but letters and digits as an
// underscore.
func strip(h http.Header, keepToken bool) {
	for name := range h {
		folded := foldName(name)
		if isForged(folded) || !keepToken && slices.Contains(credentialNames, folded) {
			delete(h, name)
		}
	}
}

func isForged(folded string) bool {
	return slices.Contains(forgedNames, folded) ||
		slices.ContainsFunc(forgedPrefixes, func(prefix string) bool { return strings.HasPrefix(folded, prefix) })
}

// foldName is a header's name with a hyphen for all that is neither letter nor digit.
func foldName(name string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case 'a' <= r && r <= 'z', '0' <= r && r <= '9':
			return r
		case 'A' <= r && r <= 'Z':
			return r - 'A' + 'a'
		default:
			return '-'
		}
	}, name)
}
