//go:build e2e

package interop

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"os/exec"
	"strconv"
	"strings"
	"testing"
)

// answered is what curl got.
type answered struct {
	status int
	body   object
}

// curl sends a request as a documentation writes it; what is ours in it is --cacert alone.
func (w *world) curl(t *testing.T, args ...string) answered {
	t.Helper()
	w.showLogIfFailed(t)
	args = append([]string{"--silent", "--show-error", "--max-time", "30", "--noproxy", "*", "--cacert", w.caFile(), "--write-out", "\n%{http_code}"}, args...)
	var stdout, stderr bytes.Buffer
	cmd := exec.CommandContext(t.Context(), "curl", args...)
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		t.Fatalf("curl: %v: %s", err, stderr.String())
	}
	text := stdout.String()
	cut := strings.LastIndexByte(text, '\n')
	status, err := strconv.Atoi(text[cut+1:])
	if err != nil {
		t.Fatal(err)
	}
	var body object
	if err := json.Unmarshal([]byte(text[:cut]), &body); err != nil {
		t.Fatalf("HTTP %d with a body that is no JSON object: %s", status, text[:cut])
	}
	return answered{status, body}
}

// token returns the answer of a request that must succeed.
func (a answered) token(t *testing.T) object {
	t.Helper()
	if a.status != 200 {
		t.Fatalf("HTTP %d: %v", a.status, a.body)
	}
	return a.body
}

// checkRefused looks at the error, its number, and the fields that Entra's libraries read.
func (a answered) checkRefused(t *testing.T, status int, name string, number int) {
	t.Helper()
	codes, _ := a.body["error_codes"].([]any)
	if a.status != status || a.body["error"] != name || len(codes) != 1 || codes[0] != float64(number) {
		t.Errorf("HTTP %d: %v; want %d %s [%d]", a.status, a.body, status, name, number)
	}
	for _, field := range []string{"error_description", "timestamp", "trace_id", "correlation_id"} {
		if text, _ := a.body[field].(string); text == "" {
			t.Errorf("the body has no %s: %v", field, a.body)
		}
	}
}

func lifetime(answer object) float64 {
	seconds, _ := answer["expires_in"].(float64)
	return seconds
}

