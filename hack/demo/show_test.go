package demo

import (
	"encoding/base64"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestCurlLineSaysWhatIsSent(t *testing.T) {
	d := &Demo{dir: "/home/me/lanyard/.demo", shown: ".demo"}
	for name, test := range map[string]struct {
		request request
		want    string
	}{
		"a call with token and certificate": {
			request{url: "https://127.0.0.1:1/orders", certificate: "client", tokenFile: "client/token"},
			`curl --cacert .demo/tls/issuer/ca.crt --cert .demo/client/tls.crt --key .demo/client/tls.key \
-H "Authorization: Bearer $(cat .demo/client/token)" \
https://127.0.0.1:1/orders`,
		},
		"a form with a value that the shell would not take, and a file": {
			request{url: "https://127.0.0.1:1/oauth2/token", form: []field{{name: "scope", value: "it's $HOME"}, {name: "client_assertion", file: "a.jwt"}}},
			`curl --cacert .demo/tls/issuer/ca.crt \
-d 'scope=it'\''s $HOME' \
--data-urlencode client_assertion@.demo/a.jwt \
https://127.0.0.1:1/oauth2/token`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(test.want, d.curl(test.request)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestTokenIsShownInItsOwnOrderWithComments(t *testing.T) {
	encode := func(text string) string { return base64.RawURLEncoding.EncodeToString([]byte(text)) }
	token := encode(`{"alg":"ES256","typ":"at+jwt"}`) + "." +
		encode(`{"sub":"shop/checkout","roles":["A:1","B,2"],"exp":1000,"x":1}`) + ".c2ln"
	header, payload, err := decodeJWT(token)
	if err != nil {
		t.Fatal(err)
	}
	want := `{
  "alg": "ES256",
  "typ": "at+jwt"  // a token
}`
	if diff := cmp.Diff(want, header.commented(map[string]string{"typ": "a token"}, time.Unix(400, 0))); diff != "" {
		t.Error(diff)
	}
	want = `{
  "sub": "shop/checkout",   // who
  "roles": ["A:1", "B,2"],
  "exp": 1000,              // ends (00:16:40 UTC, in 10m0s)
  "x": 1
}`
	if diff := cmp.Diff(want, payload.commented(map[string]string{"sub": "who", "exp": "ends"}, time.Unix(400, 0))); diff != "" {
		t.Error(diff)
	}
}

func FuzzDecodeJWT(f *testing.F) {
	f.Add("e30.eyJhIjp7ImIiOlsxXX19.c2ln")
	f.Add("..")
	f.Add("e30.W10.")
	f.Fuzz(func(t *testing.T, token string) {
		if _, payload, err := decodeJWT(token); err == nil {
			payload.commented(tokenComments(), time.Unix(0, 0))
		}
	})
}
