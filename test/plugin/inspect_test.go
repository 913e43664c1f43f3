package plugin

import (
	"encoding/base64"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/lanyard-dev/lanyard/test/testenv"
)

func (i *issuer) inspect(t *testing.T) {
	w := newWorld(t, "inspect")
	w.approve(t)
	w.pod(t, "checkout", "checkout-1")
	certificate, key := w.pair(t)
	token := w.eventually(t, i.flags("token", w.shop+"/checkout", "--resource", w.resource.Spec.Identifier, "--cert", certificate, "--key", key)...).stdout
	dir := t.TempDir()
	file := filepath.Join(dir, "token.txt")
	check(t, os.WriteFile(file, []byte(token), 0o600))
	// Whoever inspects needs no cluster.
	inspect := func(stdin string, args ...string) outcome {
		o := runWith(t, []string{"KUBECONFIG=/nonexistent"}, stdin, append([]string{"inspect"}, args...)...)
		leavesNothing(t, o, strings.TrimSpace(token))
		if signature := token[strings.LastIndexByte(token, '.')+1:]; strings.Contains(o.stdout, strings.TrimSpace(signature)) {
			t.Error("the signature is shown")
		}
		for pattern, as := range map[string]string{
			`(?m)^(  (?:exp|iat|nbf) +)\d{10}\b`: "$1<seconds>", `(?m)^(  jti +)\S{22}$`: "$1<id>", `(?:[0-9A-F]{2}:){31}[0-9A-F]{2}`: "<fingerprint>",
		} {
			o.stdout = regexp.MustCompile(pattern).ReplaceAllString(o.stdout, as)
		}
		return o
	}
	// as shows a run with the names of files that somebody would have.
	as := func(o outcome, args ...string) outcome {
		o.args = append([]string{"inspect"}, args...)
		return o
	}

	t.Run("a token and its certificate", func(t *testing.T) {
		as(inspect("", file, "--cert", certificate), "token.txt", "--cert", "tls.crt").succeeds(t).golden(t, "inspect-both")
	})
	t.Run("a token on standard input", func(t *testing.T) {
		inspect(token).succeeds(t).golden(t, "inspect-token")
	})
	t.Run("a certificate", func(t *testing.T) {
		as(inspect("", certificate), "tls.crt").succeeds(t).golden(t, "inspect-certificate")
	})
	t.Run("the signature, by the issuer's keys", func(t *testing.T) {
		inspect(token, i.flags("-", "--issuer", testenv.IssuerURL)...).succeeds(t).says(t, "it is signed with the key")
	})
	t.Run("a forged token", func(t *testing.T) {
		parts := strings.Split(strings.TrimSpace(token), ".")
		claims, err := base64.RawURLEncoding.DecodeString(parts[1])
		check(t, err)
		parts[1] = base64.RawURLEncoding.EncodeToString([]byte(strings.Replace(string(claims), "Orders.Read.All", "Orders.\u001b[2JAll", 1)))
		inspect(strings.Join(parts, "."), i.flags("-", "--issuer", testenv.IssuerURL)...).exits(t, 1).says(t, "refuse its form")
	})
	t.Run("another's certificate", func(t *testing.T) {
		as(inspect(token, "-", "--cert", i.CAFile), "-", "--cert", "other.crt").exits(t, 1).says(t, "do not belong together")
	})
	t.Run("a private key", func(t *testing.T) {
		o := inspect("", key).exits(t, 1).says(t, "that is a private key, which is not shown")
		if strings.Contains(o.stdout, "PRIVATE") {
			t.Error(o.stdout)
		}
		inspect(token, "-", key).succeeds(t).says(t, "a private key was given too")
	})
	t.Run("nothing that can be inspected", func(t *testing.T) {
		as(inspect("", strings.TrimSpace(token)[:40]), "eyJhbGciOi").exits(t, 1).golden(t, "inspect-nothing")
	})
	t.Run("a service account's token", func(t *testing.T) {
		assertion := env.Kubectl(t, "create", "token", "-n", w.shop, "checkout", "--audience="+testenv.IssuerURL,
			"--bound-object-kind=Pod", "--bound-object-name=checkout-1")
		inspect(assertion).succeeds(t).golden(t, "inspect-service-account")
		inspect(env.Kubectl(t, "create", "token", "-n", w.shop, "checkout")).exits(t, 1).says(t, "it is for the API server")
	})
	t.Run("as JSON", func(t *testing.T) {
		inspect(token, "-", "-o", "json").succeeds(t).says(t, `"kind": "access token"`).says(t, `"accepted": true`)
	})
}
