package rules_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"
	"math/big"
	"net"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/lanyard-dev/lanyard/api/v1alpha1"
	"github.com/lanyard-dev/lanyard/issuer/oauth"
	"github.com/lanyard-dev/lanyard/issuer/rules"
)

// authority is a CA of the tests.
type authority struct {
	*x509.Certificate
	key *ecdsa.PrivateKey
}

func newKey(t *testing.T) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// issue makes a certificate that by has issued; itself, if by is nil.
func issue(t *testing.T, template *x509.Certificate, key *ecdsa.PrivateKey, by *authority) *x509.Certificate {
	t.Helper()
	if template.SerialNumber == nil {
		template.SerialNumber = big.NewInt(1)
	}
	if template.NotBefore.IsZero() {
		template.NotBefore = born
	}
	if template.NotAfter.IsZero() {
		template.NotAfter = noon.Add(time.Hour)
	}
	parent := &authority{template, key}
	if by != nil {
		parent = by
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent.Certificate, key.Public(), parent.key)
	if err != nil {
		t.Fatal(err)
	}
	c, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func newAuthority(t *testing.T, name string, by *authority) *authority {
	t.Helper()
	key := newKey(t)
	return &authority{issue(t, &x509.Certificate{
		Subject: pkix.Name{CommonName: name}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
		NotAfter: noon.Add(24 * time.Hour),
	}, key, by), key}
}

func (a *authority) pem() string {
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: a.Raw}))
}

// leaf is a template of a certificate for client authentication.
func leaf(changes ...func(*x509.Certificate)) *x509.Certificate {
	return edit(&x509.Certificate{
		Subject:     pkix.Name{CommonName: "checkout", Organization: []string{"Shop"}},
		DNSNames:    []string{"checkout.shop"},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}, changes)
}

// matching is ClientCertificate shop/checkout with a subject rule.
func matching(s v1alpha1.SubjectSource, changes ...func(*v1alpha1.ClientCertificate)) *v1alpha1.ClientCertificate {
	return edit(&v1alpha1.ClientCertificate{
		ObjectMeta: meta("shop", "checkout"),
		Spec:       v1alpha1.ClientCertificateSpec{ClientRef: v1alpha1.LocalReference{Name: "checkout"}, Subject: &s},
	}, changes)
}

