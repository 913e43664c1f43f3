package jose

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
)

// MaxTokenBytes is how long a token may be (16 KiB, the contract's limit for
// assertions). Service account tokens have about 1 KiB.
const MaxTokenBytes = 16 << 10

// maxNumericDate is the last second of the year 9999: what is later is no date
// but an attempt at overflow.
const maxNumericDate = 253402300799

// Header is what is read of a JOSE header (RFC 7515 section 4.1). The members
// that carry or point to a key (jwk, jku, x5u, x5c) are never read; ParseProof
// alone reads jwk.
type Header struct {
	Algorithm Algorithm
	// Type is typ as written, or empty if there is none.
	Type string
	// KeyID is kid, or empty if there is none.
	KeyID string
	// X5T and X5TS256 are the thumbprints x5t and x5t#S256, or empty.
	X5T, X5TS256 string
}

// Claims are the registered claims (RFC 7519 section 4.1). An absent string is
// empty, an absent time is the zero time.
type Claims struct {
	Issuer, Subject, ID string
	// Audience holds all values of aud, which may be a string or an array.
	Audience                    []string
	Expiry, NotBefore, IssuedAt time.Time
}

// Unverified is a token whose form is right and whose content nobody has
// confirmed. It serves to choose the key, and for nothing else.
type Unverified struct {
	Header Header
	Claims Claims

	signed    string
	payload   []byte
	signature []byte
}

// ParseUnverified reads a compact JWS (RFC 7515 section 7.1) of at most
// MaxTokenBytes whose header and payload are strict JSON objects. The errors are
// ErrMalformed, ErrAlgorithm and ErrClaims.
func ParseUnverified(raw string) (*Unverified, error) {
	u := &Unverified{}
	header, err := u.split(raw)
	if err != nil {
		return nil, err
	}
	if err := u.Header.read(header, u.Header.readMember); err != nil {
		return nil, err
	}
	if err := u.Claims.read(u.payload); err != nil {
		return nil, err
	}
	return u, nil
}

// split decodes the three parts of a compact JWS, and returns the header.
func (u *Unverified) split(raw string) (header []byte, err error) {
	if len(raw) > MaxTokenBytes {
		return nil, fmt.Errorf("%w: it has %d bytes, at most %d are accepted", ErrMalformed, len(raw), MaxTokenBytes)
	}
	head, rest, _ := strings.Cut(raw, ".")
	body, sig, three := strings.Cut(rest, ".")
	if !three || strings.Contains(sig, ".") {
		return nil, fmt.Errorf("%w: it does not have exactly three parts", ErrMalformed)
	}
	u.signed = raw[:len(head)+1+len(body)]
	// One buffer for all three parts.
	buf := make([]byte, 0, base64.RawURLEncoding.DecodedLen(len(raw)))
	for _, part := range [...]struct {
		name, text string
		to         *[]byte
	}{{"header", head, &header}, {"payload", body, &u.payload}, {"signature", sig, &u.signature}} {
		decoded, err := decodeSegment(buf[len(buf):len(buf):cap(buf)], part.text)
		if err != nil {
			return nil, fmt.Errorf("%w: %s: %w", ErrMalformed, part.name, err)
		}
		*part.to = decoded
		buf = buf[:len(buf)+len(decoded)]
	}
	return header, nil
}

// decodeSegment decodes base64url without padding, strictly: one text for one
// value. encoding/base64 skips line breaks, and by default ignores the bits that
// are left over at the end, so that one token could be written in several ways.
func decodeSegment(buf []byte, s string) ([]byte, error) {
	if s == "" {
		return nil, errors.New("it is empty")
	}
	if strings.ContainsAny(s, "\r\n") {
		return nil, errors.New("a line break in base64url")
	}
	out, err := rawURL.AppendDecode(buf, []byte(s))
	if err != nil {
		return nil, errors.New("not base64url without padding")
	}
	return slices.Clip(out), nil
}

func (h *Header) read(data []byte, readMember func(name, value []byte) error) error {
	if err := walk(data, readMember); err != nil {
		return fmt.Errorf("%w: header: %w", ErrMalformed, err)
	}
	if !h.Algorithm.Known() {
		return fmt.Errorf("%w: alg is %q, it must be one of %v", ErrAlgorithm, clip(h.Algorithm), Algorithms())
	}
	return nil
}

