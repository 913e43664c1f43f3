package admission

import (
	"fmt"
	"strings"
	"testing"
)

func show(value any) string { return fmt.Sprintf("%#v", value) }

func oauthClient() spec {
	return spec{"authentication": spec{"serviceAccounts": []any{spec{"name": "checkout"}}}}
}

func TestOAuthClient(t *testing.T) {
	account := func(field string, value any) func(spec) {
		return func(s spec) {
			s["authentication"].(spec)["serviceAccounts"].([]any)[0].(spec)[field] = value
		}
	}
	certificate := func(value spec) func(spec) { return set("authentication.certificate", value) }
	story := both(
		set("displayName", "Checkout"), set("grantTypes", []any{"client_credentials"}), account("boundTo", "Any"),
		certificate(spec{"methods": []any{"tls_client_auth", "self_signed_tls_client_auth"}, "assertionReuse": "Never"}),
		set("tokenBinding", "MTLS"), set("accessTokenLifetime", "10m"), set("suspend", true),
		set("roles", []any{spec{"namespace": "orders", "name": "orders-read"}}),
	)
	table{
		"the least that is needed":            {nothing, ""},
		"the story's client":                  {story, ""},
		"a client id":                         {set("clientID", "legacy.app_1:x@y-z"), ""},
		"a client id with a slash":            {set("clientID", "shop/checkout"), "never a slash"},
		"a client id with a blank":            {set("clientID", "a b"), "letters, digits and . _ : @ - only"},
		"an empty client id":                  {set("clientID", ""), "spec.clientID"},
		"a client id with a line break":       {set("clientID", "a\n"), "letters, digits"},
		"a client id that is too long":        {set("clientID", strings.Repeat("a", 129)), "Too long"},
		"no authentication":                   {unset("authentication"), "spec.authentication: Required value"},
		"an empty authentication":             {set("authentication", spec{}), "add serviceAccounts, certificate, or both"},
		"an empty list of service accounts":   {set("authentication.serviceAccounts", []any{}), "should have at least 1 items"},
		"33 service accounts":                 {set("authentication.serviceAccounts", repeat(33, func(i int) any { return spec{"name": fmt.Sprint("a", i)} })), "Too many"},
		"a service account twice":             {set("authentication.serviceAccounts", []any{spec{"name": "a"}, spec{"name": "a"}}), "Duplicate value"},
		"an injected pod, which comes later":  {account("admission", "Required"), "does not inject pods yet"},
		"an unknown admission":                {account("admission", "Maybe"), "Unsupported value"},
		"a token bound to a node":             {account("boundTo", "Node"), "Unsupported value"},
		"a certificate without a method":      {certificate(spec{"methods": []any{}}), "should have at least 1 items"},
		"a certificate by default":            {certificate(spec{}), "methods: Required value"},
		"private_key_jwt, which comes later":  {certificate(spec{"methods": []any{"tls_client_auth", "private_key_jwt"}}), "does not serve private_key_jwt"},
		"reused assertions, which come later": {certificate(spec{"methods": []any{"tls_client_auth"}, "assertionReuse": "UntilExpiry"}), "leave assertionReuse out"},
		"a method twice":                      {certificate(spec{"methods": []any{"tls_client_auth", "tls_client_auth"}}), "Duplicate value"},
		"a client secret":                     {certificate(spec{"methods": []any{"client_secret_basic"}}), "Unsupported value"},
		"no grant type":                       {set("grantTypes", []any{}), "should have at least 1 items"},
		"the grant tls_client_auth, later":    {set("grantTypes", []any{"tls_client_auth"}), "serves the grant type client_credentials only"},
		"token exchange, later":               {set("grantTypes", []any{"client_credentials", "urn:ietf:params:oauth:grant-type:token-exchange"}), "serves the grant type client_credentials only"},
		"an unknown grant type":               {set("grantTypes", []any{"password"}), "Unsupported value"},
		"no binding":                          {set("tokenBinding", "None"), ""},
		"DPoP, which comes later":             {set("tokenBinding", "DPoP"), "does not serve DPoP yet"},
		"an unknown binding":                  {set("tokenBinding", "mtls"), "Unsupported value"},
		"the shortest lifetime":               {set("accessTokenLifetime", "1m"), ""},
		"the longest lifetime":                {set("accessTokenLifetime", "1h"), ""},
		"a lifetime in two parts":             {set("accessTokenLifetime", "1m30s"), ""},
		"a lifetime below a minute":           {set("accessTokenLifetime", "59s"), "between 1m and 1h"},
		"a lifetime above an hour":            {set("accessTokenLifetime", "61m"), "between 1m and 1h"},
		"128 roles":                           {set("roles", repeat(128, func(i int) any { return spec{"namespace": "orders", "name": fmt.Sprint("r", i)} })), ""},
		"129 roles":                           {set("roles", repeat(129, func(i int) any { return spec{"namespace": "orders", "name": fmt.Sprint("r", i)} })), "Too many"},
		"a role twice":                        {set("roles", []any{spec{"namespace": "a", "name": "b"}, spec{"namespace": "a", "name": "b"}}), "Duplicate value"},
		"a role without a namespace":          {set("roles", []any{spec{"name": "b"}}), "namespace: Required value"},
		"a role without a name":               {set("roles", []any{spec{"namespace": "a", "name": ""}}), "name"},
	}.durations("accessTokenLifetime", "spec.accessTokenLifetime").creates(t, "OAuthClient", oauthClient)
}

func TestOAuthClientChanges(t *testing.T) {
	named := func() spec {
		s := oauthClient()
		s["clientID"] = "legacy"
		return s
	}
	const says = "spec.clientID cannot be added, changed or removed"
	table{
		"everything else changes":   {both(set("suspend", true), set("tokenBinding", "None"), set("displayName", "x")), ""},
		"a client id is not added":  {set("clientID", "legacy"), says},
		"not even an empty one":     {set("clientID", ""), "spec.clientID"},
		"what is later stays later": {set("tokenBinding", "DPoP"), "does not serve DPoP yet"},
	}.updates(t, "OAuthClient", oauthClient)
	table{
		"everything else changes":    {set("suspend", true), ""},
		"a client id is not changed": {set("clientID", "other"), says},
		"a client id is not removed": {unset("clientID"), says},
	}.updates(t, "OAuthClient", named)
}
