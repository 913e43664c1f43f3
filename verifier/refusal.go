package verifier

import (
	"errors"
	"strings"

	"github.com/lanyard-dev/lanyard/issuer/jose"
	"github.com/lanyard-dev/lanyard/issuer/oauth"
)

// Refusal is the answer "no" to a token. It is what Verify returns as an error
// unless the token could not be judged (ErrUnavailable).
type Refusal struct { //nolint:errname // it is the answer "no", and named for that
	// Code is invalid_request, invalid_token or insufficient_scope (RFC 6750
	// section 3.1), invalid_dpop_proof or use_dpop_nonce (RFC 9449 sections 7.1
	// and 9), or empty if there were no credentials at all: then the answer
	// names no error.
	Code oauth.Code
	// Number says more precisely what was wrong, with a page in the
	// documentation: one of 410xx. Zero where Code says it all.
	Number oauth.Number
	// Description says what was wrong and what to do, and goes to the client.
	Description string
	// Cause is for the log alone.
	Cause error

	// scope is what a token would have to be asked for with.
	scope string
}

// Error returns code, description and cause, for the log. No token is in it.
func (r *Refusal) Error() string {
	var b strings.Builder
	if r.Code != "" {
		b.WriteString(string(r.Code) + ": ")
	}
	b.WriteString(r.Description)
	if r.Cause != nil {
		b.WriteString(": " + r.Cause.Error())
	}
	return b.String()
}

// Unwrap returns the cause, in whose chain are the errors of package jose.
func (r *Refusal) Unwrap() error { return r.Cause }

func invalidToken(number oauth.Number, description string) *Refusal {
	return &Refusal{Code: oauth.InvalidToken, Number: number, Description: description}
}

// reasons says to the client what each error of package jose means for it.
var reasons = [...]struct {
	is          error
	description string
}{
	{jose.ErrMalformed, "this is not a well-formed JWT"},
	{jose.ErrAlgorithm, "the token is signed with an algorithm that is not accepted"},
	{jose.ErrUnknownKey, "the token is signed with a key that the issuer does not publish"},
	{jose.ErrKey, "the token is signed with a key that is not accepted"},
	{jose.ErrSignature, "the signature of the token does not verify"},
	{jose.ErrType, "this is not an access token; its typ must be at+jwt"},
	{jose.ErrIssuer, "the token comes from an issuer that is not accepted here"},
	{jose.ErrAudience, "the token is not for this resource alone; ask for one whose only audience is the realm"},
	{jose.ErrExpired, "the token has expired; ask for a new one"},
	{jose.ErrNotYetValid, "the token is not valid yet; compare the clocks"},
	{jose.ErrLifetime, "the token lives too long"},
	{jose.ErrClaims, "a claim of the token is missing or malformed"},
}

// refuse turns an error of package jose into the refusal of the token.
func refuse(err error) *Refusal {
	for _, r := range reasons {
		if errors.Is(err, r.is) {
			return notAccepted(r.description, err)
		}
	}
	return notAccepted("the token is not accepted", err)
}

// notAccepted refuses a token for what is wrong with it alone.
func notAccepted(description string, cause error) *Refusal {
	return &Refusal{Code: oauth.InvalidToken, Number: oauth.ErrTokenNotAccepted, Description: description, Cause: cause}
}
