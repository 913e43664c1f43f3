package inspect

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"strconv"
	"strings"
	"time"
)

// Member is a member of a JSON object, in the place where it stands. A name may
// stand there twice: that is one of the things to see.
type Member struct {
	Name  string
	Value json.RawMessage
}

// Decoded is what can be read of a token, whether or not anybody would accept it.
type Decoded struct {
	Header, Claims []Member
}

// Decode reads as much of a JWS as can be read. It proves nothing: it also reads
// what jose.ParseUnverified refuses.
func Decode(raw string) Decoded {
	parts := strings.SplitN(raw, ".", 3)
	d := Decoded{Header: members(decodePart(parts[0]))}
	if len(parts) > 1 {
		d.Claims = members(decodePart(parts[1]))
	}
	return d
}

// decodePart decodes base64 in any of its dialects; what cannot be decoded is nothing.
func decodePart(s string) []byte {
	s = strings.Map(func(r rune) rune {
		switch r {
		case '+':
			return '-'
		case '/':
			return '_'
		case '=', '\r', '\n', ' ':
			return -1
		}
		return r
	}, s)
	data, err := base64.RawURLEncoding.DecodeString(s)
	if err != nil {
		return nil
	}
	return data
}

// members reads the members of a JSON object until one cannot be read.
func members(data []byte) []Member {
	d := json.NewDecoder(bytes.NewReader(data))
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return nil
	}
	var all []Member
	for d.More() {
		t, err := d.Token()
		name, ok := t.(string)
		if err != nil || !ok {
			break
		}
		var value json.RawMessage
		if err := d.Decode(&value); err != nil {
			break
		}
		all = append(all, Member{name, value})
	}
	return all
}

// find returns the first member of that name.
func find(all []Member, name string) (json.RawMessage, bool) {
	for _, m := range all {
		if m.Name == name {
			return m.Value, true
		}
	}
	return nil, false
}

// text is the member of that name if it is a string.
func text(all []Member, name string) string {
	value, ok := find(all, name)
	if !ok {
		return ""
	}
	var s string
	if json.Unmarshal(value, &s) != nil {
		return ""
	}
	return s
}

// texts is the member of that name, a string or an array of them.
func texts(all []Member, name string) []string {
	if s := text(all, name); s != "" {
		return []string{s}
	}
	value, _ := find(all, name)
	var list []string
	if json.Unmarshal(value, &list) != nil {
		return nil
	}
	return list
}

// object are the members of the member of that name.
func object(all []Member, name string) []Member {
	value, _ := find(all, name)
	return members(value)
}

// date reads a NumericDate (RFC 7519 section 2) that is a date of this calendar.
func date(value json.RawMessage) (time.Time, bool) {
	const lastYear = 253402300799 // the end of 9999
	f, err := strconv.ParseFloat(string(value), 64)
	if err != nil || !(0 <= f && f <= lastYear) {
		return time.Time{}, false
	}
	return time.Unix(int64(f), 0).UTC(), true
}

// Claim is a claim on one line: a string without its quotes, everything else as JSON.
// It is somebody else's text; see Printable.
func (d Decoded) Claim(name string) string {
	value, ok := find(d.Claims, name)
	if !ok {
		return ""
	}
	if s := text(d.Claims, name); s != "" {
		return s
	}
	if list := texts(d.Claims, name); len(list) > 0 {
		return strings.Join(list, ", ")
	}
	return string(value)
}

// Confirmation is a member of cnf (RFC 7800 section 3.1), or empty.
func (d Decoded) Confirmation(name string) string { return text(object(d.Claims, "cnf"), name) }
