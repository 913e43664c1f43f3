package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/golang-jwt/jwt/v5"

	"github.com/lanyard-dev/lanyard/issuer/jose"
	"github.com/lanyard-dev/lanyard/test/bench/stand"
)

// tokenClaims is what is looked at in a token.
type tokenClaims struct {
	jwt.RegisteredClaims
	Confirmation struct {
		X5TS256 string `json:"x5t#S256"`
		JKT     string `json:"jkt"`
	} `json:"cnf"`
}

// check looks into the first answer on each connection, so that what is counted is
// tokens: signed by the issuer's key and, where they must be, bound to the peer's
// certificate or key.
func (c contender) check(f stand.Fixture, peers []connection, answers [][]byte) error {
	key, err := f.SigningPrivateKey()
	if err != nil {
		return err
	}
	if len(answers) != len(peers) || len(answers) == 0 {
		return errors.New("an answer is missing")
	}
	for i, answer := range answers {
		var body struct {
			AccessToken string `json:"access_token"`
		}
		if err := json.Unmarshal(answer, &body); err != nil {
			return fmt.Errorf("the answer is not JSON: %w", err)
		}
		var claims tokenClaims
		_, err := jwt.ParseWithClaims(body.AccessToken, &claims, func(*jwt.Token) (any, error) { return key.Public(), nil },
			jwt.WithValidMethods([]string{"ES256"}), jwt.WithIssuer(stand.IssuerURL), jwt.WithExpirationRequired())
		if err != nil {
			return fmt.Errorf("the access token: %w", err)
		}
		if !slices.ContainsFunc(f.Clients, func(c stand.Client) bool {
			return c.ID() == claims.Subject || "system:serviceaccount:"+c.Namespace+":"+c.Name == claims.Subject
		}) {
			return fmt.Errorf("the access token is of %q, who is no client", claims.Subject)
		}
		if err := c.checkBinding(claims, peers[i]); err != nil {
			return err
		}
	}
	return nil
}

func (c contender) checkBinding(claims tokenClaims, p connection) error {
	want := ""
	if c.binding == toCertificate {
		want = jose.X5TS256(p.Certificate.DER)
	}
	if got := claims.Confirmation.X5TS256; got != want {
		return fmt.Errorf("the access token is bound to the certificate %q instead of %q", got, want)
	}
	if (claims.Confirmation.JKT != "") != (c.binding == toProofKey) {
		return fmt.Errorf("the access token is bound to the key %q", claims.Confirmation.JKT)
	}
	return nil
}
