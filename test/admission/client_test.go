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
		"the least that is needed":          {nothing, ""},
		"the story's client":                {story, ""},
		"a client id":                       {set("clientID", "legacy.app_1:x@y-z"), ""},
		"a client id with a slash":          {set("clientID", "shop/checkout"), "never a slash"},
		"a client id with a blank":          {set("clientID", "a b"), "letters, digits and . _ : @ - only"},
		"an empty client id":                {set("clientID", ""), "spec.clientID"},
		"a client id with a line break":     {set("clientID", "a\n"), "letters, digits"},
		"a client id that is too long":      {set("clientID", strings.Repeat("a", 129)), "Too long"},
		"no authentication":                 {unset("authentication"), "spec.authentication: Required value"},
		"an empty authentication":           {set("authentication", spec{}), "add serviceAccounts, certificate or clientSecret"},
		"an empty list of service accounts": {set("authentication.serviceAccounts", []any{}), "should have at least 1 items"},
		"33 service accounts":               {set("authentication.serviceAccounts", repeat(33, func(i int) any { return spec{"name": fmt.Sprint("a", i)} })), "Too many"},
		"a service account twice":           {set("authentication.serviceAccounts", []any{spec{"name": "a"}, spec{"name": "a"}}), "Duplicate value"},
		"an injected pod":                   {account("admission", "Required"), ""},
		"an unknown admission":              {account("admission", "Maybe"), "Unsupported value"},
		"a token bound to a node":           {account("boundTo", "Node"), "Unsupported value"},
		"a certificate without a method":    {certificate(spec{"methods": []any{}}), "should have at least 1 items"},
		"a certificate by default":          {certificate(spec{}), "methods: Required value"},
		"private_key_jwt":                   {certificate(spec{"methods": []any{"tls_client_auth", "private_key_jwt"}}), ""},
		"reused assertions":                 {certificate(spec{"methods": []any{"private_key_jwt"}, "assertionReuse": "UntilExpiry"}), ""},
		"an unknown reuse of assertions":    {certificate(spec{"methods": []any{"private_key_jwt"}, "assertionReuse": "Always"}), "Unsupported value"},
		"a method twice":                    {certificate(spec{"methods": []any{"tls_client_auth", "tls_client_auth"}}), "Duplicate value"},
		"a secret as a certificate":         {certificate(spec{"methods": []any{"client_secret_basic"}}), "Unsupported value"},
		"no grant type":                     {set("grantTypes", []any{}), "should have at least 1 items"},
		"the grant tls_client_auth":         {set("grantTypes", []any{"tls_client_auth"}), ""},
		"both grants":                       {set("grantTypes", []any{"client_credentials", "tls_client_auth"}), ""},
		"a grant twice":                     {set("grantTypes", []any{"tls_client_auth", "tls_client_auth"}), "Duplicate value"},
		"token exchange, later":             {set("grantTypes", []any{"client_credentials", "urn:ietf:params:oauth:grant-type:token-exchange"}), "does not serve token exchange yet"},
		"an unknown grant type":             {set("grantTypes", []any{"password"}), "Unsupported value"},
		"no binding":                        {set("tokenBinding", "None"), ""},
		"DPoP":                              {set("tokenBinding", "DPoP"), ""},
		"an unknown binding":                {set("tokenBinding", "mtls"), "Unsupported value"},
		"the shortest lifetime":             {set("accessTokenLifetime", "1m"), ""},
		"the longest lifetime":              {set("accessTokenLifetime", "1h"), ""},
		"a lifetime in two parts":           {set("accessTokenLifetime", "1m30s"), ""},
		"a lifetime below a minute":         {set("accessTokenLifetime", "59s"), "between 1m and 1h"},
		"a lifetime above an hour":          {set("accessTokenLifetime", "61m"), "between 1m and 1h"},
		"128 roles":                         {set("roles", repeat(128, func(i int) any { return spec{"namespace": "orders", "name": fmt.Sprint("r", i)} })), ""},
		"129 roles":                         {set("roles", repeat(129, func(i int) any { return spec{"namespace": "orders", "name": fmt.Sprint("r", i)} })), "Too many"},
		"a role twice":                      {set("roles", []any{spec{"namespace": "a", "name": "b"}, spec{"namespace": "a", "name": "b"}}), "Duplicate value"},
		"a role without a namespace":        {set("roles", []any{spec{"name": "b"}}), "namespace: Required value"},
		"a role without a name":             {set("roles", []any{spec{"namespace": "a", "name": ""}}), "name"},
		"a role whose name holds a line":    {set("roles", []any{spec{"namespace": "a", "name": "b\n  orders/orders-read  Granted"}}), "name is that of an AppRole"},
		"a role of another place":           {set("roles", []any{spec{"namespace": "../orders", "name": "b"}}), "namespace is that of an AppRole"},
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
		"what is later stays later": {set("grantTypes", []any{"urn:ietf:params:oauth:grant-type:token-exchange"}), "does not serve token exchange yet"},
	}.updates(t, "OAuthClient", oauthClient)
	table{
		"everything else changes":    {set("suspend", true), ""},
		"a client id is not changed": {set("clientID", "other"), says},
		"a client id is not removed": {unset("clientID"), says},
	}.updates(t, "OAuthClient", named)
}