// The forms are those of Oracle's documentation of the TLS client authentication grant type and
// of its product guides, with the placeholders filled in.
func TestCurlAsOraclesDocumentationHasIt(t *testing.T) {
	certificate := lanyard.issued(t, "oracle")
	endpoint := lanyard.issuer + "/oauth2/v1/token"
	want := ordersToken("oracle", boundTo(certificate))

	t.Run("the grant tls_client_auth", func(t *testing.T) {
		answer := lanyard.curl(t, "--key", certificate.key, "--cert", certificate.certificate,
			"-H", "Content-Type: application/x-www-form-urlencoded;charset=UTF-8", "--request", "POST", endpoint,
			"-d", "grant_type=tls_client_auth&client_id=shop/oracle&scope=api://orders/Orders.Read.All").token(t)
		checkToken(t, answer, want)
	})
	t.Run("all that it may have", func(t *testing.T) {
		answer := lanyard.curl(t, "--key", certificate.key, "--cert", certificate.certificate,
			"-H", "Content-Type: application/x-www-form-urlencoded;charset=UTF-8", "--request", "POST", endpoint,
			"-d", "grant_type=tls_client_auth&client_id=shop/oracle&scope=urn:opc:idm:__myscopes__").token(t)
		checkToken(t, answer, want)
	})
	guide := func(t *testing.T, scope string, more ...string) answered {
		t.Helper()
		return lanyard.curl(t, append([]string{
			"--location", endpoint, "--cert", certificate.certificate, "--key", certificate.key,
			"--header", "Content-Type: application/x-www-form-urlencoded;charset=UTF-8",
			"--data-urlencode", "grant_type=tls_client_auth", "--data-urlencode", "scope=" + scope,
			"--data-urlencode", "client_id=shop/oracle",
		}, more...)...)
	}
	t.Run("a shorter lifetime", func(t *testing.T) {
		answer := guide(t, "api://orders/.default urn:opc:resource:expiry=120").token(t)
		checkToken(t, answer, want)
		if seconds := lifetime(answer); seconds < 110 || seconds > 120 {
			t.Errorf("it lives %v s, want 120", seconds)
		}
	})
	t.Run("never a longer one", func(t *testing.T) {
		answer := guide(t, "urn:opc:idm:__myscopes__ urn:opc:resource:expiry=31556952").token(t)
		if seconds := lifetime(answer); seconds > 600 {
			t.Errorf("it lives %v s, want 600 at most", seconds)
		}
	})
	t.Run("a secret in the header, and a lifetime", func(t *testing.T) {
		credentials := base64.StdEncoding.EncodeToString([]byte("shop/secret:" + lanyard.clientSecret(t, "shop", "secret")))
		answer := lanyard.curl(t, "-H", "Authorization: Basic "+credentials,
			"-H", "Content-Type: application/x-www-form-urlencoded; charset=utf-8", "--request", "POST", endpoint,
			"-d", "grant_type=client_credentials&scope=urn:opc:idm:__myscopes__%20urn:opc:resource:expiry=300").token(t)
		checkToken(t, answer, ordersToken("secret", nil))
		if seconds := lifetime(answer); seconds < 290 || seconds > 300 {
			t.Errorf("it lives %v s, want 300", seconds)
		}
	})
	t.Run("a scope that is encoded twice, as some guides print it", func(t *testing.T) {
		guide(t, "api://orders/.default%20urn:opc:resource:expiry=120").checkRefused(t, 400, "invalid_scope", 30001)
	})
	t.Run("a secret beside the certificate is a second method", func(t *testing.T) {
		guide(t, "api://orders/.default urn:opc:resource:expiry=3600", "--header", "Authorization: Basic c2hvcC9vcmFjbGU6c2VjcmV0").
			checkRefused(t, 400, "invalid_request", 20008)
	})
	t.Run("the same metadata at its path", func(t *testing.T) {
		metadata := lanyard.curl(t, lanyard.issuer+"/.well-known/idcs-configuration").token(t)
		if metadata["issuer"] != lanyard.issuer || metadata["token_endpoint"] != lanyard.issuer+"/oauth2/token" {
			t.Errorf("metadata: %v", metadata)
		}
	})
}

