package inspect

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/lanyard-dev/lanyard/cmd/kubectl-lanyard/internal/cli"
	"github.com/lanyard-dev/lanyard/issuer/jose"
)

// certificateFindings say what stands against a client certificate at now.
func certificateFindings(c *x509.Certificate, now time.Time) findings {
	var f findings
	switch {
	case now.Before(c.NotBefore):
		f.add(Stands, "the certificate is not valid yet: it begins %s; compare the clocks", cli.When(c.NotBefore, now))
	case !now.Before(c.NotAfter):
		f.add(Stands, "the certificate has expired %s", cli.When(c.NotAfter, now))
	default:
		f.add(OK, "the certificate is in time: it ends %s", cli.When(c.NotAfter, now))
	}
	if len(c.ExtKeyUsage) > 0 && !slices.Contains(c.ExtKeyUsage, x509.ExtKeyUsageClientAuth) && !slices.Contains(c.ExtKeyUsage, x509.ExtKeyUsageAny) {
		f.add(Note, "the certificate is not made for clients: its extended key usage lacks clientAuth, and many servers refuse it")
	}
	if c.IsCA {
		f.add(Note, "the certificate is that of an authority (CA:TRUE); a client's should not be")
	}
	return f
}

// names are the subject alternative names, each with its kind.
func names(c *x509.Certificate) []string {
	var all []string
	for _, u := range c.URIs {
		all = append(all, "URI:"+u.String())
	}
	for _, n := range c.DNSNames {
		all = append(all, "DNS:"+n)
	}
	for _, a := range c.IPAddresses {
		all = append(all, "IP:"+a.String())
	}
	for _, a := range c.EmailAddresses {
		all = append(all, "email:"+a)
	}
	return all
}

// usages are what the certificate is for.
func usages(c *x509.Certificate) []string {
	var all []string
	for _, u := range c.ExtKeyUsage {
		switch u {
		case x509.ExtKeyUsageClientAuth:
			all = append(all, "client authentication")
		case x509.ExtKeyUsageServerAuth:
			all = append(all, "server authentication")
		case x509.ExtKeyUsageAny:
			all = append(all, "any")
		default:
			all = append(all, fmt.Sprintf("extended key usage %d", u))
		}
	}
	return all
}

func describeKey(c *x509.Certificate) string {
	switch k := c.PublicKey.(type) {
	case *ecdsa.PublicKey:
		return "ECDSA " + k.Params().Name
	case *rsa.PublicKey:
		return fmt.Sprintf("RSA, %d bits", k.N.BitLen())
	case ed25519.PublicKey:
		return "Ed25519"
	}
	return c.PublicKeyAlgorithm.String()
}

// fingerprint is the SHA-256 as openssl writes it.
func fingerprint(c *x509.Certificate) string {
	sum := sha256.Sum256(c.Raw)
	pairs := make([]string, 0, len(sum))
	for _, b := range sum {
		pairs = append(pairs, fmt.Sprintf("%02X", b))
	}
	return strings.Join(pairs, ":")
}

// boundTo finds the certificate that a token is bound to among several. Without it,
// the leaf is the one to compare with.
func boundTo(certificates []*x509.Certificate, thumbprint string) *x509.Certificate {
	if len(certificates) == 0 {
		return nil
	}
	for _, c := range certificates {
		if thumbprint != "" && jose.X5TS256(c.Raw) == thumbprint {
			return c
		}
	}
	return certificates[0]
}