func TestClientSecret(t *testing.T) {
	secret := func() spec {
		return spec{"authentication": spec{"clientSecret": spec{"methods": []any{"client_secret_basic"}, "secretName": "checkout-oauth"}}}
	}
	at := func(field string) string { return "authentication.clientSecret." + field }
	const half = "at most half of lifetime"
	table{
		"a secret alone":                         {nothing, ""},
		"both methods":                           {set(at("methods"), []any{"client_secret_basic", "client_secret_post"}), ""},
		"no method":                              {set(at("methods"), []any{}), "should have at least 1 items"},
		"methods that are left out":              {unset(at("methods")), "methods: Required value"},
		"a method twice":                         {set(at("methods"), []any{"client_secret_post", "client_secret_post"}), "Duplicate value"},
		"a secret in a JWT":                      {set(at("methods"), []any{"client_secret_jwt"}), "Unsupported value"},
		"no secretName":                          {unset(at("secretName")), "secretName: Required value"},
		"an empty secretName":                    {set(at("secretName"), ""), "secretName"},
		"a secretName that is none":              {set(at("secretName"), "Checkout"), "lower-case letters, digits, - and . only"},
		"a secretName that leads elsewhere":      {set(at("secretName"), "../x"), "lower-case letters"},
		"the shortest lifetime":                  {set(at("lifetime"), "1h"), ""},
		"the longest lifetime":                   {set(at("lifetime"), "8760h"), ""},
		"a lifetime below an hour":               {set(at("lifetime"), "59m"), "between 1h and 8760h"},
		"a lifetime above a year":                {set(at("lifetime"), "8761h"), "between 1h and 8760h"},
		"renewed in the middle":                  {set(at("renewBefore"), "360h"), ""},
		"renewed before the middle":              {set(at("renewBefore"), "361h"), half},
		"the shortest of both":                   {both(set(at("lifetime"), "1h"), set(at("renewBefore"), "30m")), ""},
		"renewed too late for anybody to notice": {set(at("renewBefore"), "29m"), "at least 30m"},
		"renewed before it is made":              {both(set(at("lifetime"), "1h"), set(at("renewBefore"), "2h")), half},
		"a secret that somebody chose":           {set(at("value"), "s3cret"), ""}, // an unknown field is dropped
		"beside every other way":                 {both(set("authentication.serviceAccounts", []any{spec{"name": "a"}}), set("authentication.certificate", spec{"methods": []any{"tls_client_auth"}})), ""},
	}.durations(at("lifetime"), "spec.authentication.clientSecret").
		durations(at("renewBefore"), "spec.authentication.clientSecret").
		creates(t, "OAuthClient", secret)
	table{
		"the secretName is not changed":    {set(at("secretName"), "other"), "secretName cannot be changed; remove clientSecret"},
		"the secret goes":                  {set("authentication", spec{"serviceAccounts": []any{spec{"name": "a"}}}), ""},
		"the last way does not go":         {set("authentication", spec{}), "lists no way to authenticate; add serviceAccounts, certificate or clientSecret"},
		"the lifetime changes":             {set(at("lifetime"), "48h"), ""},
		"the lifetime needs room to renew": {both(set(at("renewBefore"), "30h"), set(at("lifetime"), "48h")), half},
	}.updates(t, "OAuthClient", secret)
	table{
		"a secret is added": {set("authentication.clientSecret", spec{"methods": []any{"client_secret_post"}, "secretName": "x"}), ""},
	}.updates(t, "OAuthClient", oauthClient)
}
