package demo

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"slices"
	"time"
)

// useSteps: a token is asked for, looked at, and used.
func useSteps() []step {
	return []step{
		{
			chapter: "Used: a token, and a call",
			title:   "A pod of checkout, and the token that Kubernetes gives it",
			text: "Kubernetes gives each pod a token of its service account that belongs to that very pod, for an audience of " +
				"one's choice: the issuer. Here there is no kubelet to mount it, so kubectl asks for it by the same API " +
				"(TokenRequest). This is what the pod proves itself with. It cannot call the orders API with it.",
			want: "a token of shop/checkout, bound to the pod checkout-0, for the issuer alone",
			do:   (*story).startPod,
		},
		{
			title: "Checkout asks for an access token",
			text: "An ordinary OAuth 2.0 request (RFC 6749, client_credentials). Checkout proves itself with the token of its pod " +
				"as client_assertion (RFC 7523), over a TLS connection with its certificate (RFC 8705). The scope " +
				"api://orders/.default means: every role that I was given there.",
			want: "HTTP 200 and a token for api://orders with the role Orders.Read.All, bound to checkout's certificate",
			do:   (*story).fetchToken,
		},
		{
			title: "Checkout calls the orders API",
			text: "The API checks the signature with the issuer's public keys, that the token is for it, the role, and that the " +
				"certificate of this very connection is the one in the token. It asks nobody: neither the issuer nor the cluster.",
			want: "HTTP 200 and the orders",
			do:   (*story).callAPI,
		},
		{
			title: "The same with the certificate alone",
			text: "Where there is no service account token, the pinned certificate proves the client as well (tls_client_auth, " +
				"RFC 8705). Then only client_id is sent; the TLS handshake is the proof.",
			want: "HTTP 200 and a token, with which the API answers 200",
			do:   (*story).byCertificate,
		},
	}
}

func (s *story) startPod(ctx context.Context) error {
	if err := s.showKubectl(ctx, "apply", "-f", "hack/demo/manifests/checkout-pod.yaml"); err != nil {
		return err
	}
	if err := s.requestAssertion(ctx, shop, "checkout", "1h", assertionFile); err != nil {
		return err
	}
	return s.showAssertion(assertionFile)
}

func (s *story) fetchToken(ctx context.Context) error {
	a, _, err := s.tryUntil(ctx, s.tokenRequest(checkout, scope, assertion(assertionFile)...), answer.ok)
	if err != nil {
		return err
	}
	token, err := s.keepToken(a, tokenFile)
	if err != nil {
		return err
	}
	s.tell.line("access_token, decoded (and kept in %s):", s.typed(tokenFile))
	if err := s.showToken(token); err != nil {
		return err
	}
	return s.checkToken(token)
}

func (s *story) callAPI(ctx context.Context) error {
	a, err := s.try(ctx, request{url: s.orders, certificate: checkout, tokenFile: tokenFile})
	if err != nil {
		return err
	}
	return a.ok()
}

func (s *story) byCertificate(ctx context.Context) error {
	a, err := s.try(ctx, s.tokenRequest(checkout, scope, field{name: "client_id", value: clientID}))
	if err != nil {
		return err
	}
	const file = "client/access-token-by-certificate"
	if _, err := s.keepToken(a, file); err != nil {
		return err
	}
	s.tell.line("(kept in %s)", s.typed(file))
	a, err = s.try(ctx, request{url: s.orders, certificate: checkout, tokenFile: file})
	if err != nil {
		return err
	}
	return a.ok()
}

// keepToken writes the access token of an answer to a file.
func (s *story) keepToken(a answer, file string) (string, error) {
	if err := a.ok(); err != nil {
		return "", err
	}
	var body struct {
		AccessToken string `json:"access_token"`
	}
	if err := json.Unmarshal(a.body, &body); err != nil {
		return "", err
	}
	if body.AccessToken == "" {
		return "", fmt.Errorf("there is no access_token in %s", a.body)
	}
	return body.AccessToken, writeIfChanged(s.path(file), []byte(body.AccessToken))
}

func (s *story) showToken(token string) error {
	header, payload, err := decodeJWT(token)
	if err != nil {
		return err
	}
	s.tell.saw(header.commented(tokenComments(), time.Now()))
	s.tell.saw(payload.commented(tokenComments(), time.Now()))
	return nil
}

func (s *story) showAssertion(file string) error {
	token, err := os.ReadFile(s.path(file))
	if err != nil {
		return err
	}
	_, payload, err := decodeJWT(string(token))
	if err != nil {
		return err
	}
	s.tell.line("its claims, decoded:")
	s.tell.saw(payload.commented(assertionComments(), time.Now()))
	var audience []string
	var bound struct {
		Pod struct{ Name string }
	}
	if err := errors.Join(payload.get("aud", &audience), payload.get("kubernetes.io", &bound)); err != nil {
		return err
	}
	if !slices.Equal(audience, []string{s.issuer}) || bound.Pod.Name != "checkout-0" {
		return fmt.Errorf("its audience is %v, its pod %q", audience, bound.Pod.Name)
	}
	return nil
}

// checkToken looks for what a token of checkout must say. Its signature is the API's to check,
// which it does in the next step.
func (s *story) checkToken(token string) error {
	header, payload, err := decodeJWT(token)
	if err != nil {
		return err
	}
	var typ, issuer, subject, audience string
	var roles []string
	var confirmation map[string]string
	err = errors.Join(header.get("typ", &typ), payload.get("iss", &issuer), payload.get("sub", &subject),
		payload.get("aud", &audience), payload.get("roles", &roles), payload.get("cnf", &confirmation))
	if err != nil {
		return err
	}
	thumbprint, err := s.thumbprint(checkout)
	if err != nil {
		return err
	}
	for _, claim := range []struct{ name, is, want string }{
		{"typ", typ, "at+jwt"},
		{"iss", issuer, s.issuer},
		{"sub", subject, clientID},
		{"aud", audience, "api://orders"},
		{"roles", fmt.Sprint(roles), "[Orders.Read.All]"},
		{"cnf", confirmation["x5t#S256"], thumbprint},
	} {
		if claim.is != claim.want {
			return fmt.Errorf("%s is %s, not %s", claim.name, claim.is, claim.want)
		}
	}
	return nil
}

// thumbprint is the x5t#S256 (RFC 8705 section 3.1) of the certificate in a folder.
func (s *story) thumbprint(folder string) (string, error) {
	data, err := os.ReadFile(s.path(folder, "tls.crt"))
	if err != nil {
		return "", err
	}
	block, _ := pem.Decode(data)
	if block == nil {
		return "", errors.New(s.path(folder, "tls.crt") + " holds no certificate")
	}
	sum := sha256.Sum256(block.Bytes)
	return base64.RawURLEncoding.EncodeToString(sum[:]), nil
}

func trimmed(text string) []byte { return bytes.TrimSpace([]byte(text)) }