func TestSubjectMatches(t *testing.T) {
	ca, other := newAuthority(t, "ca", nil), newAuthority(t, "ca", nil) // of the same name
	between := newAuthority(t, "between", ca)
	spiffe, _ := url.Parse("spiffe://cluster.local/ns/shop/sa/checkout")
	dns := v1alpha1.SubjectSource{DNS: "checkout.shop"}
	tests := map[string]struct {
		rule     v1alpha1.SubjectSource
		leaf     *x509.Certificate
		by       *authority
		chain    []*x509.Certificate // what follows the leaf
		at       time.Time           // zero: noon
		distrust bool
		want     time.Duration // how long from noon; zero: no match
	}{
		"a DNS name from the CA":                 {rule: dns, leaf: leaf(), want: time.Hour},
		"a URI":                                  {rule: v1alpha1.SubjectSource{URI: spiffe.String()}, leaf: leaf(func(c *x509.Certificate) { c.URIs = []*url.URL{spiffe} }), want: time.Hour},
		"an address":                             {rule: v1alpha1.SubjectSource{IP: "10.1.2.3"}, leaf: leaf(func(c *x509.Certificate) { c.IPAddresses = []net.IP{net.IPv4(10, 1, 2, 3)} }), want: time.Hour},
		"an e-mail address":                      {rule: v1alpha1.SubjectSource{Email: "a@shop.example"}, leaf: leaf(func(c *x509.Certificate) { c.EmailAddresses = []string{"a@shop.example"} }), want: time.Hour},
		"a distinguished name":                   {rule: v1alpha1.SubjectSource{DN: "CN=checkout, O=Shop"}, leaf: leaf(), want: time.Hour},
		"through an intermediate that was sent":  {rule: dns, leaf: leaf(), by: between, chain: []*x509.Certificate{between.Certificate}, want: time.Hour},
		"whatever else was sent, in any order":   {rule: dns, leaf: leaf(), by: between, chain: []*x509.Certificate{other.Certificate, ca.Certificate, between.Certificate}, want: time.Hour},
		"a clock that is 5 s behind":             {rule: dns, leaf: leaf(func(c *x509.Certificate) { c.NotBefore = noon.Add(5 * time.Second) }), want: time.Hour},
		"an intermediate that was not sent":      {rule: dns, leaf: leaf(), by: between},
		"a CA of the same name with another key": {rule: dns, leaf: leaf(), by: other},
		"the same, and the right CA sent along":  {rule: dns, leaf: leaf(), by: other, chain: []*x509.Certificate{ca.Certificate}},
		"a chain that is too long":               {rule: dns, leaf: leaf(), chain: make([]*x509.Certificate, 5)},
		"the same text in a SAN of another type": {rule: dns, leaf: leaf(func(c *x509.Certificate) { c.DNSNames, c.EmailAddresses = nil, []string{"checkout.shop"} })},
		"the same text as the common name":       {rule: dns, leaf: leaf(func(c *x509.Certificate) { c.DNSNames, c.Subject.CommonName = nil, "checkout.shop" })},
		"a wildcard in the certificate":          {rule: dns, leaf: leaf(func(c *x509.Certificate) { c.DNSNames = []string{"*.shop"} })},
		"a trailing dot in the certificate":      {rule: dns, leaf: leaf(func(c *x509.Certificate) { c.DNSNames = []string{"checkout.shop."} })},
		"other letters":                          {rule: dns, leaf: leaf(func(c *x509.Certificate) { c.DNSNames = []string{"Checkout.shop"} })},
		"a prefix":                               {rule: dns, leaf: leaf(func(c *x509.Certificate) { c.DNSNames = []string{"checkout.shop.evil.example"} })},
		"a URI in other letters": {rule: v1alpha1.SubjectSource{URI: spiffe.String()}, leaf: leaf(func(c *x509.Certificate) {
			c.URIs = []*url.URL{{Scheme: "SPIFFE", Host: spiffe.Host, Path: spiffe.Path}}
		})},
		"a URI with an empty fragment": {rule: v1alpha1.SubjectSource{URI: spiffe.String()}, leaf: leaf(func(c *x509.Certificate) {
			c.URIs = []*url.URL{{Scheme: "spiffe", Opaque: "//cluster.local/ns/shop/sa/checkout#"}}
		})},
		"a DN with one attribute more":               {rule: v1alpha1.SubjectSource{DN: "CN=checkout,O=Shop"}, leaf: leaf(func(c *x509.Certificate) { c.Subject.Country = []string{"DE"} })},
		"a DN in another order":                      {rule: v1alpha1.SubjectSource{DN: "O=Shop,CN=checkout"}, leaf: leaf()},
		"a DN whose two attributes are one set":      {rule: v1alpha1.SubjectSource{DN: "CN=checkout+O=Shop"}, leaf: leaf()},
		"a certificate for servers only":             {rule: dns, leaf: leaf(func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth} })},
		"a certificate that says not what it is for": {rule: dns, leaf: leaf(func(c *x509.Certificate) { c.ExtKeyUsage = nil })},
		"a certificate for anything":                 {rule: dns, leaf: leaf(func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageAny} })},
		"a CA itself":                                {rule: dns, leaf: leaf(func(c *x509.Certificate) { c.IsCA, c.BasicConstraintsValid = true, true })},
		"one that has expired":                       {rule: dns, leaf: leaf(func(c *x509.Certificate) { c.NotAfter = noon })},
		"one that is not valid yet":                  {rule: dns, leaf: leaf(func(c *x509.Certificate) { c.NotBefore = noon.Add(time.Minute) })},
		"one whose CA has expired":                   {rule: dns, leaf: leaf(func(c *x509.Certificate) { c.NotAfter = noon.Add(48 * time.Hour) }), at: noon.Add(25 * time.Hour)},
		"one that is distrusted":                     {rule: dns, leaf: leaf(), distrust: true},
	}
	for sentence, test := range tests {
		t.Run(sentence, func(t *testing.T) {
			by := ca
			if test.by != nil {
				by = test.by
			}
			presented := issue(t, test.leaf, newKey(t), by)
			test.rule.CABundle = ca.pem()
			cc := matching(test.rule)
			if test.distrust {
				cc.Spec.Distrust = []v1alpha1.Thumbprint{v1alpha1.Thumbprint(rules.Thumbprint(presented.Raw))}
			}
			at := noon
			if !test.at.IsZero() {
				at = test.at
			}
			match, ok := rules.LivePin(client(), read(cc), rules.PeerOf(append([]*x509.Certificate{presented}, test.chain...)), at)
			if ok != (test.want != 0) || ok && (!match.Ends.Equal(noon.Add(test.want)) || match.Rule == nil || match.Rule.Name != "checkout") {
				t.Errorf("got %+v %t, want one for %s", match, ok, test.want)
			}
		})
	}
}

