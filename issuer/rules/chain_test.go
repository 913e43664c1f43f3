package rules_test

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/lanyard-dev/lanyard/api/v1alpha1"
	"github.com/lanyard-dev/lanyard/issuer/rules"
)

// costly is a CA whose public key takes longer to verify with than any honest one's.
func costly(t *testing.T, name string, by *authority) (*x509.Certificate, *rsa.PrivateKey) {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	e := big.NewInt(1<<31 - 1)
	phi := new(big.Int).Mul(new(big.Int).Sub(key.Primes[0], big.NewInt(1)), new(big.Int).Sub(key.Primes[1], big.NewInt(1)))
	key.E, key.D = int(e.Int64()), new(big.Int).ModInverse(e, phi)
	key = &rsa.PrivateKey{PublicKey: key.PublicKey, D: key.D, Primes: key.Primes}
	key.Precompute()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageCertSign, NotBefore: born, NotAfter: noon.Add(time.Hour),
	}
	parent, signer := template, any(key)
	if by != nil {
		parent, signer = by.Certificate, by.key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), signer)
	if err != nil {
		t.Fatal(err)
	}
	c, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return c, key
}

// x509 looks for who issued what in every order that the names allow.
func TestRefusesChainsThatTakeLongToVerify(t *testing.T) {
	ca := newAuthority(t, "ca", nil)
	between, twin := newAuthority(t, "between", ca), newAuthority(t, "between", ca)
	cc := matching(v1alpha1.SubjectSource{CABundle: ca.pem(), DNS: "checkout.shop"})
	judge := func(chain ...*x509.Certificate) bool {
		_, ok := rules.LivePin(client(), read(cc), rules.PeerOf(chain), noon)
		return ok
	}
	honest := issue(t, leaf(), newKey(t), between)
	if !judge(honest, between.Certificate, twin.Certificate) {
		t.Error("the first of two intermediates of one name does not count")
	}
	if judge(honest, twin.Certificate, between.Certificate) {
		t.Error("two intermediates of one name were tried")
	}

	slow, key := costly(t, "slow", ca)
	template := leaf()
	template.SerialNumber, template.NotBefore, template.NotAfter = big.NewInt(2), born, noon.Add(time.Hour)
	der, err := x509.CreateCertificate(rand.Reader, template, slow, newKey(t).Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	issued, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	if judge(issued, slow) {
		t.Error("an intermediate with an exponent of 31 bits was verified with")
	}
}

// Whoever owns a client chooses its rules, but not how much each request costs.
func TestRefusesRulesThatTakeLongToAsk(t *testing.T) {
	var bundle strings.Builder
	for range 5 {
		bundle.WriteString(newAuthority(t, "ca", nil).pem())
	}
	slow, _ := costly(t, "slow", nil)
	for says, text := range map[string]string{
		"CAs of the name": bundle.String(),
		"exponent":        string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: slow.Raw})),
	} {
		if _, err := rules.ReadSubject(&v1alpha1.SubjectSource{CABundle: text, DNS: "a.b"}); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("got %v, want an error that says %q", err, says)
		}
	}

	// The ninth rule of one name is not asked; of another name there may be any number.
	ca := newAuthority(t, "ca", nil)
	rulesOf := func(others int, dns string) []*rules.Certificate {
		var all []*v1alpha1.ClientCertificate
		for i := range others {
			all = append(all, matching(v1alpha1.SubjectSource{CABundle: newAuthority(t, "ca", nil).pem(), DNS: dns}, func(cc *v1alpha1.ClientCertificate) { cc.Name = fmt.Sprint("other", i) }))
		}
		return read(append(all, matching(v1alpha1.SubjectSource{CABundle: ca.pem(), DNS: "checkout.shop"}))...)
	}
	peer := rules.PeerOf([]*x509.Certificate{issue(t, leaf(), newKey(t), ca)})
	for _, test := range []struct {
		others int
		dns    string
		want   bool
	}{{7, "checkout.shop", true}, {8, "checkout.shop", false}, {30, "other.shop", true}} {
		if _, ok := rules.LivePin(client(), rulesOf(test.others, test.dns), peer, noon); ok != test.want {
			t.Errorf("behind %d rules for %s: %t", test.others, test.dns, ok)
		}
	}
}

// BenchmarkRefuseChain is what a stranger's chain costs: as many certificates of as
// many names as there may be, each of which may have issued the one before.
func BenchmarkRefuseChain(b *testing.B) {
	t := &testing.T{}
	ca := newAuthority(t, "ca", nil)
	evil := newAuthority(t, "ca", nil)
	chain := []*x509.Certificate{issue(t, leaf(), newKey(t), evil)}
	for range 4 {
		chain = append(chain, issue(t, &x509.Certificate{
			Subject: pkix.Name{CommonName: "ca"}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign, DNSNames: []string{fmt.Sprint(len(chain))},
		}, evil.key, evil))
	}
	certificates := read(matching(v1alpha1.SubjectSource{CABundle: ca.pem(), DNS: "checkout.shop"}))
	peer := rules.PeerOf(chain)
	for b.Loop() {
		if _, ok := rules.LivePin(client(), certificates, peer, noon); ok {
			b.Fatal("matched")
		}
	}
}

// What a certificate points to is its maker's choice (Keycloak issue 46742).
func TestRefusesToFetchWhatACertificatePointsTo(t *testing.T) {
	asked := make(chan string, 10)
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { asked <- r.URL.Path }))
	t.Cleanup(server.Close)
	ca := newAuthority(t, "ca", nil)
	presented := issue(t, leaf(func(c *x509.Certificate) {
		c.IssuingCertificateURL, c.OCSPServer, c.CRLDistributionPoints = []string{server.URL + "/aia"}, []string{server.URL + "/ocsp"}, []string{server.URL + "/crl"}
	}), newKey(t), newAuthority(t, "between", ca))
	cc := matching(v1alpha1.SubjectSource{CABundle: ca.pem(), DNS: "checkout.shop"})
	if _, ok := rules.LivePin(client(), read(cc), rules.PeerOf([]*x509.Certificate{presented}), noon); ok {
		t.Error("a certificate matched whose issuer was not sent")
	}
	select {
	case path := <-asked:
		t.Errorf("%s was fetched", path)
	default:
	}
}
