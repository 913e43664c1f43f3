package jose

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"unicode/utf8"

	exact "github.com/go-jose/go-jose/v4/json"
)

// maxDepth bounds how deep objects and arrays may nest: a stranger's token must
// not choose how much stack it takes. Service account tokens nest three deep.
const maxDepth = 16

// DecodeClaims decodes the payload of a verified token, or one object of it,
// into v. Names match exactly: encoding/json would also fill a field tagged
// "roles" from a member "ROLES", which a reader in another language does not see.
func DecodeClaims(payload []byte, v any) error {
	if err := exact.Unmarshal(payload, v); err != nil {
		return fmt.Errorf("%w: %w", ErrClaims, err)
	}
	return nil
}

// EachMember calls visit for each member of a JSON object in the payload of a
// verified token, with its decoded name and its raw value. It is for the path of
// every request, where DecodeClaims costs more than it needs to.
func EachMember(object []byte, visit func(name, value []byte) error) error {
	if err := walk(object, visit); err != nil {
		return fmt.Errorf("%w: %w", ErrClaims, err)
	}
	return nil
}

// ReadString sets to from the raw value of a member, which must be a string that is
// not empty.
func ReadString(name, value []byte, to *string) error { return readString(name, value, to) }

// walk reads one JSON object (RFC 8259) and calls visit for each member of the
// outermost one, with its decoded name and its raw value. It is stricter than
// encoding/json where two readers could understand the same bytes differently:
// a repeated name at any level, invalid UTF-8, a lone surrogate, anything after
// the object, and deep nesting are errors.
func walk(data []byte, visit func(name, value []byte) error) error {
	if !utf8.Valid(data) {
		return errors.New("not valid UTF-8")
	}
	s := scanner{data: data}
	s.space()
	if s.peek() != '{' {
		return errors.New("not a JSON object")
	}
	if err := s.object(visit); err != nil {
		return err
	}
	if s.space(); s.pos != len(data) {
		return fmt.Errorf("data after the JSON object, at byte %d", s.pos)
	}
	return nil
}

// scanner is a position in a JSON text.
type scanner struct {
	data  []byte
	pos   int
	depth int
}

// peek is the next byte, or 0 at the end; NUL is no part of JSON either.
func (s *scanner) peek() byte {
	if s.pos < len(s.data) {
		return s.data[s.pos]
	}
	return 0
}

func (s *scanner) space() {
	for s.pos < len(s.data) {
		switch s.data[s.pos] {
		case ' ', '\t', '\n', '\r':
			s.pos++
		default:
			return
		}
	}
}

func (s *scanner) unexpected() error {
	return fmt.Errorf("not valid JSON at byte %d", s.pos)
}

func (s *scanner) expect(c byte) error {
	if s.peek() != c {
		return s.unexpected()
	}
	s.pos++
	return nil
}

func (s *scanner) enter() error {
	s.pos++
	if s.depth++; s.depth > maxDepth {
		return fmt.Errorf("nested deeper than %d levels", maxDepth)
	}
	return nil
}

// value reads one value and returns its raw text.
func (s *scanner) value() ([]byte, error) {
	start := s.pos
	var err error
	switch c := s.peek(); {
	case c == '"':
		_, err = s.text()
	case c == '{':
		err = s.object(nil)
	case c == '[':
		err = s.array(nil)
	case c == '-' || '0' <= c && c <= '9':
		err = s.number()
	default:
		err = s.literal()
	}
	return s.data[start:s.pos], err
}

func (s *scanner) object(visit func(name, value []byte) error) error {
	if err := s.enter(); err != nil {
		return err
	}
	var names nameSet
	for s.space(); s.peek() != '}'; s.space() {
		if names.n > 0 {
			if err := s.expect(','); err != nil {
				return err
			}
			s.space()
		}
		name, err := s.text()
		if err != nil {
			return err
		}
		if !names.add(name) {
			return fmt.Errorf("member %q is there twice", clip(name))
		}
		if s.space(); s.expect(':') != nil {
			return s.unexpected()
		}
		s.space()
		value, err := s.value()
		if err != nil {
			return err
		}
		if visit != nil {
			if err := visit(name, value); err != nil {
				return err
			}
		}
	}
	s.pos++
	s.depth--
	return nil
}

func (s *scanner) array(visit func(value []byte) error) error {
	if err := s.enter(); err != nil {
		return err
	}
	for first := true; ; first = false {
		s.space()
		if s.peek() == ']' {
			break
		}
		if !first {
			if err := s.expect(','); err != nil {
				return err
			}
			s.space()
		}
		value, err := s.value()
		if err != nil {
			return err
		}
		if visit != nil {
			if err := visit(value); err != nil {
				return err
			}
		}
	}
	s.pos++
	s.depth--
	return nil
}

func (s *scanner) literal() error {
	for _, word := range [...]string{"true", "false", "null"} {
		if bytes.HasPrefix(s.data[s.pos:], []byte(word)) {
			s.pos += len(word)
			return nil
		}
	}
	return s.unexpected()
}

func (s *scanner) digits() bool {
	start := s.pos
	for c := s.peek(); '0' <= c && c <= '9'; c = s.peek() {
		s.pos++
	}
	return s.pos > start
}

func (s *scanner) number() error {
	if s.peek() == '-' {
		s.pos++
	}
	if s.peek() == '0' {
		s.pos++
	} else if !s.digits() {
		return s.unexpected()
	}
	if s.peek() == '.' {
		if s.pos++; !s.digits() {
			return s.unexpected()
		}
	}
	if c := s.peek(); c == 'e' || c == 'E' {
		s.pos++
		if c := s.peek(); c == '+' || c == '-' {
			s.pos++
		}
		if !s.digits() {
			return s.unexpected()
		}
	}
	return nil
}

// text reads one string and returns it decoded: a part of data where it has no
// escapes, which is nearly always.
func (s *scanner) text() ([]byte, error) {
	if err := s.expect('"'); err != nil {
		return nil, err
	}
	start, escaped := s.pos, false
	for {
		switch c := s.peek(); {
		case c == '"':
			s.pos++
			if !escaped {
				return s.data[start : s.pos-1], nil
			}
			return unescape(s.data[start-1 : s.pos])
		case c < 0x20:
			return nil, s.unexpected()
		case c == '\\':
			// Whatever is escaped is judged by unescape; here it only must not
			// end the string.
			escaped = true
			if s.pos++; s.pos == len(s.data) {
				return nil, s.unexpected()
			}
		}
		s.pos++
	}
}

// unescape decodes a quoted string. A lone surrogate is refused, which
// encoding/json turns into U+FFFD, so that two names could become one.
func unescape(quoted []byte) ([]byte, error) {
	var out string
	if err := json.Unmarshal(quoted, &out); err != nil {
		return nil, errors.New("a string with an invalid escape")
	}
	if bytes.Count(quoted, []byte("\uFFFD"))+countEscapedReplacement(quoted) != countReplacement(out) {
		return nil, errors.New("a string with half of a surrogate pair")
	}
	return []byte(out), nil
}

func countReplacement(s string) int {
	n := 0
	for _, r := range s {
		if r == utf8.RuneError {
			n++
		}
	}
	return n
}

// countEscapedReplacement counts \ufffd written as an escape.
func countEscapedReplacement(quoted []byte) int {
	n := 0
	for i := 0; i+5 < len(quoted); i++ {
		if quoted[i] != '\\' {
			continue
		}
		if quoted[i+1] == 'u' && bytes.EqualFold(quoted[i+2:i+6], []byte("fffd")) {
			n++
		}
		i++
	}
	return n
}
