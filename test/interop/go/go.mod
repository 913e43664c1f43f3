// Clients and verifiers of other makers, in a module of their own, so that the product's
// go.mod does not require what only this test needs.
module github.com/lanyard-dev/lanyard/test/interop/go

go 1.26.0

require (
	github.com/coreos/go-oidc/v3 v3.21.0
	golang.org/x/oauth2 v0.37.0
)

require github.com/go-jose/go-jose/v4 v4.1.8 // indirect
