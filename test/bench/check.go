package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/golang-jwt/jwt/v5"

	"github.com/lanyard-dev/lanyard/issuer/jose"
)

// check looks into the first answer on each connection, so that what is counted is
// tokens: signed by the issuer's key and, where they must be, bound to the peer's
// certificate.
func (c contender) check(f fixture, peers []connection, answers [][]byte) error {
	key, err := f.signingKey()
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
		var claims struct {
			jwt.RegisteredClaims
			Confirmation struct {
				X5TS256 string `json:"x5t#S256"`
			} `json:"cnf"`
		}
		_, err := jwt.ParseWithClaims(body.AccessToken, &claims, func(*jwt.Token) (any, error) { return key.Public(), nil },
			jwt.WithValidMethods([]string{"ES256"}), jwt.WithIssuer(issuerURL), jwt.WithExpirationRequired())
		if err != nil {
			return fmt.Errorf("the access token: %w", err)
		}
		if !slices.ContainsFunc(f.Clients, func(c client) bool {
			return c.ID() == claims.Subject || "system:serviceaccount:"+c.Namespace+":"+c.Name == claims.Subject
		}) {
			return fmt.Errorf("the access token is of %q, who is no client", claims.Subject)
		}
		want := ""
		if c.bound {
			want = jose.X5TS256(peers[i].Certificate.DER)
		}
		if claims.Confirmation.X5TS256 != want {
			return fmt.Errorf("the access token is bound to %q instead of %q", claims.Confirmation.X5TS256, want)
		}
	}
	return nil
}
