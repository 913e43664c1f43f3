package clientauth_test

import (
	"fmt"
	"testing"

	"github.com/lanyard-dev/lanyard/issuer/clientauth"
	"github.com/lanyard-dev/lanyard/issuer/jose"
	"github.com/lanyard-dev/lanyard/issuer/replay"
	"github.com/lanyard-dev/lanyard/issuer/rules"
)

// What one authentication costs, in time and in allocations, for each method.
func BenchmarkAuthenticate(b *testing.B) {
	w := newWorld(b)
	w.registry.DeleteClient("shop", "not-allowed") // one client for one account, as nearly always
	fresh := make([]clientauth.Presented, 10_000)  // more than are remembered
	for i := range fresh {
		fresh[i] = bearer(w.token(func(c, _ map[string]any) { c["jti"] = fmt.Sprint(i) }))
	}
	own256 := make([]clientauth.Presented, 200)
	for i := range own256 {
		own256[i] = bearer(own(b, jose.ES256, nil))
	}
	for name, presented := range map[string][]clientauth.Presented{
		"federated, seen before":   fresh[:1],
		"federated, first seen":    fresh,
		"private_key_jwt":          own256,
		"private_key_jwt, nobody":  {bearer(own(b, jose.ES256, func(_, c map[string]any) { c["iss"], c["sub"] = "shop/nobody", "shop/nobody" }))},
		"tls_client_auth":          {{ClientID: "shop/checkout", Peer: rules.Peer{Thumbprint: pinned}}},
		"client_secret_basic":      {secretOf("shop/secret", secret)},
		"client_secret_basic, bad": {secretOf("shop/nobody", secret)},
	} {
		b.Run(name, func(b *testing.B) {
			a := w.authenticator()
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				if i%len(own256) == 0 {
					a.Replay = replay.New(len(own256), len(own256)) // the same assertions are fresh again
				}
				var seen clientauth.Seen
				_, _ = a.Authenticate(b.Context(), presented[i%len(presented)], now, &seen)
			}
		})
	}
}