func TestRefusesMatchOfAnotherClientsRule(t *testing.T) {
	ca := newAuthority(t, "ca", nil)
	peer := rules.PeerOf([]*x509.Certificate{issue(t, leaf(), newKey(t), ca)})
	rule := v1alpha1.SubjectSource{CABundle: ca.pem(), DNS: "checkout.shop"}
	for sentence, change := range map[string]func(*v1alpha1.ClientCertificate){
		"of the namespace":     func(cc *v1alpha1.ClientCertificate) { cc.Spec.ClientRef.Name = "other" },
		"of another namespace": func(cc *v1alpha1.ClientCertificate) { cc.Namespace = "evil" },
	} {
		t.Run(sentence, func(t *testing.T) {
			if match, ok := rules.LivePin(client(), read(matching(rule, change)), peer, noon); ok {
				t.Errorf("matched %+v", match)
			}
		})
	}
}

// A rule authenticates by the PKI method, and by no other.
func TestCertificateMethodOfSubjectRule(t *testing.T) {
	ca := newAuthority(t, "ca", nil)
	peer := rules.PeerOf([]*x509.Certificate{issue(t, leaf(), newKey(t), ca)})
	certificates := read(matching(v1alpha1.SubjectSource{CABundle: ca.pem(), DNS: "checkout.shop"}))
	for method, want := range map[v1alpha1.CertificateMethod]oauth.AuthMethod{
		v1alpha1.MethodTLSClientAuth: oauth.AuthTLSClient, v1alpha1.MethodSelfSignedTLSClientAuth: "", v1alpha1.MethodPrivateKeyJWT: "",
	} {
		c := client(func(c *v1alpha1.OAuthClient) {
			c.Spec.Authentication.Certificate = &v1alpha1.CertificateCredential{Methods: []v1alpha1.CertificateMethod{method}}
		})
		if got, _, _ := rules.CertificateMethod(c, certificates, peer, noon); got != want {
			t.Errorf("with %s listed it authenticates by %q, want %q", method, got, want)
		}
	}
}

