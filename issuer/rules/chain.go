package rules

import (
	"crypto/rsa"
	"crypto/x509"
)

// What a chain may make us compute. To find out who issued what, x509 tries every
// order that the names allow, up to a hundred signatures: four certificates of one
// name, with keys of 8192 bits, took 80 ms of each request of any stranger who knew
// the name of a client.
const (
	maxRSABits     = 4096
	maxRSAExponent = 65537
	// maxSameName is how many CAs of one name a bundle may hold: an old one and a new
	// one, twice.
	maxSameName = 4
	// maxRules is how many subject rules of one client are asked about one
	// certificate, of those whose name it has.
	maxRules = 8
)

// Intermediates are the certificates behind the first of chain, as far as they are
// worth a look: of several with one name the first, and none with a key that takes
// long to verify with.
func Intermediates(chain []*x509.Certificate) *x509.CertPool {
	pool := x509.NewCertPool()
	if len(chain) == 0 {
		return pool
	}
	seen := map[string]bool{}
	for _, c := range chain[1:] {
		if name := string(c.RawSubject); !seen[name] && quick(c) {
			seen[name] = true
			pool.AddCert(c)
		}
	}
	return pool
}

// quick says whether signatures of c's key are verified in little time.
func quick(c *x509.Certificate) bool {
	key, ok := c.PublicKey.(*rsa.PublicKey)
	return !ok || key.N.BitLen() <= maxRSABits && key.E <= maxRSAExponent
}
