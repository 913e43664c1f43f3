package verifier

import "crypto/tls"

// TLSConfig returns a copy of base, which may be nil, that asks each client for a
// certificate, so that Middleware can compare it. Any certificate will do: that
// the client has its key is proven by the handshake, and which one it must be
// stands in the token. A stricter ClientAuth of base is kept.
//
// Sessions are not resumed. A resumed session repeats no handshake: the server
// would rely on the certificate of an earlier connection, and on whatever was
// checked then (CVE-2025-68121 is what that comes to). TLS is 1.2 or newer.
func TLSConfig(base *tls.Config) *tls.Config {
	c := &tls.Config{MinVersion: tls.VersionTLS12}
	if base != nil {
		c = base.Clone()
	}
	c.MinVersion = max(c.MinVersion, tls.VersionTLS12)
	if c.ClientAuth == tls.NoClientCert {
		c.ClientAuth = tls.RequestClientCert
	}
	c.SessionTicketsDisabled = true
	if choose := c.GetConfigForClient; choose != nil {
		// Whatever it chooses is held to the same.
		c.GetConfigForClient = func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
			chosen, err := choose(hello)
			if chosen == nil || err != nil {
				return nil, err
			}
			return TLSConfig(chosen), nil
		}
	}
	return c
}
