package rules

import (
	"bytes"
	"crypto/sha256"
	"crypto/x509"
	"encoding/asn1"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/lanyard-dev/lanyard/api/v1alpha1"
)

const (
	// maxAuthorities and maxChain bound what one certificate can cost to verify.
	maxAuthorities = 32
	maxChain       = 5
)

// Subject is the rule of RFC 8705 section 2.1.2: certificates from known CAs whose
// one named subject is the expected one.
type Subject struct {
	roots       *x509.CertPool
	authorities []*x509.Certificate
	matches     func(leaf *x509.Certificate) bool
	fingerprint string
}

// Rule names a subject rule, in tokens too: what it matched ends with it.
type Rule struct {
	// Name and UID of the ClientCertificate.
	Name string `json:"name"`
	UID  string `json:"uid"`
	// Fingerprint of its spec.subject.
	Fingerprint string `json:"subject"`
}

func ruleOf(cc *Certificate) *Rule {
	return &Rule{Name: cc.Name, UID: string(cc.UID), Fingerprint: cc.subject.fingerprint}
}

// ReadSubject reads spec.subject. The error says what to write instead.
func ReadSubject(s *v1alpha1.SubjectSource) (*Subject, error) {
	out := &Subject{roots: x509.NewCertPool()}
	if err := out.readBundle(s.CABundle); err != nil {
		return nil, err
	}
	set := 0
	for _, one := range []struct {
		field, value string
		read         func(string) (func(*x509.Certificate) bool, error)
	}{
		{"dn", s.DN, matchDN},
		{"dns", s.DNS, matchDNS},
		{"uri", s.URI, matchURI},
		{"ip", s.IP, matchIP},
		{"email", s.Email, matchEmail},
	} {
		if one.value == "" {
			continue
		}
		set++
		matches, err := one.read(one.value)
		if err != nil {
			return nil, fmt.Errorf("spec.subject.%s: %w", one.field, err)
		}
		out.matches = matches
	}
	if set != 1 {
		return nil, errors.New("spec.subject names exactly one of dn, dns, uri, ip and email")
	}
	sum := sha256.Sum256([]byte(strings.Join([]string{s.CABundle, s.DN, s.DNS, s.URI, s.IP, s.Email}, "\x00")))
	out.fingerprint = base64.RawURLEncoding.EncodeToString(sum[:16])
	return out, nil
}

func (s *Subject) readBundle(text string) error {
	const what = "spec.subject.caBundle: "
	for rest := []byte(text); ; {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			if len(bytes.TrimSpace(rest)) > 0 && len(s.authorities) > 0 {
				return errors.New(what + "what follows the last certificate is no PEM; remove it")
			}
			break
		}
		if block.Type != "CERTIFICATE" {
			return errors.New(what + "it holds something else than certificates; put only the CAs' certificates in it")
		}
		ca, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return fmt.Errorf(what+"certificate %d cannot be read", len(s.authorities)+1)
		}
		if !ca.BasicConstraintsValid || !ca.IsCA || ca.KeyUsage != 0 && ca.KeyUsage&x509.KeyUsageCertSign == 0 {
			return fmt.Errorf(what+"certificate %d is not a CA's; put the certificate of the CA that issues the workloads' certificates there", len(s.authorities)+1)
		}
		if !quick(ca) {
			return fmt.Errorf(what+"certificate %d has an RSA key of more than %d bits, or of an unusual exponent, which takes too long to verify with; use another CA", len(s.authorities)+1, maxRSABits)
		}
		s.authorities = append(s.authorities, ca)
		s.roots.AddCert(ca)
	}
	switch {
	case len(s.authorities) == 0:
		return errors.New(what + "it holds no certificate; write the PEM of the CA that issues the workloads' certificates")
	case len(s.authorities) > maxAuthorities:
		return fmt.Errorf(what+"it holds more than %d certificates", maxAuthorities)
	}
	named := map[string]int{}
	for _, ca := range s.authorities {
		if named[string(ca.RawSubject)] == maxSameName {
			return fmt.Errorf(what+"it holds more than %d CAs of the name %s; put the others into a ClientCertificate of their own", maxSameName, ca.Subject)
		}
		named[string(ca.RawSubject)]++
	}
	return nil
}

// Authorities are the CAs of the bundle.
func (s *Subject) Authorities() []*x509.Certificate { return slices.Clone(s.authorities) }

