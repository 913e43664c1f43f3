package dpop_test

import (
	"strings"
	"testing"
	"time"

	"github.com/lanyard-dev/lanyard/issuer/dpop"
)

func TestRefusesClaims(t *testing.T) {
	good := goodClaims()
	for name, c := range map[string]struct {
		claims object
		word   string
	}{
		"no jti":                  {good.without("jti"), "no jti"},
		"an empty jti":            {good.with("jti", ""), "jti"},
		"a jti that is a number":  {good.with("jti", 1), "jti"},
		"a jti that is too long":  {good.with("jti", strings.Repeat("x", dpop.MaxIDBytes+1)), "jti"},
		"no htm":                  {good.without("htm"), "no htm"},
		"another method":          {good.with("htm", "GET"), "htm"},
		"the method in small":     {good.with("htm", "post"), "htm"},
		"no htu":                  {good.without("htu"), "no htu"},
		"htu that is a list":      {good.with("htu", []string{tokenURL}), "htu"},
		"another host":            {good.with("htu", "https://evil.test/oauth2/token"), "htu"},
		"another path":            {good.with("htu", "https://issuer.test/oauth2/introspect"), "htu"},
		"no iat":                  {good.without("iat"), "no iat"},
		"iat that is text":        {good.with("iat", "1777636800"), "iat"},
		"iat that is too old":     {good.with("iat", now.Add(-90*time.Second).Unix()), "was made"},
		"iat that lies ahead":     {good.with("iat", now.Add(31*time.Second).Unix()), "ahead"},
		"exp that has passed":     {good.with("exp", now.Add(-30*time.Second).Unix()), "exp"},
		"nbf that lies ahead":     {good.with("nbf", now.Add(31*time.Second).Unix()), "nbf"},
		"a nonce that is no text": {good.with("nonce", 1), "nonce"},
		"an empty nonce":          {good.with("nonce", ""), "nonce"},
		"an ath that is no text":  {good.with("ath", true), "ath"},
		"an iss that is no text":  {good.with("iss", 5), "iss"},
	} {
		t.Run(name, func(t *testing.T) {
			refused(t, proof(t, goodHeader(t, "ES256"), c.claims), atTokenEndpoint(), c.word)
		})
	}
}

func TestAcceptsClaims(t *testing.T) {
	good := goodClaims()
	for name, claims := range map[string]object{
		"a clock that is slow":           good.with("iat", now.Add(-89*time.Second).Unix()),
		"a clock that is fast":           good.with("iat", now.Add(30*time.Second).Unix()),
		"iat with a fraction":            good.with("iat", float64(now.UnixMilli()+500)/1000),
		"exp, nbf and what is not known": good.with("exp", now.Add(time.Minute).Unix()).with("nbf", now.Unix()).with("x", object{"y": 1}),
		"a jti of the greatest length":   good.with("jti", strings.Repeat("x", dpop.MaxIDBytes)),
		"ath where no token came":        good.with("ath", "x"),
	} {
		t.Run(name, func(t *testing.T) {
			accepted(t, proof(t, goodHeader(t, "ES256"), claims), atTokenEndpoint())
		})
	}
}

func TestRefusesProofOfAnotherToken(t *testing.T) {
	accepted(t, proof(t, goodHeader(t, "ES256"), boundClaims()), atAPI())
	want := atAPI()
	want.AccessToken = "another"
	refused(t, proof(t, goodHeader(t, "ES256"), boundClaims()), want, "ath")
	refused(t, proof(t, goodHeader(t, "ES256"), boundClaims().without("ath")), atAPI(), "ath")
	// One that was made for the token endpoint.
	refused(t, proof(t, goodHeader(t, "ES256"), goodClaims()), atAPI(), "htm")
}

func TestZeroExpectationAcceptsNothing(t *testing.T) {
	good := proof(t, goodHeader(t, "ES256"), goodClaims())
	refused(t, good, dpop.Expected{}, "htm")
	refused(t, good, dpop.Expected{Now: now, Method: "POST"}, "not known here")
	refused(t, good, dpop.Expected{Method: "POST", URLs: []string{tokenURL}}, "time")
}

func TestURLs(t *testing.T) {
	for name, c := range map[string]struct {
		htu, url string
		same     bool
	}{
		"equal":                        {tokenURL, tokenURL, true},
		"the second of two":            {"https://mtls.issuer.test/oauth2/token", tokenURL, true},
		"host and scheme in capitals":  {"HTTPS://Issuer.TEST/oauth2/token", tokenURL, true},
		"the default port":             {"https://issuer.test:443/oauth2/token", tokenURL, true},
		"an empty port":                {"https://issuer.test:/oauth2/token", tokenURL, true},
		"the default port on our side": {"https://a.test/x", "https://a.test:443/x", true},
		"the default port of http":     {"http://a.test/x", "http://a.test:80/x", true},
		"a query and a fragment":       {tokenURL + "?a=b#c", tokenURL, true},
		"a query on our side":          {"https://a.test/x", "https://a.test/x?a=b", true},
		"an empty path":                {"https://a.test", "https://a.test/", true},
		"a letter percent-encoded":     {"https://a.test/%7Ea%62c", "https://a.test/~abc", true},
		"percent-encodings in small":   {"https://a.test/x%2fy", "https://a.test/x%2Fy", true},
		"an IPv6 address":              {"https://[::1]:443/x", "https://[::1]/x", true},
		"another port":                 {"https://issuer.test:8443/oauth2/token", tokenURL, false},
		"the port of the other scheme": {"https://issuer.test:80/oauth2/token", tokenURL, false},
		"another scheme":               {"http://issuer.test/oauth2/token", tokenURL, false},
		"the path in capitals":         {"https://issuer.test/OAUTH2/token", tokenURL, false},
		"a slash behind":               {tokenURL + "/", tokenURL, false},
		"an encoded slash":             {"https://issuer.test/oauth2%2Ftoken", tokenURL, false},
		"a longer path":                {tokenURL + "/x", tokenURL, false},
		"a user":                       {"https://issuer.test@evil.test/oauth2/token", tokenURL, false},
		"a user before our host":       {"https://a@issuer.test/oauth2/token", tokenURL, false},
		"the path alone":               {"/oauth2/token", tokenURL, false},
		"no scheme":                    {"//issuer.test/oauth2/token", tokenURL, false},
		"an opaque URL":                {"https:issuer.test/oauth2/token", tokenURL, false},
		"a broken percent-encoding":    {"https://issuer.test/oauth2/token%2", tokenURL, false},
		"no URL":                       {"a b\x00", tokenURL, false},
		"another scheme on both sides": {"ftp://a.test/x?y", "ftp://a.test/x", false},
		"paths alone, on both sides":   {"/x?y", "/x", false},
	} {
		t.Run(name, func(t *testing.T) {
			p, err := dpop.Parse(proof(t, goodHeader(t, "ES256"), goodClaims().with("htu", c.htu)))
			if err != nil {
				t.Fatal(err)
			}
			err = p.Check(dpop.Expected{Now: now, Method: "POST", URLs: []string{"https://mtls.issuer.test/oauth2/token", c.url}})
			if (err == nil) != c.same {
				t.Errorf("%s and %s: got %v, want the same: %v", c.htu, c.url, err, c.same)
			}
		})
	}
}
