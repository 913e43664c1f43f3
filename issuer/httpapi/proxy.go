package httpapi

import (
	"crypto/x509"
	"encoding/base64"
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/lanyard-dev/lanyard/issuer/oauth"
	"github.com/lanyard-dev/lanyard/issuer/rules"
)

// Proxies are reverse proxies that end the clients' TLS and name the client's
// certificate in the headers Client-Cert and Client-Cert-Chain (RFC 9440). They
// authenticate by TLS themselves, and must remove these headers from what clients
// send. All clients behind one of them share its limit per peer.
type Proxies struct {
	// CAs issue the certificates of the proxies. It is asked at each request.
	CAs func() *x509.CertPool
	// Names are those that a proxy's certificate must have one of, as a DNS SAN.
	Names []string
}

const (
	headerClientCert      = "Client-Cert"
	headerClientCertChain = "Client-Cert-Chain"
	// maxChain is how many certificates beside the client's own are read.
	maxChain = 8
)

// trusts says whether chain is the certificate of a proxy, for client
// authentication, at now.
func (p *Proxies) trusts(chain []*x509.Certificate, now time.Time) bool {
	if p == nil || len(chain) == 0 {
		return false
	}
	leaf := chain[0]
	if !slices.ContainsFunc(leaf.DNSNames, p.named) || // first, for it costs nothing
		!slices.Contains(leaf.ExtKeyUsage, x509.ExtKeyUsageClientAuth) { // Verify takes no usage for all
		return false
	}
	roots := p.CAs()
	if roots == nil { // which Verify takes for those of the operating system
		return false
	}
	_, err := leaf.Verify(x509.VerifyOptions{
		Roots: roots, Intermediates: rules.Intermediates(chain[:min(len(chain), 1+maxChain)]), CurrentTime: now,
		KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	})
	return err == nil
}

func (p *Proxies) named(san string) bool {
	return slices.ContainsFunc(p.Names, func(name string) bool { return strings.EqualFold(name, san) })
}

// identify finds the certificate that the client has proved to hold: to us in this
// connection's handshake or, if a configured proxy is the peer, to the proxy. The
// proxy's own certificate is never the client's, and from anybody else the headers
// count for nothing.
func (a *API) identify(x *exchange) *oauth.Error {
	var chain []*x509.Certificate
	if x.r.TLS != nil {
		chain = x.r.TLS.PeerCertificates
	}
	claimed := len(x.r.Header[headerClientCert]) > 0
	if !a.cfg.Proxies.trusts(chain, x.start) {
		x.certificateIgnored = claimed
		x.certificate = connectionOf(x.r).peerOf(chain)
		x.event.Thumbprint = x.certificate.Thumbprint
		return nil
	}
	x.proxied = true
	if !claimed {
		return nil
	}
	chain, err := parseClientCert(x.r.Header)
	if err != nil {
		e := oauth.NewError(oauth.ErrMalformedBody, "the proxy's header Client-Cert or Client-Cert-Chain is not what RFC 9440 says: certificates in DER, each in base64 between two colons").WithCause(err)
		e.Reason = "client_cert_header"
		return e
	}
	x.certificate = rules.PeerOf(chain)
	x.event.Thumbprint = x.certificate.Thumbprint
	return nil
}

// parseClientCert reads both headers (RFC 9440 section 2): the certificate of the
// client first, then those of its chain. The errors hold nothing of the headers.
func parseClientCert(h http.Header) ([]*x509.Certificate, error) {
	leaf := h[headerClientCert]
	if len(leaf) != 1 {
		return nil, errors.New("the header Client-Cert is there more than once")
	}
	certificate, err := parseByteSequence(leaf[0])
	if err != nil {
		return nil, err
	}
	chain := []*x509.Certificate{certificate}
	for _, line := range h[headerClientCertChain] {
		for item := range strings.SplitSeq(line, ",") {
			if len(chain) > maxChain {
				return nil, errors.New("the header Client-Cert-Chain has too many certificates")
			}
			if certificate, err = parseByteSequence(item); err != nil {
				return nil, err
			}
			chain = append(chain, certificate)
		}
	}
	return chain, nil
}

// parseByteSequence reads a certificate as a structured field's byte sequence
// (RFC 9651 section 3.3.5). Parameters, which RFC 9440 has none of, are refused.
func parseByteSequence(s string) (*x509.Certificate, error) {
	s = strings.Trim(s, " \t")
	if len(s) < 2 || s[0] != ':' || s[len(s)-1] != ':' {
		return nil, errors.New("a certificate does not stand between two colons")
	}
	der, err := base64.StdEncoding.Strict().DecodeString(s[1 : len(s)-1])
	if err != nil {
		return nil, errors.New("a certificate is not in base64")
	}
	certificate, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, errors.New("a certificate is not in DER")
	}
	return certificate, nil
}