// Matches says whether chain, as it came over TLS, begins with a certificate that the
// rule speaks of, and when it stops being one. The chain is verified with the keys of
// the bundle's CAs, never by their names alone, in whatever order it came; nothing is
// fetched from where a certificate points to.
func (s *Subject) Matches(chain []*x509.Certificate, now time.Time) (ends time.Time, ok bool) {
	if !s.speaksOf(chain) {
		return time.Time{}, false
	}
	leaf := chain[0]
	at := now
	if now.Before(leaf.NotBefore) && !now.Add(Leeway).Before(leaf.NotBefore) {
		at = leaf.NotBefore
	}
	chains, err := leaf.Verify(x509.VerifyOptions{
		Roots: s.roots, Intermediates: Intermediates(chain), CurrentTime: at,
		KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	})
	if err != nil {
		return time.Time{}, false
	}
	for _, verified := range chains {
		least := verified[0].NotAfter
		for _, c := range verified[1:] {
			if c.NotAfter.Before(least) {
				least = c.NotAfter
			}
		}
		if ends.Before(least) {
			ends = least
		}
	}
	return ends, now.Before(ends)
}

// speaksOf says whether the rule is about the first certificate of chain, whoever
// issued it.
func (s *Subject) speaksOf(chain []*x509.Certificate) bool {
	if len(chain) == 0 || len(chain) > maxChain {
		return false
	}
	// A certificate without extended key usages would pass x509's check for any of
	// them; this is one for client authentication only if it says so.
	leaf := chain[0]
	return !leaf.IsCA && slices.Contains(leaf.ExtKeyUsage, x509.ExtKeyUsageClientAuth) && s.matches(leaf)
}

// odd says whether a name could mean more than itself.
func odd(s string) bool {
	return strings.ContainsAny(s, "*\x00") || strings.HasSuffix(s, ".") || strings.TrimSpace(s) != s
}

func matchDNS(want string) (func(*x509.Certificate) bool, error) {
	if odd(want) || strings.ToLower(want) != want || !printableASCII(want) {
		return nil, errors.New("write one DNS name in lower case, without wildcard or trailing dot, for example checkout.shop.svc")
	}
	return func(leaf *x509.Certificate) bool { return slices.Contains(leaf.DNSNames, want) }, nil
}

func matchEmail(want string) (func(*x509.Certificate) bool, error) {
	if odd(want) || !printableASCII(want) || strings.Count(want, "@") != 1 {
		return nil, errors.New("write one e-mail address, for example checkout@shop.example")
	}
	return func(leaf *x509.Certificate) bool { return slices.Contains(leaf.EmailAddresses, want) }, nil
}

func matchURI(want string) (func(*x509.Certificate) bool, error) {
	u, err := url.Parse(want)
	if err != nil || u.Scheme == "" || u.String() != want || odd(want) || !printableASCII(want) {
		return nil, errors.New("write one URI as it stands in the certificate, for example spiffe://cluster.local/ns/shop/sa/checkout")
	}
	return func(leaf *x509.Certificate) bool { return slices.Contains(urisOf(leaf), want) }, nil
}

// urisOf are the URI SANs of leaf as they stand in it (RFC 5280 section 4.2.1.6). What
// x509 makes of them has lost an empty fragment, and the letters of the scheme.
func urisOf(leaf *x509.Certificate) []string {
	const uniformResourceIdentifier = 6
	var uris []string
	for _, e := range leaf.Extensions {
		var names []asn1.RawValue
		if !e.Id.Equal(asn1.ObjectIdentifier{2, 5, 29, 17}) {
			continue
		}
		if rest, err := asn1.Unmarshal(e.Value, &names); err != nil || len(rest) > 0 {
			return nil
		}
		for _, name := range names {
			if name.Class == asn1.ClassContextSpecific && name.Tag == uniformResourceIdentifier {
				uris = append(uris, string(name.Bytes))
			}
		}
	}
	return uris
}

func matchIP(text string) (func(*x509.Certificate) bool, error) {
	want, err := netip.ParseAddr(text)
	if err != nil || want.Zone() != "" || want.Is4In6() || want.String() != text {
		return nil, errors.New("write one IP address in its shortest form, for example 10.1.2.3 or fd00::1")
	}
	return func(leaf *x509.Certificate) bool {
		for _, ip := range leaf.IPAddresses {
			if got, ok := netip.AddrFromSlice(ip); ok && got == want {
				return true
			}
		}
		return false
	}, nil
}

func printableASCII(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r < 0x21 || r > 0x7e })
}