func (h *Header) readMember(name, value []byte) error {
	switch string(name) {
	case "alg":
		return readString(name, value, (*string)(&h.Algorithm))
	case "typ":
		return readString(name, value, &h.Type)
	case "kid":
		return readString(name, value, &h.KeyID)
	case "x5t":
		return readString(name, value, &h.X5T)
	case "x5t#S256":
		return readString(name, value, &h.X5TS256)
	case "crit", "b64":
		// crit says "do not accept this unless you understand": we
		// understand no extension (RFC 7515 section 4.1.11). b64 is one
		// that changes what is signed (RFC 7797).
		return fmt.Errorf("it has %s, and no extension is understood here", name)
	default:
		return refuseFolded(name, headerNames[:])
	}
}

func (c *Claims) read(data []byte) error {
	var wrong error
	err := walk(data, func(name, value []byte) error {
		err := c.readMember(name, value)
		if err != nil && wrong == nil {
			wrong = err
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("%w: payload: %w", ErrMalformed, err)
	}
	if wrong != nil {
		return fmt.Errorf("%w: %w", ErrClaims, wrong)
	}
	return nil
}

func (c *Claims) readMember(name, value []byte) error {
	switch string(name) {
	case "iss":
		return readString(name, value, &c.Issuer)
	case "sub":
		return readString(name, value, &c.Subject)
	case "jti":
		return readString(name, value, &c.ID)
	case "aud":
		return readStrings(name, value, &c.Audience)
	case "exp":
		return readDate(name, value, &c.Expiry)
	case "nbf":
		return readDate(name, value, &c.NotBefore)
	case "iat":
		return readDate(name, value, &c.IssuedAt)
	default:
		return refuseFolded(name, claimNames[:])
	}
}

// The names that mean something here. The claims of Lanyard's own tokens are
// among them, so that no "ROLES" passes beside a "roles".
var (
	headerNames = [...]string{"alg", "typ", "kid", "x5t", "x5t#S256", "crit", "b64"}
	claimNames  = [...]string{
		"iss", "sub", "aud", "exp", "nbf", "iat", "jti", "cnf", "scope", "roles", "client_id", "azp", "appid", "tid", "act", "may_act", "kubernetes.io",
	}
)

// refuseFolded refuses a name that is not one of the given, but reads as one in
// other letters ("SUB", "ſub"): readers that ignore case take one for the other.
func refuseFolded(name []byte, known []string) error {
	for _, k := range known {
		if string(name) != k && bytes.EqualFold(name, []byte(k)) {
			return fmt.Errorf("the name %q looks like %q and is not", clip(name), k)
		}
	}
	return nil
}

// readString reads a string that is not empty: an empty one and an absent one
// must not be two things that are compared alike.
func readString(name, value []byte, to *string) error {
	s := scanner{data: value}
	text, err := s.text()
	if err != nil || len(text) == 0 {
		return fmt.Errorf("%s must be a string that is not empty", name)
	}
	*to = string(text)
	return nil
}

// readStrings reads one string or an array of them, as aud is written (RFC 7519
// section 4.1.3).
func readStrings(name, value []byte, to *[]string) error {
	s := scanner{data: value}
	one := func(value []byte) error {
		var text string
		if err := readString(name, value, &text); err != nil {
			return err
		}
		*to = append(*to, text)
		return nil
	}
	if s.peek() == '[' {
		if err := s.array(one); err != nil {
			return fmt.Errorf("%s must be a string or an array of strings", name)
		}
		return nil
	}
	return one(value)
}

// readDate reads a NumericDate (RFC 7519 section 2): seconds since 1970, with or
// without a fraction, never a string.
func readDate(name, value []byte, to *time.Time) error {
	if seconds, err := strconv.ParseInt(string(value), 10, 64); err == nil && 0 <= seconds && seconds <= maxNumericDate {
		*to = time.Unix(seconds, 0)
		return nil
	}
	// The scanner has seen that value is JSON: what ParseFloat reads of it is a
	// number of JSON's grammar, never "NaN" or "0x1p3".
	f, err := strconv.ParseFloat(string(value), 64)
	if err != nil || !(0 <= f && f <= maxNumericDate) {
		return fmt.Errorf("%s must be a number of seconds between 0 and %d", name, int64(maxNumericDate))
	}
	seconds, fraction := math.Modf(f)
	*to = time.Unix(int64(seconds), int64(fraction*1e9))
	return nil
}

// rawURL refuses bits that are left over at the end.
var rawURL = base64.RawURLEncoding.Strict()
