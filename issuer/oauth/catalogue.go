package oauth

// Number names one refusal in answers ("error_codes"), logs and documentation.
// A number is never used again for something else.
//
// 100xx the request, 200xx who asks, 300xx what is asked for, 400xx the binding
// of the token, 410xx an API that was called with it, 500xx the issuer itself.
type Number int

// The refusals of the issuer.
const (
	ErrMalformedBody        Number = 10001
	ErrDuplicateParameter   Number = 10002
	ErrMissingParameter     Number = 10003
	ErrUnsupportedGrantType Number = 10004
	ErrBodyTooLarge         Number = 10005
	ErrWrongMethod          Number = 10006
	ErrWrongContentType     Number = 10007
	ErrAssertionType        Number = 10008
	ErrTokenType            Number = 10009
	ErrNotServedYet         Number = 10010
	ErrNotFound             Number = 10011
	// ErrUnsupportedResponseType is the one answer of the authorization endpoint that
	// the tenants' metadata names.
	ErrUnsupportedResponseType Number = 10012

	// ErrIdentity is the one answer to every refusal of identity. Which check
	// failed is told in the log only, so that a stranger learns nothing about
	// which clients exist.
	ErrIdentity        Number = 20001
	ErrTwoMethods      Number = 20002
	ErrNoMethod        Number = 20003
	ErrGrantNotAllowed Number = 20005
	ErrAmbiguousClient Number = 20006
	ErrTooManyRequests Number = 20007
	// ErrSecretBesideCertificate is Oracle's product guides' Basic header beside the
	// certificate of the grant tls_client_auth.
	ErrSecretBesideCertificate Number = 20008
	ErrGrantNeedsCertificate   Number = 20009
	ErrReplayQuota             Number = 20010
	ErrRevocationQuota         Number = 20011
	ErrNotOwnToken             Number = 20012

	ErrNoSuchScope     Number = 30001
	ErrTwoResources    Number = 30002
	ErrScopeSyntax     Number = 30003
	ErrNoScope         Number = 30004
	ErrNoSuchResource  Number = 30005
	ErrScopeMismatch   Number = 30006
	ErrLifetimeTooLow  Number = 30007
	ErrResourceStopped Number = 30008

	ErrBindingRequired      Number = 40001
	ErrResourceNeedsBinding Number = 40002
	ErrCertificateNotPinned Number = 40003
	ErrBindingNotRequested  Number = 40004
	ErrTwoBindings          Number = 40005
	// ErrAssertionOtherCertificate and ErrAssertionNeedsCertificate are of the
	// assertion type jwt-pop.
	ErrAssertionOtherCertificate Number = 40006
	ErrAssertionNeedsCertificate Number = 40007
	ErrDPoPRequired              Number = 40008
	ErrDPoPProof                 Number = 40009
	ErrDPoPNonce                 Number = 40010

	ErrInternal     Number = 50001
	ErrNotReady     Number = 50002
	ErrStale        Number = 50003
	ErrCannotLookUp Number = 50004
	ErrBusy         Number = 50005
)

// The refusals of an API that checks tokens with package verifier.
const (
	// ErrTokenNotAccepted stands for every reason that has no number of its own.
	ErrTokenNotAccepted      Number = 41000
	ErrTokenNotBound         Number = 41001
	ErrTokenOtherCertificate Number = 41002
	ErrTokenNeedsCertificate Number = 41003
	ErrTokenNeedsProof       Number = 41004
	ErrTokenOtherProof       Number = 41005
	ErrTokenProofNonce       Number = 41006
	ErrTokenWithoutRole      Number = 41007
)

// Entry is one line of the catalogue.
type Entry struct {
	Number Number
	Code   Code
	// Title is the heading of the number's page.
	Title string
	// Text is the error_description when nothing more precise can be said.
	Text string
}

// Catalogue returns every refusal, in order of number.
func Catalogue() []Entry { return append([]Entry(nil), catalogue[:]...) }

