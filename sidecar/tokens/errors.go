package tokens

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/lanyard-dev/lanyard/issuer/oauth"
)

// Refused is the issuer's "no". Asking again helps only when somebody has changed a
// declaration, which the Source finds out by itself.
type Refused struct { //nolint:errname // who reads it reads tokens.Refused
	Resource string
	// Code is the issuer's error (RFC 6749 section 5.2), and Description its sentence.
	Code        oauth.Code
	Description string
	// Number is the refusal's in the issuer's catalogue; zero if it gave none.
	Number oauth.Number
	// TraceID is where the issuer's log says more.
	TraceID string
}

func (e *Refused) Error() string {
	return fmt.Sprintf("the issuer refuses a token for %s%s", e.Resource, e.said())
}

// said is what the issuer said. Its sentence may point to the trace_id, which stands before it.
func (e *Refused) said() string {
	var with []string
	if e.Number != 0 {
		with = append(with, fmt.Sprintf("number %d", e.Number))
	}
	if e.TraceID != "" {
		with = append(with, "trace_id "+e.TraceID)
	}
	var b strings.Builder
	if len(with) > 0 {
		b.WriteString(" with " + strings.Join(with, " and "))
	}
	fmt.Fprintf(&b, ": %s: %s", e.Code, e.Description)
	if e.Number == oauth.ErrDPoPRequired {
		b.WriteString("; the sidecar makes no DPoP proofs: the client's spec.tokenBinding has to be MTLS or None")
	}
	return b.String()
}

// AsRefused returns the issuer's "no" if that is what an error of a Source or a Client is. An
// issuer in trouble, or one that is asked too often, gives a code, too; that is an *Unavailable,
// passes by itself, and is none.
func AsRefused(err error) (*Refused, bool) {
	if _, away := errors.AsType[*Unavailable](err); away {
		return nil, false
	}
	return errors.AsType[*Refused](err)
}

// ofResource says whether the refusal is about what was asked for, and not about who
// asks or with which certificate.
func (e *Refused) ofResource() bool {
	return e.Code == oauth.InvalidScope || e.Code == oauth.InvalidTarget
}

// Unavailable says that there is no valid token, and that none could be had so far: the
// issuer is away, or something that is needed to ask it is not there yet.
type Unavailable struct { //nolint:errname // who reads it reads tokens.Unavailable
	Resource string
	// Cause is why; nil while the first answer is still waited for. It may also be a
	// context's error, or what an issuer in trouble answered: see AsRefused.
	Cause error
	// RetryAfter is how long the issuer asked to be left alone; zero: it did not say.
	RetryAfter time.Duration
}

func (e *Unavailable) Error() string {
	if e.Cause == nil {
		return fmt.Sprintf("there is no token for %s yet", e.Resource)
	}
	if r, ok := errors.AsType[*Refused](e.Cause); ok {
		return fmt.Sprintf("there is no token for %s: the issuer answers%s", e.Resource, r.said())
	}
	return fmt.Sprintf("there is no token for %s: %v", e.Resource, e.Cause)
}

func (e *Unavailable) Unwrap() error { return e.Cause }

// NotListed says that a resource is not among those that the Source holds tokens for.
type NotListed struct { //nolint:errname // who reads it reads tokens.NotListed
	Resource string
	Listed   []string
}

func (e *NotListed) Error() string {
	if len(e.Listed) == 0 {
		return fmt.Sprintf("the resource %q is not listed; none is: list it in resources of the configuration (annotation lanyard.dev/config)", e.Resource)
	}
	return fmt.Sprintf("the resource %q is not listed; listed are %s. Add it to resources of the configuration (annotation lanyard.dev/config)",
		e.Resource, strings.Join(e.Listed, ", "))
}
