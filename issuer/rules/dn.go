package rules

import (
	"cmp"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/hex"
	"errors"
	"slices"
	"strings"
	"unicode/utf8"
)

// attribute is one type and value of a distinguished name; the type is its object
// identifier in dotted form.
type attribute struct{ oid, value string }

// rdn is one relative distinguished name: a set of attributes, sorted.
type rdn []attribute

// attributeType reads the names of RFC 4514 section 3, two that openssl prints, and
// dotted types; empty if s is none.
func attributeType(name string) string {
	switch strings.ToUpper(name) {
	case "CN":
		return "2.5.4.3"
	case "SERIALNUMBER":
		return "2.5.4.5"
	case "C":
		return "2.5.4.6"
	case "L":
		return "2.5.4.7"
	case "ST":
		return "2.5.4.8"
	case "STREET":
		return "2.5.4.9"
	case "O":
		return "2.5.4.10"
	case "OU":
		return "2.5.4.11"
	case "UID":
		return "0.9.2342.19200300.100.1.1"
	case "DC":
		return "0.9.2342.19200300.100.1.25"
	case "EMAILADDRESS":
		return "1.2.840.113549.1.9.1"
	}
	if name != "" && strings.Trim(name, "0123456789.") == "" {
		return name
	}
	return ""
}

// matchDN compares the whole subject with the name in the form of RFC 4514: every
// attribute, in order, byte for byte.
func matchDN(text string) (func(*x509.Certificate) bool, error) {
	want, err := parseDN(text)
	if err != nil {
		return nil, err
	}
	return func(leaf *x509.Certificate) bool {
		got, ok := subjectOf(leaf)
		return ok && slices.EqualFunc(got, want, slices.Equal[rdn])
	}, nil
}

// subjectOf reads the subject from its DER form, since what x509 makes of it
// flattens the sequence. The order is that of RFC 4514: the last one first.
func subjectOf(leaf *x509.Certificate) ([]rdn, bool) {
	var sequence pkix.RDNSequence
	if rest, err := asn1.Unmarshal(leaf.RawSubject, &sequence); err != nil || len(rest) > 0 {
		return nil, false
	}
	var out []rdn
	for _, set := range slices.Backward(sequence) {
		var one rdn
		for _, a := range set {
			value, ok := a.Value.(string)
			if !ok {
				return nil, false
			}
			one = append(one, attribute{a.Type.String(), value})
		}
		out = append(out, one.sorted())
	}
	return out, true
}

func (r rdn) sorted() rdn {
	slices.SortFunc(r, func(a, b attribute) int { return cmp.Or(cmp.Compare(a.oid, b.oid), cmp.Compare(a.value, b.value)) })
	return r
}

var errDN = errors.New("write the subject as RFC 4514 does, the most specific part first, with CN, O, OU, L, ST, C, STREET, DC, UID, serialNumber, emailAddress or dotted types, for example CN=checkout,O=Shop")

// parseDN reads RFC 4514 section 3. Values in hexadecimal (#…) are not read.
func parseDN(s string) ([]rdn, error) {
	if !utf8.ValidString(s) || strings.ContainsRune(s, 0) {
		return nil, errDN
	}
	var out []rdn
	one := rdn{}
	for {
		name, rest, ok := strings.Cut(s, "=")
		oid := attributeType(strings.TrimSpace(name))
		if !ok || oid == "" {
			return nil, errDN
		}
		value, end, rest, ok := dnValue(rest)
		if !ok || !utf8.ValidString(value) || strings.ContainsRune(value, 0) {
			return nil, errDN
		}
		one = append(one, attribute{oid, value})
		if end != '+' {
			out = append(out, one.sorted())
			one = rdn{}
		}
		if end == 0 {
			return out, nil
		}
		s = rest
	}
}

// dnValue reads one value, up to a comma or a plus sign, or (end 0) to the end.
func dnValue(s string) (value string, end byte, rest string, ok bool) {
	s = strings.TrimLeft(s, " ")
	if s == "" || s[0] == '#' {
		return "", 0, "", false
	}
	var b strings.Builder
	kept := 0 // as far as b does not end in blanks that nobody escaped
	for i := 0; i < len(s); i++ {
		switch c := s[i]; c {
		case ',', '+':
			return b.String()[:kept], c, s[i+1:], kept > 0
		case '"', ';', '<', '>':
			return "", 0, "", false
		case '\\':
			raw, n, ok := unescapeDN(s[i+1:])
			if !ok {
				return "", 0, "", false
			}
			b.WriteByte(raw)
			kept = b.Len()
			i += n
		default:
			b.WriteByte(c)
			if c != ' ' {
				kept = b.Len()
			}
		}
	}
	value = b.String()[:kept]
	return value, 0, "", kept > 0
}

// unescapeDN reads what follows a backslash: a special character, or two hexadecimal
// digits.
func unescapeDN(s string) (c byte, n int, ok bool) {
	if s == "" {
		return 0, 0, false
	}
	if strings.IndexByte(` "#+,;<=>\`, s[0]) >= 0 {
		return s[0], 1, true
	}
	if len(s) < 2 {
		return 0, 0, false
	}
	b, err := hex.DecodeString(s[:2])
	if err != nil {
		return 0, 0, false
	}
	return b[0], 2, true
}
