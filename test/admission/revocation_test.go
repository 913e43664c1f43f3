package admission

import (
	"strings"
	"testing"
)

// Only the issuer makes these. What it reads must not stop it all the same.
func TestTokenRevocation(t *testing.T) {
	const ends = "2027-01-01T00:00:00Z"
	token := func(edits ...any) spec {
		s := spec{"clientID": "shop/checkout", "jti": "4f2a", "expiresAt": ends}
		for i := 0; i < len(edits); i += 2 {
			s[edits[i].(string)] = edits[i+1]
		}
		return s
	}
	tokens := func(all ...any) func(spec) { return set("tokens", all) }
	revocation := func() spec { return spec{"expiresAt": ends, "tokens": []any{token()}} }
	table{
		"one token":                    {nothing, ""},
		"512 tokens":                   {tokens(repeat(512, func(int) any { return token() })...), ""},
		"513 tokens":                   {tokens(repeat(513, func(int) any { return token() })...), "Too many"},
		"no token":                     {set("tokens", []any{}), "should have at least 1 items"},
		"a token without a client":     {tokens(token("clientID", "")), "clientID"},
		"a token without an id":        {tokens(token("jti", "")), "jti"},
		"an id that is too long":       {tokens(token("jti", strings.Repeat("a", 65))), "Too long"},
		"a token that ends earlier":    {tokens(token("expiresAt", "2026-12-31T23:59:59Z")), ""},
		"a token that ends later":      {tokens(token(), token("expiresAt", "2027-01-01T00:00:01Z")), "one of them ends later"},
		"a token that ends in no time": {tokens(token("expiresAt", "2027-01-01T00:00:00+25:00")), "expiresAt"},
	}.times("expiresAt", nothing).creates(t, "TokenRevocation", revocation)
	table{
		"it is not made longer": {set("expiresAt", "2028-01-01T00:00:00Z"), "cannot be changed"},
		"nor another's":         {tokens(token("jti", "other")), "cannot be changed"},
	}.updates(t, "TokenRevocation", revocation)
}
