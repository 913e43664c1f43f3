package rules

import (
	"strconv"
	"strings"
	"time"

	"github.com/lanyard-dev/lanyard/issuer/oauth"
)

// Ask is what a request asks for, read from its scope and resource parameters.
type Ask struct {
	// Identifier of the resource; empty: the client's only one.
	Identifier string
	// Roles asked for by value; nil: every role that is granted.
	Roles []string
	// ByResource is true if the request named the resource with the parameter
	// resource alone, which decides between invalid_target and invalid_scope.
	ByResource bool
	// MaxLifetime is the shorter life that was asked for; zero: none was.
	MaxLifetime time.Duration
}

const (
	maxRolesAsked   = 128
	maxScopeLength  = 16 << 10
	maxIdentifierLn = 512
)

// ParseScope reads the parameters scope (RFC 6749 section 3.3) and resource
// (RFC 8707 section 2). A scope token is <identifier>/.default or
// <identifier>/<role value>; the identifier is everything before the last slash. Two
// tokens of Oracle's identity domains are known beside these: oauth.ScopeExpiry, and
// oauth.ScopeMyScopes, which names nothing.
func ParseScope(scope, resource string) (Ask, *oauth.Error) {
	ask := Ask{Identifier: resource, ByResource: resource != ""}
	if len(scope) > maxScopeLength || len(resource) > maxIdentifierLn {
		return Ask{}, oauth.NewError(oauth.ErrScopeSyntax, "scope or resource is too long")
	}
	if resource != "" && !CanonicalIdentifier(resource) {
		return Ask{}, oauth.NewError(oauth.ErrNoSuchResource, "")
	}
	if scope == "" {
		return ask, nil
	}
	all := false
	seen := map[string]bool{}
	identifier := ""
	for token := range strings.SplitSeq(scope, " ") {
		if token == "" {
			continue // libraries send trailing blanks
		}
		if !scopeToken(token) {
			return Ask{}, oauth.NewError(oauth.ErrScopeSyntax, "")
		}
		if token == oauth.ScopeMyScopes {
			continue
		}
		if seconds, ok := strings.CutPrefix(token, oauth.ScopeExpiry); ok {
			n, err := strconv.ParseUint(seconds, 10, 31)
			if err != nil || n == 0 || ask.MaxLifetime != 0 {
				return Ask{}, oauth.NewError(oauth.ErrScopeSyntax, "write "+oauth.ScopeExpiry+"<seconds> once, with a whole number of seconds")
			}
			ask.MaxLifetime = time.Duration(n) * time.Second
			continue
		}
		i := strings.LastIndexByte(token, '/')
		switch {
		case i <= 0:
			return Ask{}, oauth.NewError(oauth.ErrScopeSyntax, "scope has a word without an identifier, such as openid; leave it out, and write <identifier>/.default or <identifier>/<role value>")
		case i == len(token)-1 || token[i-1] == '/': // api://orders/, api://orders
			return Ask{}, oauth.NewError(oauth.ErrScopeSyntax, "scope names a resource and no role; write <identifier>/.default for every role that is granted, or <identifier>/<role value>")
		}
		if id := token[:i]; identifier == "" {
			identifier = id
		} else if id != identifier {
			return Ask{}, oauth.NewError(oauth.ErrTwoResources, "")
		}
		if value := token[i+1:]; value == oauth.DefaultScope {
			all = true
		} else if !seen[value] {
			seen[value] = true
			ask.Roles = append(ask.Roles, value)
		}
	}
	switch {
	case identifier == "":
		return ask, nil
	case all && len(ask.Roles) > 0:
		return Ask{}, oauth.NewError(oauth.ErrScopeSyntax, "scope asks for .default and for single roles; ask for one or the other")
	case len(ask.Roles) > maxRolesAsked:
		return Ask{}, oauth.NewError(oauth.ErrScopeSyntax, "scope asks for more than 128 roles; use .default")
	case resource != "" && resource != identifier:
		return Ask{}, oauth.NewError(oauth.ErrScopeMismatch, "")
	}
	ask.Identifier, ask.ByResource = identifier, false
	return ask, nil
}

// scopeToken says whether s is an RFC 6749 scope-token: printable ASCII without
// blank, quote and backslash.
func scopeToken(s string) bool {
	for i := range len(s) {
		if c := s[i]; c < 0x21 || c > 0x7e || c == '"' || c == '\\' {
			return false
		}
	}
	return true
}
