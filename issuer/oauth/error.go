package oauth

import "errors"

// Code is the value of "error" in an answer.
type Code string

// The codes that Lanyard answers with, and where each is defined.
const (
	InvalidRequest         Code = "invalid_request"         // RFC 6749 section 5.2
	InvalidClient          Code = "invalid_client"          // RFC 6749 section 5.2
	UnauthorizedClient     Code = "unauthorized_client"     // RFC 6749 section 5.2
	UnsupportedGrantType   Code = "unsupported_grant_type"  // RFC 6749 section 5.2
	InvalidScope           Code = "invalid_scope"           // RFC 6749 section 5.2
	InvalidTarget          Code = "invalid_target"          // RFC 8707 section 2
	ServerError            Code = "server_error"            // RFC 6749 section 4.1.2.1
	TemporarilyUnavailable Code = "temporarily_unavailable" // RFC 6749 section 4.1.2.1
	SlowDown               Code = "slow_down"               // RFC 8628 section 3.5, here for a rate limit
	InvalidToken           Code = "invalid_token"           // RFC 6750 section 3.1
	InsufficientScope      Code = "insufficient_scope"      // RFC 6750 section 3.1
	InvalidDPoPProof       Code = "invalid_dpop_proof"      // RFC 9449 section 5
	UseDPoPNonce           Code = "use_dpop_nonce"          // RFC 9449 section 8

	UnsupportedResponseType Code = "unsupported_response_type" // RFC 6749 section 4.1.2.1
)

// Error is a refusal: a value that is returned, never a panic and never a
// response that was already written. Number says which entry of the catalogue it
// is and with that its code and its general text; Detail, if set, replaces the
// general text for the caller. Cause is for the log alone.
type Error struct {
	Number Number
	// Detail is what the client reads in error_description. It names the
	// parameter, what was found and what to write instead, and holds nothing
	// secret. Empty means the catalogue's text.
	Detail string
	// Reason is a short fixed word for the log and for metrics, where one
	// number stands for several causes (an identity that was refused).
	Reason string
	// Cause is what happened underneath. It is logged and never sent.
	Cause error
}

// NewError returns the refusal with the given catalogue number. detail may be
// empty.
func NewError(n Number, detail string) *Error { return &Error{Number: n, Detail: detail} }

// WithCause returns a copy of e that carries cause for the log.
func (e *Error) WithCause(cause error) *Error {
	c := *e
	c.Cause = cause
	return &c
}

// Code is the OAuth error code of e.
func (e *Error) Code() Code { return e.Number.Code() }

// Description is the text for the client.
func (e *Error) Description() string {
	if e.Detail != "" {
		return e.Detail
	}
	return e.Number.Text()
}

// Error is the text for the log: code, description, reason and cause.
func (e *Error) Error() string {
	s := string(e.Code()) + ": " + e.Description()
	if e.Reason != "" {
		s += " (" + e.Reason + ")"
	}
	if e.Cause != nil {
		s += ": " + e.Cause.Error()
	}
	return s
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Cause }

// AsError returns the refusal in err's chain. An error that is none became an
// answer nobody planned: it is ErrInternal, with err as its cause.
func AsError(err error) *Error {
	if e, ok := errors.AsType[*Error](err); ok {
		return e
	}
	return NewError(ErrInternal, "").WithCause(err)
}
