package oauth

// GrantType is the value of the grant_type parameter (RFC 6749 section 4).
type GrantType string

const (
	// GrantClientCredentials is RFC 6749 section 4.4.
	GrantClientCredentials GrantType = "client_credentials"
	// GrantTLSClientAuth is the form of Oracle's identity domains: client
	// credentials with mutual TLS as the only method.
	GrantTLSClientAuth GrantType = "tls_client_auth"
	// GrantTokenExchange is RFC 8693 section 2.1.
	GrantTokenExchange GrantType = "urn:ietf:params:oauth:grant-type:token-exchange"
)

// AuthMethod names how a client proved who it is, as registered in the "OAuth
// Token Endpoint Authentication Methods" registry (RFC 8414 section 2).
type AuthMethod string

const (
	// AuthPrivateKeyJWT is a signed assertion (RFC 7523 section 2.2): the
	// projected token of a service account, or one that a pinned certificate's
	// key signed.
	AuthPrivateKeyJWT AuthMethod = "private_key_jwt"
	// AuthTLSClient is RFC 8705 section 2.1.
	AuthTLSClient AuthMethod = "tls_client_auth"
	// AuthSelfSignedTLSClient is RFC 8705 section 2.2.
	AuthSelfSignedTLSClient AuthMethod = "self_signed_tls_client_auth"
	// AuthClientSecretBasic is RFC 6749 section 2.3.1 with the Authorization header.
	AuthClientSecretBasic AuthMethod = "client_secret_basic"
	// AuthClientSecretPost is the same with the secret in the form.
	AuthClientSecretPost AuthMethod = "client_secret_post"
)

// The values of client_assertion_type.
const (
	// AssertionTypeJWTBearer is RFC 7523 section 2.2.
	AssertionTypeJWTBearer = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
	// AssertionTypeJWTPoP is the form of Microsoft's libraries for an assertion that
	// comes over a connection with a certificate, and agrees with it if it names one.
	AssertionTypeJWTPoP = "urn:ietf:params:oauth:client-assertion-type:jwt-pop"
)

// TokenType is the token_type of an answer (RFC 6749 section 7.1), and, without
// regard to case, the scheme of the Authorization header that carries it.
type TokenType string

const (
	// TokenBearer is RFC 6750. A certificate-bound token is also of this type
	// (RFC 8705 section 3).
	TokenBearer TokenType = "Bearer"
	// TokenMTLSPoP is the name that Microsoft's libraries give to a
	// certificate-bound token; it is answered only where the request named it.
	TokenMTLSPoP TokenType = "mtls_pop"
	// TokenDPoP is RFC 9449 section 5.
	TokenDPoP TokenType = "DPoP"
)

const (
	// TypAccessToken is the typ header of an access token (RFC 9068 section 2.1).
	TypAccessToken = "at+jwt"
	// DefaultScope asks, after an identifier and a slash, for every role that is
	// granted on it.
	DefaultScope = ".default"
	// ScopeExpiry asks for a shorter life, as the product guides of Oracle write it: a
	// number of seconds follows.
	ScopeExpiry = "urn:opc:resource:expiry="
	// ScopeMyScopes asks for all that the client has, as Oracle's identity domains
	// write it: the same as no scope at all.
	ScopeMyScopes = "urn:opc:idm:__myscopes__"
)