var catalogue = [...]Entry{
	{ErrMalformedBody, InvalidRequest, "The body is not a form", "the body is not a valid application/x-www-form-urlencoded form; send UTF-8 without NUL bytes"},
	{ErrDuplicateParameter, InvalidRequest, "A parameter is sent twice", "a parameter is sent more than once; send each parameter once"},
	{ErrMissingParameter, InvalidRequest, "A parameter is missing", "a required parameter is missing"},
	{ErrUnsupportedGrantType, UnsupportedGrantType, "The grant type is not served", "this grant_type is not served; use client_credentials, or tls_client_auth with a client certificate"},
	{ErrBodyTooLarge, InvalidRequest, "The request is too large", "the request is too large; the form may have 64 KiB and an assertion 16 KiB"},
	{ErrWrongMethod, InvalidRequest, "The HTTP method is wrong", "this endpoint answers another HTTP method; see the Allow header"},
	{ErrWrongContentType, InvalidRequest, "The content type is wrong", "send Content-Type: application/x-www-form-urlencoded"},
	{ErrAssertionType, InvalidRequest, "The assertion type is not served", "client_assertion_type must be " + AssertionTypeJWTBearer + ", or end in jwt-pop over mutual TLS"},
	{ErrTokenType, InvalidRequest, "The token type is not served", "token_type may be left out, or be Bearer or mtls_pop"},
	{ErrNotServedYet, InvalidRequest, "Not served by this version", "this version of Lanyard does not serve that yet"},
	{ErrNotFound, InvalidRequest, "No such endpoint", "no such endpoint; the metadata at /.well-known/oauth-authorization-server lists what is served"},
	{ErrUnsupportedResponseType, UnsupportedResponseType, "There are no users to authorize here", "this issuer gives tokens to workloads only, at the token endpoint; this endpoint exists because some libraries refuse metadata without it"},

	{ErrIdentity, InvalidClient, "The client is not accepted", "the client could not be authenticated; the issuer's log says why under this trace_id"},
	{ErrTwoMethods, InvalidRequest, "Two ways of authentication at once", "more than one client authentication method was used; use exactly one"},
	{ErrNoMethod, InvalidClient, "No way of authentication", "no client authentication was presented; send a client_assertion, or client_id over mutual TLS"},
	{ErrGrantNotAllowed, UnauthorizedClient, "The client may not use this grant", "the client's spec.grantTypes does not list this grant_type"},
	{ErrAmbiguousClient, InvalidRequest, "The assertion fits more than one client", "this service account belongs to more than one client; say which with client_id"},
	{ErrTooManyRequests, SlowDown, "Too many requests", "too many requests; try again after the time in Retry-After"},
	{ErrSecretBesideCertificate, InvalidRequest, "A secret beside the certificate", "grant_type=tls_client_auth authenticates by the client certificate alone; leave out the Authorization header and client_secret"},
	{ErrGrantNeedsCertificate, InvalidRequest, "The grant needs a client certificate", "grant_type=tls_client_auth authenticates by a client certificate and nothing else; connect with one and send client_id, or use client_credentials"},
	{ErrReplayQuota, SlowDown, "Too many assertions are remembered", "the client has sent more assertions or proofs than can be remembered until they end; reuse tokens until they expire, or let assertions live shorter"},
	{ErrRevocationQuota, SlowDown, "Too many revoked tokens", "the client has revoked more tokens than are kept until they end; let them expire"},
	{ErrNotOwnToken, UnauthorizedClient, "The token is another client's", "a client can revoke its own tokens only"},

	{ErrNoSuchScope, InvalidScope, "No such scope, or not granted", "the scope is unknown or not granted to this client; kubectl describe oauthclient shows the client's roles"},
	{ErrTwoResources, InvalidScope, "Two resources in one request", "a token is for one resource; ask for each in a request of its own"},
	{ErrScopeSyntax, InvalidScope, "The scope cannot be read", "write scope=<identifier>/.default or scope=<identifier>/<role value>"},
	{ErrNoScope, InvalidScope, "No scope, and more than one resource", "say which resource the token is for: scope=<identifier>/.default"},
	{ErrNoSuchResource, InvalidTarget, "No such resource, or not granted", "the resource is unknown or not granted to this client; kubectl describe oauthclient shows the client's roles"},
	{ErrScopeMismatch, InvalidTarget, "scope and resource disagree", "resource and scope name different resources; a token is for one resource"},
	{ErrLifetimeTooLow, InvalidRequest, "Too little time is left", "the token would live less than 30 s, because the certificate, the assertion, the secret or the assignment ends, or by the expiry in the scope; renew what ends, or ask for 30 s or more"},
	{ErrResourceStopped, InvalidScope, "The resource is suspended", "the resource gives no tokens at present; its owner has suspended it"},

	{ErrBindingRequired, InvalidRequest, "The client's tokens must be bound", "the client's spec.tokenBinding is MTLS: connect with a certificate that is pinned to the client"},
	{ErrResourceNeedsBinding, InvalidRequest, "The resource accepts bound tokens only", "the resource's spec.tokenBindingPolicy is Required, and the client's spec.tokenBinding is None; set it to MTLS"},
	{ErrCertificateNotPinned, InvalidClient, "The certificate is not pinned to the client", "the certificate of the connection is not pinned to the client; kubectl get clientcertificates shows what is"},
	{ErrBindingNotRequested, InvalidRequest, "Binding asked for, but switched off", "token_type=mtls_pop asks for a bound token, and the client's spec.tokenBinding is None; set it to MTLS"},
	{ErrTwoBindings, InvalidRequest, "Two kinds of binding at once", "a client certificate and a DPoP proof were sent; a token is bound to one of them: leave the other out"},
	{ErrAssertionOtherCertificate, InvalidRequest, "The assertion is bound to another certificate", "the cnf of the client_assertion names another certificate than that of the connection; use one certificate for both"},
	{ErrAssertionNeedsCertificate, InvalidRequest, "No certificate found for binding", "client_assertion_type jwt-pop needs a connection with a client certificate that is pinned to the client; connect with it"},
	{ErrDPoPRequired, InvalidRequest, "The client's tokens must be bound by DPoP", "the client's spec.tokenBinding is DPoP: send a DPoP proof"},
	{ErrDPoPProof, InvalidDPoPProof, "The DPoP proof is not accepted", "the DPoP proof is not valid"},
	{ErrDPoPNonce, UseDPoPNonce, "The DPoP proof needs a nonce", "the DPoP proof needs the nonce that the header DPoP-Nonce of this answer gives; send a new proof with it"},

	{ErrTokenNotAccepted, InvalidToken, "The API does not accept the token", "the access token is not accepted"},
	{ErrTokenNotBound, InvalidToken, "There is no cnf in the token", "the token is bound to nothing, and this resource accepts bound tokens only"},
	{ErrTokenOtherCertificate, InvalidToken, "The thumbprints do not match", "the token is bound to another certificate than that of the connection"},
	{ErrTokenNeedsCertificate, InvalidToken, "A bound token without its certificate", "the token is bound to a certificate; connect with it over mutual TLS"},
	{ErrTokenNeedsProof, InvalidToken, "A DPoP token without its proof", "the token is bound to a DPoP key; send it with the scheme DPoP and a proof in the header DPoP"},
	{ErrTokenOtherProof, InvalidDPoPProof, "The DPoP proof does not fit", "the DPoP proof is not valid for this token and this request"},
	{ErrTokenProofNonce, UseDPoPNonce, "The API wants a nonce in the DPoP proof", "the DPoP proof needs the nonce that the header DPoP-Nonce of this answer gives"},
	{ErrTokenWithoutRole, InsufficientScope, "The token lacks a role", "the client has none of the roles that this needs"},

	{ErrInternal, ServerError, "Something went wrong here", "the request could not be served; the issuer's log says why under this trace_id"},
	{ErrNotReady, TemporarilyUnavailable, "The issuer is starting", "the issuer is not ready yet; try again"},
	{ErrStale, TemporarilyUnavailable, "The issuer has lost sight of the cluster", "the issuer has not heard from the API server for too long to answer safely; try again"},
	{ErrCannotLookUp, TemporarilyUnavailable, "Something could not be looked up", "something needed for the answer could not be looked up; try again"},
	{ErrBusy, TemporarilyUnavailable, "Too many request bodies arrive at once", "the issuer waits for too many request bodies; send headers and body together, and try again"},
}

func (n Number) entry() Entry {
	for _, e := range catalogue {
		if e.Number == n {
			return e
		}
	}
	return Entry{Number: n, Code: ServerError, Text: "the request could not be served"}
}

// Code is the OAuth error code that n stands for. A number that is not in the
// catalogue is a server_error.
func (n Number) Code() Code { return n.entry().Code }

// Text is the general text of n.
func (n Number) Text() string { return n.entry().Text }

// Title is the heading of n's page.
func (n Number) Title() string { return n.entry().Title }