func TestReadSubjectSaysWhatToWrite(t *testing.T) {
	ca := newAuthority(t, "ca", nil)
	good := ca.pem()
	end := string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: issue(t, leaf(), newKey(t), ca).Raw}))
	for sentence, test := range map[string]struct {
		rule v1alpha1.SubjectSource
		says string // empty: it is good
	}{
		"two CAs":                      {rule: v1alpha1.SubjectSource{CABundle: good + "\n" + good, DNS: "a.b"}},
		"no certificate":               {rule: v1alpha1.SubjectSource{CABundle: "x", DNS: "a.b"}, says: "holds no certificate"},
		"something else":               {rule: v1alpha1.SubjectSource{CABundle: strings.ReplaceAll(good, "CERTIFICATE", "X"), DNS: "a.b"}, says: "something else"},
		"a certificate that is no CA":  {rule: v1alpha1.SubjectSource{CABundle: end, DNS: "a.b"}, says: "not a CA's"},
		"rubbish after the CA":         {rule: v1alpha1.SubjectSource{CABundle: good + "rubbish", DNS: "a.b"}, says: "no PEM"},
		"no name":                      {rule: v1alpha1.SubjectSource{CABundle: good}, says: "exactly one"},
		"two names":                    {rule: v1alpha1.SubjectSource{CABundle: good, DNS: "a.b", IP: "10.0.0.1"}, says: "exactly one"},
		"a wildcard":                   {rule: v1alpha1.SubjectSource{CABundle: good, DNS: "*.b"}, says: "spec.subject.dns"},
		"a trailing dot":               {rule: v1alpha1.SubjectSource{CABundle: good, DNS: "a.b."}, says: "spec.subject.dns"},
		"a NUL":                        {rule: v1alpha1.SubjectSource{CABundle: good, URI: "spiffe://a\x00"}, says: "spec.subject.uri"},
		"no URI":                       {rule: v1alpha1.SubjectSource{CABundle: good, URI: "a.b"}, says: "spec.subject.uri"},
		"an address in another form":   {rule: v1alpha1.SubjectSource{CABundle: good, IP: "::ffff:10.0.0.1"}, says: "spec.subject.ip"},
		"no e-mail address":            {rule: v1alpha1.SubjectSource{CABundle: good, Email: "a"}, says: "spec.subject.email"},
		"a DN of unknown attributes":   {rule: v1alpha1.SubjectSource{CABundle: good, DN: "X=a"}, says: "RFC 4514"},
		"a DN in hexadecimal":          {rule: v1alpha1.SubjectSource{CABundle: good, DN: "CN=#0c0161"}, says: "RFC 4514"},
		"a DN that ends in a comma":    {rule: v1alpha1.SubjectSource{CABundle: good, DN: "CN=a,"}, says: "RFC 4514"},
		"a DN with an escaped comma":   {rule: v1alpha1.SubjectSource{CABundle: good, DN: `CN=a\, b,O=x`}},
		"a DN with a dotted type":      {rule: v1alpha1.SubjectSource{CABundle: good, DN: "2.5.4.3=a"}},
		"a DN with a NUL in its value": {rule: v1alpha1.SubjectSource{CABundle: good, DN: `CN=a\00,O=x`}, says: "RFC 4514"},
	} {
		t.Run(sentence, func(t *testing.T) {
			_, err := rules.ReadSubject(&test.rule)
			if (err != nil) != (test.says != "") || err != nil && !strings.Contains(err.Error(), test.says) {
				t.Errorf("got %v, want one that says %q", err, test.says)
			}
		})
	}
}

// Whatever is written as a DN, reading it ends well or says what to write.
func FuzzSubjectDN(f *testing.F) {
	for _, seed := range []string{"CN=a,O=b", "CN=a+OU=b,C=DE", `CN=\ a\,\+\"\\\<\ `, "2.5.4.3=x", "UID=1,DC=a,DC=b", "CN=", "=", `CN=\`} {
		f.Add(seed)
	}
	ca := string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: fuzzCA(f)}))
	f.Fuzz(func(t *testing.T, dn string) {
		if _, err := rules.ReadSubject(&v1alpha1.SubjectSource{CABundle: ca, DN: dn}); err != nil && !strings.Contains(err.Error(), "spec.subject") {
			t.Errorf("%q: %v", dn, err)
		}
	})
}

func fuzzCA(f *testing.F) []byte {
	f.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		f.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), IsCA: true, BasicConstraintsValid: true, NotBefore: born, NotAfter: noon.Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		f.Fatal(err)
	}
	return der
}

// A DN that Go writes of a certificate's subject is one that matches it.
func TestSubjectMatchesWhatIsPrintedOfIt(t *testing.T) {
	ca := newAuthority(t, "ca", nil)
	for _, name := range []pkix.Name{
		{CommonName: "checkout"},
		{CommonName: `a, b + "c" \ <d>; e=#`, Organization: []string{" Shop "}, Country: []string{"DE"}},
		{CommonName: "ключ", OrganizationalUnit: []string{"one", "two"}, Locality: []string{"#x"}},
		{ExtraNames: []pkix.AttributeTypeAndValue{{Type: asn1.ObjectIdentifier{2, 5, 4, 3}, Value: "x"}, {Type: asn1.ObjectIdentifier{2, 5, 4, 5}, Value: "7"}}},
	} {
		presented := issue(t, leaf(func(c *x509.Certificate) { c.Subject = name }), newKey(t), ca)
		printed := presented.Subject.ToRDNSequence().String()
		cc := matching(v1alpha1.SubjectSource{CABundle: ca.pem(), DN: printed})
		if _, ok := rules.LivePin(client(), read(cc), rules.PeerOf([]*x509.Certificate{presented}), noon); !ok {
			t.Errorf("the subject printed as %q does not match itself", printed)
		}
	}
}
