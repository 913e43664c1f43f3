package ingress

import (
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// Proxy is a kind of reverse proxy that ends the clients' TLS, and tells of their certificates
// in a header.
type Proxy string

// The kinds of proxies. Each has one header; the others' are never read.
const (
	// Nginx sends X-SSL-Client-Cert: PEM in percent encoding, its $ssl_client_escaped_cert.
	Nginx Proxy = "nginx"
	// HAProxy sends Client-Cert as RFC 9440 has it: DER in base64 between two colons.
	HAProxy Proxy = "haproxy"
	// Envoy sends X-Forwarded-Client-Cert with the key Cert, and one element alone.
	Envoy Proxy = "envoy"
)

// ParseProxy reads the name of a kind.
func ParseProxy(s string) (Proxy, error) {
	switch p := Proxy(s); p {
	case Nginx, HAProxy, Envoy:
		return p, nil
	default:
		return "", fmt.Errorf("%q is no kind of proxy; write %s, %s or %s", s, Nginx, HAProxy, Envoy)
	}
}

// The headers with certificates, by kind.
const (
	headerNginx = "X-Ssl-Client-Cert"
	headerRFC   = "Client-Cert"
	headerEnvoy = "X-Forwarded-Client-Cert"
	// maxCertificate is how long such a header may be.
	maxCertificate = 16 << 10
)

// certificate reads the client's certificate from the header of the kind; nil: the client showed
// none. Whoever asks has made sure that the header is the proxy's. The errors hold nothing of it.
func (p Proxy) certificate(h http.Header) (*x509.Certificate, error) {
	name, parse := headerNginx, parseEscapedPEM
	switch p {
	case Nginx:
	case HAProxy:
		name, parse = headerRFC, parseByteSequence
	case Envoy:
		name, parse = headerEnvoy, parseForwarded
	default:
		return nil, errors.New("no kind of proxy was configured")
	}
	values := h.Values(name)
	switch {
	case len(values) == 0, len(values) == 1 && values[0] == "":
		return nil, nil //nolint:nilnil // a client without a certificate is no error
	case len(values) > 1:
		return nil, fmt.Errorf("the header %s is there more than once; let the proxy replace what clients send", name)
	case len(values[0]) > maxCertificate:
		return nil, fmt.Errorf("the header %s is too long", name)
	}
	certificate, err := parse(values[0])
	if err != nil {
		return nil, fmt.Errorf("the header %s: %w", name, err)
	}
	return certificate, nil
}

// parseEscapedPEM reads one certificate in PEM, and nothing beside it.
func parseEscapedPEM(s string) (*x509.Certificate, error) {
	text, err := url.PathUnescape(s)
	if err != nil {
		return nil, errors.New("it is not percent encoded")
	}
	block, rest := pem.Decode([]byte(text))
	if block == nil || block.Type != "CERTIFICATE" || len(block.Headers) > 0 ||
		!strings.HasPrefix(text, "-----BEGIN") || strings.TrimSpace(string(rest)) != "" {
		return nil, errors.New("it is not one certificate in PEM")
	}
	return parseDER(block.Bytes)
}

// parseByteSequence reads a certificate as a structured field's byte sequence (RFC 9440 section
// 2.2).
func parseByteSequence(s string) (*x509.Certificate, error) {
	s = strings.Trim(s, " \t")
	if len(s) < 2 || s[0] != ':' || s[len(s)-1] != ':' {
		return nil, errors.New("the certificate does not stand between two colons")
	}
	der, err := base64.StdEncoding.Strict().DecodeString(s[1 : len(s)-1])
	if err != nil {
		return nil, errors.New("the certificate is not in base64")
	}
	return parseDER(der)
}

// parseForwarded reads Envoy's header: elements of proxies between commas, each of pairs between
// semicolons, where a value may be quoted. More than one element means that Envoy appended to
// what a client sent.
func parseForwarded(s string) (certificate *x509.Certificate, err error) {
	rest := s
	for more := true; more; {
		var key, value string
		if key, value, rest, more, err = cutPair(rest); err != nil {
			return nil, err
		}
		if !strings.EqualFold(key, "Cert") {
			continue
		}
		if certificate != nil {
			return nil, errors.New("it has more than one Cert")
		}
		if certificate, err = parseEscapedPEM(value); err != nil {
			return nil, err
		}
	}
	if certificate == nil {
		return nil, errors.New("it has no Cert; set forward_client_cert_details: SANITIZE_SET with cert: true")
	}
	return certificate, nil
}

var (
	errSeveral = errors.New("it has more than one element; set forward_client_cert_details: SANITIZE_SET")
	errPairs   = errors.New("it is not a list of key=value")
)

// cutPair cuts the first pair off. more says whether a semicolon came after it.
func cutPair(s string) (key, value, rest string, more bool, err error) {
	key, s, ok := strings.Cut(s, "=")
	if !ok || key == "" || strings.ContainsAny(key, `;,"`) {
		return "", "", "", false, errPairs
	}
	if !strings.HasPrefix(s, `"`) {
		end := strings.IndexAny(s, `;,"`)
		if end < 0 {
			return key, s, "", false, nil
		}
		value, s = s[:end], s[end:]
	} else if value, s, err = cutQuoted(s[1:]); err != nil {
		return "", "", "", false, err
	}
	switch {
	case s == "":
		return key, value, "", false, nil
	case s[0] == ';':
		return key, value, s[1:], true, nil
	case s[0] == ',':
		return "", "", "", false, errSeveral
	default:
		return "", "", "", false, errPairs
	}
}

// cutQuoted cuts at the quote that ends a value. A backslash takes the meaning of what follows.
func cutQuoted(s string) (value, rest string, err error) {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] == '"':
			return b.String(), s[i+1:], nil
		case s[i] == '\\' && i+1 < len(s):
			i++
		}
		b.WriteByte(s[i])
	}
	return "", "", errPairs
}

func parseDER(der []byte) (*x509.Certificate, error) {
	certificate, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, errors.New("the certificate is not in DER")
	}
	return certificate, nil
}

// Peers are proxies that authenticate by TLS themselves, which alone may name a client's
// certificate in a header. They must replace the header that clients send.
type Peers struct {
	// CAs issue the certificates of the proxies. It is asked at each request.
	CAs func() *x509.CertPool
	// Names are those that a proxy's certificate must have one of, as a DNS SAN.
	Names []string
}

// trusts says whether chain is the certificate of a proxy, for client authentication, at now.
func (p *Peers) trusts(chain []*x509.Certificate, now time.Time) bool {
	if p == nil || len(chain) == 0 {
		return false
	}
	leaf := chain[0]
	named := func(san string) bool {
		return slices.ContainsFunc(p.Names, func(name string) bool { return strings.EqualFold(name, san) })
	}
	if !slices.ContainsFunc(leaf.DNSNames, named) || !slices.Contains(leaf.ExtKeyUsage, x509.ExtKeyUsageClientAuth) {
		return false // Verify takes no usage for all
	}
	roots := p.CAs()
	if roots == nil { // which Verify takes for those of the operating system
		return false
	}
	intermediates := x509.NewCertPool()
	for _, c := range chain[1:min(len(chain), 9)] {
		intermediates.AddCert(c)
	}
	_, err := leaf.Verify(x509.VerifyOptions{
		Roots: roots, Intermediates: intermediates, CurrentTime: now, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	})
	return err == nil
}
