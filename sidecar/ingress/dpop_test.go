package ingress_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/lanyard-dev/lanyard/issuer/jose"
	"github.com/lanyard-dev/lanyard/sidecar/ingress"
	"github.com/lanyard-dev/lanyard/test/testcert"
)

// prove makes a DPoP proof (RFC 9449 section 4.2) for a GET of the URL.
func prove(t *testing.T, key *ecdsa.PrivateKey, token, target, id string) string {
	t.Helper()
	text := func(v any) string {
		data, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		return base64.RawURLEncoding.EncodeToString(data)
	}
	point, err := key.PublicKey.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	raw := base64.RawURLEncoding.EncodeToString
	ath := sha256.Sum256([]byte(token))
	signed := text(claims{"typ": "dpop+jwt", "alg": "ES256", "jwk": claims{"kty": "EC", "crv": "P-256", "x": raw(point[1:33]), "y": raw(point[33:])}}) + "." +
		text(claims{"jti": id, "htm": "GET", "htu": target, "iat": time.Now().Unix(), "ath": raw(ath[:])})
	digest := sha256.Sum256([]byte(signed))
	r, s, err := ecdsa.Sign(rand.Reader, key, digest[:])
	if err != nil {
		t.Fatal(err)
	}
	signature := make([]byte, 64)
	r.FillBytes(signature[:32])
	s.FillBytes(signature[32:])
	return signed + "." + raw(signature)
}

func TestJudgesDPoPProofs(t *testing.T) {
	h := newHouse(t)
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	jkt, err := jose.Thumbprint(key.Public())
	if err != nil {
		t.Fatal(err)
	}
	token := h.token(read, nil, claims{"cnf": claims{"jkt": jkt}})
	headers := func(target, id string) http.Header {
		return http.Header{"Authorization": {"DPoP " + token}, "Dpop": {prove(t, key, token, target, id)}}
	}
	if r := h.call(http.MethodGet, "/orders/1?x=1", "", headers(h.url+"/orders/1", "p1")); r.status != http.StatusOK {
		t.Fatalf("got %d %s", r.status, r.body)
	}
	if got := h.last().Header; got.Get("Dpop") != "" || got.Get("X-Lanyard-Client-Id") != "shop/checkout" {
		t.Errorf("the app got %v", got)
	}
	for name, header := range map[string]http.Header{
		"the same proof again":   headers(h.url+"/orders/1", "p1"),
		"a proof of another URL": headers(h.url+"/orders/2", "p2"),
		"no proof":               {"Authorization": {"DPoP " + token}},
	} {
		if r := h.call(http.MethodGet, "/orders/1", "", header); r.status != http.StatusUnauthorized {
			t.Errorf("%s: got %d %s", name, r.status, r.body)
		}
	}
	// A proxy that asks tells no URL that could be believed, so the flag --url has to.
	if r := h.ask(ingress.Nginx, "GET", "/orders/1", "", headers("https://orders.example/orders/1", "p3")); r.status != http.StatusUnauthorized {
		t.Errorf("a proof of an unknown URL: got %d", r.status)
	}
	h = newHouseWith(t, []string{"https://orders.example"})
	token = h.token(read, nil, claims{"cnf": claims{"jkt": jkt}})
	if r := h.ask(ingress.Nginx, "GET", "/orders/1", "", headers("https://orders.example/orders/1", "p4")); r.status != http.StatusOK {
		t.Errorf("a proof of the configured URL: got %d %s", r.status, r.body)
	}
}

// An app that speaks HTTP/2 without TLS, with trailers, as those of gRPC do.
func TestSpeaksHTTP2WithTheApp(t *testing.T) {
	app := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.ProtoMajor != 2 || r.Header.Get("Te") != "trailers" {
			t.Errorf("the app was called with %s, TE: %s", r.Proto, r.Header.Get("Te"))
		}
		w.Header().Set("Trailer", "Grpc-Status")
		body, _ := io.ReadAll(r.Body)
		_, _ = w.Write(body)
		w.Header().Set("Grpc-Status", "0")
	}))
	app.Config.Protocols = new(http.Protocols)
	app.Config.Protocols.SetUnencryptedHTTP2(true)
	app.Start()
	defer app.Close()
	h := newHouse(t, func(c *ingress.ForwardConfig) {
		c.App, _ = url.Parse(strings.Replace(app.URL, "http://", "h2c://", 1))
	})
	c := testcert.New(t, "checkout")
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, h.url+"/orders", io.MultiReader(strings.NewReader("a stream")))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+h.token(write, &c))
	r.Header.Set("Te", "trailers")
	response, err := h.client(c).Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if body, err := io.ReadAll(response.Body); string(body) != "a stream" || err != nil || response.Trailer.Get("Grpc-Status") != "0" {
		t.Errorf("got %d %q, %v and the trailer %v", response.StatusCode, body, err, response.Trailer)
	}
}