// The forms are those of Microsoft's documentation of the client credentials flow, and of what
// MSAL sends for bound tokens, with the placeholders filled in.
func TestCurlAsMicrosoftsDocumentationHasIt(t *testing.T) {
	endpoint := lanyard.issuer + "/shop/oauth2/v2.0/token"
	const (
		formType  = "Content-Type: application/x-www-form-urlencoded"
		scope     = "scope=api%3A%2F%2Forders%2F.default"
		jwtBearer = "client_assertion_type=urn%3Aietf%3Aparams%3Aoauth%3Aclient-assertion-type%3Ajwt-bearer"
		jwtPoP    = "client_assertion_type=urn%3Aietf%3Aparams%3Aoauth%3Aclient-assertion-type%3Ajwt-pop"
	)
	post := func(t *testing.T, parameters []string, more ...string) answered {
		t.Helper()
		return lanyard.curl(t, append([]string{"-X", "POST", "-H", formType, "-d", strings.Join(parameters, "&"), endpoint}, more...)...)
	}
	secret := lanyard.clientSecret(t, "shop", "secret")
	pop := lanyard.issued(t, "pop")
	overTLS := []string{"--cert", pop.certificate, "--key", pop.key}

	t.Run("a shared secret", func(t *testing.T) {
		answer := post(t, []string{"client_id=shop%2Fsecret", scope, "client_secret=" + secret, "grant_type=client_credentials"}).token(t)
		checkToken(t, answer, ordersToken("secret", nil))
		if answer["token_type"] != "Bearer" {
			t.Errorf("token_type %v", answer["token_type"])
		}
	})
	t.Run("a certificate", func(t *testing.T) {
		key := lanyard.imported(t, "assertion")
		assertion := lanyard.assertion(t, "shop/assertion", endpoint, key, object{"x5t#S256": key.x5t()}, nil)
		answer := post(t, []string{scope, "client_id=shop%2Fassertion", jwtBearer, "client_assertion=" + assertion, "grant_type=client_credentials"})
		checkToken(t, answer.token(t), ordersToken("assertion", nil))
	})
	t.Run("a federated credential", func(t *testing.T) {
		answer := post(t, []string{
			scope, "client_id=shop%2Ffederated", jwtBearer,
			"client_assertion=" + lanyard.serviceAccountToken(t), "grant_type=client_credentials",
		})
		checkToken(t, answer.token(t), ordersToken("federated", nil))
	})
	t.Run("a bound token with the TLS certificate alone", func(t *testing.T) {
		answer := post(t, []string{"client_id=shop%2Fpop", scope, "grant_type=client_credentials", "token_type=mtls_pop"}, overTLS...).token(t)
		checkToken(t, answer, ordersToken("pop", boundTo(pop)))
		if answer["token_type"] != "mtls_pop" {
			t.Errorf("token_type %v", answer["token_type"])
		}
	})
	withPoP := func(t *testing.T, kind string, claims object, more ...string) answered {
		t.Helper()
		assertion := lanyard.assertion(t, "shop/pop", endpoint, pop, object{"x5t#S256": pop.x5t()}, claims)
		return post(t, []string{
			"client_id=shop%2Fpop", scope, kind, "client_assertion=" + assertion, "grant_type=client_credentials", "token_type=mtls_pop",
		}, more...)
	}
	t.Run("a bound token with an assertion and the TLS certificate", func(t *testing.T) {
		checkToken(t, withPoP(t, jwtBearer, nil, overTLS...).token(t), ordersToken("pop", boundTo(pop)))
	})
	t.Run("an assertion that is bound to the TLS certificate (jwt-pop)", func(t *testing.T) {
		cnf := object{"cnf": boundTo(pop)}
		checkToken(t, withPoP(t, jwtPoP, cnf, overTLS...).token(t), ordersToken("pop", boundTo(pop)))
	})
	t.Run("jwt-pop without a TLS certificate", func(t *testing.T) {
		withPoP(t, jwtPoP, nil).checkRefused(t, 400, "invalid_request", 40007)
	})
	t.Run("jwt-pop that is bound to another certificate", func(t *testing.T) {
		cnf := object{"cnf": boundTo(lanyard.issued(t, "mtls"))}
		withPoP(t, jwtPoP, cnf, overTLS...).checkRefused(t, 400, "invalid_request", 40006)
	})
	t.Run("a wrong secret, with the correlation id of the request", func(t *testing.T) {
		const correlation = "9a2f0f2e-6c9e-4c3b-8f7c-111111111111"
		refused := post(t, []string{"client_id=shop%2Fsecret", scope, "client_secret=wrong", "grant_type=client_credentials"},
			"-H", "client-request-id: "+correlation)
		if refused.status != 401 || refused.body["error"] != "invalid_client" || refused.body["correlation_id"] != correlation {
			t.Errorf("HTTP %d: %v", refused.status, refused.body)
		}
	})
}

// assertion is signed by jose.
func (w *world) assertion(t *testing.T, clientID, audience string, key pair, header, claims object) string {
	t.Helper()
	result := w.node(t, "assertion.mjs", object{
		"clientID": clientID, "audience": audience, "key": key.key, "alg": "ES256", "header": header, "claims": claims,
	})
	text, _ := result.one(t, "assertion")["assertion"].(string)
	return text
}
