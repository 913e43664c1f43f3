package mint

import (
	"encoding/base64"
	"errors"
	"fmt"
	"io"

	"github.com/lanyard-dev/lanyard/issuer/oauth"
	"github.com/lanyard-dev/lanyard/issuer/rules"
)

// Minter makes access tokens.
type Minter struct {
	// Issuer is the issuer identifier: the tokens' iss.
	Issuer string
	Keys   *Keys
	// Random is where token ids come from.
	Random io.Reader
}

// Token is a signed access token.
type Token struct {
	// Value is what the client gets. It is a secret.
	Value string
	// ID is the token's jti, which is not.
	ID string
}

// String keeps the token out of logs.
func (t Token) String() string { return "token " + t.ID }

// Mint signs what was approved. The error is ErrNotReady if there is no key to sign
// with.
func (m *Minter) Mint(a rules.Approval) (Token, error) {
	if !a.Valid() {
		return Token{}, oauth.NewError(oauth.ErrInternal, "").WithCause(errors.New("mint: the approval was not made by rules.Decide"))
	}
	signer := m.Keys.at(a.IssuedAt()).signer
	if signer == nil {
		return Token{}, oauth.NewError(oauth.ErrNotReady, "").WithCause(errors.New("mint: no signing key is active"))
	}
	var random [16]byte
	if _, err := io.ReadFull(m.Random, random[:]); err != nil {
		return Token{}, oauth.NewError(oauth.ErrInternal, "").WithCause(fmt.Errorf("mint: no randomness: %w", err))
	}
	id := base64.RawURLEncoding.EncodeToString(random[:])
	value, err := signer.Sign(oauth.TypAccessToken, claimsOf(a, m.Issuer, id))
	if err != nil {
		return Token{}, oauth.NewError(oauth.ErrInternal, "").WithCause(fmt.Errorf("mint: %w", err))
	}
	return Token{Value: value, ID: id}, nil
}
