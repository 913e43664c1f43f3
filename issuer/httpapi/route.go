package httpapi

import "strings"

// The endpoints, as metrics and log name them.
const (
	endpointToken         = "token"
	endpointIntrospection = "introspection"
	endpointRevocation    = "revocation"
	endpointAuthorization = "authorization"
	endpointKeys          = "keys"
	endpointMetadata      = "metadata"
	endpointNone          = "none"
)

// The paths that are served. They match exactly: no cleaning, no redirects, which
// would send a POST elsewhere or lose its body.
const (
	pathToken          = "/oauth2/token"
	pathTokenV1        = "/oauth2/v1/token" // of Oracle's identity domains
	pathIntrospection  = "/oauth2/introspect"
	pathRevocation     = "/oauth2/revoke"
	pathKeys           = "/oauth2/keys"
	pathOpenID         = "/.well-known/openid-configuration"
	pathAuthorizations = "/.well-known/oauth-authorization-server"
	pathIDCS           = "/.well-known/idcs-configuration" // of Oracle's identity domains

	// After /{tenant}, as Entra's libraries write them.
	tenantToken         = "/oauth2/v2.0/token"
	tenantAuthorization = "/oauth2/v2.0/authorize"
	tenantOpenIDV2      = "/v2.0" + pathOpenID
	tenantOpenID        = pathOpenID
)

// maxLabel is how long a DNS label may be, and with it the name of a namespace.
const maxLabel = 63

// route says which endpoint a path leads to, and which tenant the path names: the
// namespace of the client, in Entra's form; empty if it names none.
func route(path string) (endpoint, tenant string) {
	switch path {
	case pathToken, pathTokenV1:
		return endpointToken, ""
	case pathIntrospection:
		return endpointIntrospection, ""
	case pathRevocation:
		return endpointRevocation, ""
	case pathKeys:
		return endpointKeys, ""
	case pathOpenID, pathAuthorizations, pathIDCS:
		return endpointMetadata, ""
	}
	tenant, rest := splitTenant(path)
	if tenant == "" {
		return endpointNone, ""
	}
	switch rest {
	case tenantToken:
		return endpointToken, tenant
	case tenantAuthorization:
		return endpointAuthorization, tenant
	case tenantOpenIDV2, tenantOpenID:
		return endpointMetadata, tenant
	default:
		return endpointNone, ""
	}
}

// splitTenant splits "/{tenant}/rest". The tenant is empty unless it is a DNS label.
func splitTenant(path string) (tenant, rest string) {
	if path == "" || path[0] != '/' {
		return "", ""
	}
	end := strings.IndexByte(path[1:], '/')
	if end < 0 || !isLabel(path[1:1+end]) {
		return "", ""
	}
	return path[1 : 1+end], path[1+end:]
}

// isLabel says whether s can be the name of a namespace (RFC 1123 section 2.1).
func isLabel(s string) bool {
	if s == "" || len(s) > maxLabel || s[0] == '-' || s[len(s)-1] == '-' {
		return false
	}
	for i := range len(s) {
		if c := s[i]; (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' {
			return false
		}
	}
	return true
}
