package inspect

import (
	"bytes"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/lanyard-dev/lanyard/issuer/jose"
)

// Report is all that inspect tells. The token itself is not in it.
type Report struct {
	Token        *TokenReport        `json:"token,omitempty"`
	Certificates []CertificateReport `json:"certificates,omitempty"`
	Findings     []Finding           `json:"findings"`
	// Accepted says whether anybody accepts the token now, or with no token whether
	// the certificate is good now.
	Accepted   bool   `json:"accepted"`
	Conclusion string `json:"conclusion"`
}

// TokenReport is a token, decoded.
type TokenReport struct {
	Kind   Kind    `json:"kind"`
	Header Members `json:"header"`
	Claims Members `json:"claims"`
}

// CertificateReport is a certificate, decoded.
type CertificateReport struct {
	Subject     string    `json:"subject"`
	Issuer      string    `json:"issuer"`
	Serial      string    `json:"serial"`
	Names       []string  `json:"names,omitempty"`
	NotBefore   time.Time `json:"notBefore"`
	NotAfter    time.Time `json:"notAfter"`
	Key         string    `json:"key"`
	Usages      []string  `json:"usages,omitempty"`
	Thumbprint  string    `json:"x5t#S256"`
	Fingerprint string    `json:"sha256Fingerprint"`
}

// Members are written as a JSON object, in their order.
type Members []Member

// MarshalJSON writes the members.
func (m Members) MarshalJSON() ([]byte, error) {
	var b bytes.Buffer
	b.WriteByte('{')
	for i, one := range m {
		if i > 0 {
			b.WriteByte(',')
		}
		name, err := json.Marshal(one.Name)
		if err != nil {
			return nil, err
		}
		b.Write(name)
		b.WriteByte(':')
		b.Write(one.Value)
	}
	b.WriteByte('}')
	return b.Bytes(), nil
}

// MarshalJSON writes the report. Characters that a terminal would obey are written as
// the escapes that JSON has for them, so that the values stay what they are.
func (r Report) MarshalJSON() ([]byte, error) {
	type plain Report
	data, err := json.Marshal(plain(r))
	return escapeJSON(data), err
}

// escapeJSON escapes what is not printable. Outside of its strings JSON has nothing
// of the kind but white space.
func escapeJSON(data []byte) []byte {
	var b bytes.Buffer
	for _, r := range string(data) {
		switch {
		case unicode.IsPrint(r) || r == '\n' || r == '\t' || r == '\r':
			b.WriteRune(r)
		case r > 0xffff:
			// Invisible, and in JSON a pair of escapes, which readers of YAML refuse.
			b.WriteRune(utf8.RuneError)
		default:
			fmt.Fprintf(&b, `\u%04x`, r)
		}
	}
	return b.Bytes()
}

// Inspect judges what was given.
func Inspect(m Material, f Facts) Report {
	r := Report{Findings: []Finding{}}
	var all findings
	if m.Token != "" {
		d := Decode(m.Token)
		f.Certificate = boundTo(m.Certificates, d.Confirmation("x5t#S256"))
		j := Judge(m.Token, f)
		r.Token = &TokenReport{j.Kind, d.Header, d.Claims}
		r.Accepted, r.Conclusion = j.Accepted, j.Conclusion
		all = j.Findings
	}
	for i, c := range m.Certificates {
		r.Certificates = append(r.Certificates, reportCertificate(c))
		if c == f.Certificate || m.Token == "" && i == 0 {
			all = append(all, certificateFindings(c, f.Now)...)
		}
	}
	if m.Token == "" {
		r.Accepted, r.Conclusion = concludeCertificate(all)
	}
	if m.PrivateKeys > 0 {
		all.add(Note, "a private key was given too: it is not needed, was not used and is not shown; if others may have seen it, replace it")
	}
	r.Findings = append(r.Findings, all...)
	return r
}

func concludeCertificate(all findings) (good bool, conclusion string) {
	if all.against() {
		return false, "The certificate cannot be used now."
	}
	return true, "The certificate can be used now by a client that it is pinned to; kubectl lanyard status CLIENT shows the pins."
}

func reportCertificate(c *x509.Certificate) CertificateReport {
	return CertificateReport{
		Subject: c.Subject.String(), Issuer: c.Issuer.String(), Serial: c.SerialNumber.Text(16), Names: names(c),
		NotBefore: c.NotBefore.UTC(), NotAfter: c.NotAfter.UTC(), Key: describeKey(c), Usages: usages(c),
		Thumbprint: jose.X5TS256(c.Raw), Fingerprint: fingerprint(c),
	}
}
