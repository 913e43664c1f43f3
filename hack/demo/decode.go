package demo

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"
)

// part is the header or the payload of a JWT, with the order of its members kept.
type part []member

type member struct {
	name  string
	value json.RawMessage
}

// decodeJWT takes a JWT apart without verifying it: for showing only.
func decodeJWT(token string) (header, payload part, err error) {
	pieces := strings.Split(token, ".")
	if len(pieces) != 3 {
		return nil, nil, fmt.Errorf("a JWT has three parts between dots, this has %d", len(pieces))
	}
	if header, err = decodePart(pieces[0]); err != nil {
		return nil, nil, fmt.Errorf("header: %w", err)
	}
	if payload, err = decodePart(pieces[1]); err != nil {
		return nil, nil, fmt.Errorf("payload: %w", err)
	}
	return header, payload, nil
}

func decodePart(text string) (part, error) {
	data, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil {
		return nil, err
	}
	return parseObject(data)
}

// parseObject reads a JSON object and keeps the order of its members.
func parseObject(data []byte) (part, error) {
	decoder := json.NewDecoder(bytes.NewReader(data))
	if open, err := decoder.Token(); err != nil || open != json.Delim('{') {
		return nil, errors.Join(errors.New("not a JSON object"), err)
	}
	var p part
	for decoder.More() {
		name, err := decoder.Token()
		if err != nil {
			return nil, err
		}
		m := member{name: fmt.Sprint(name)}
		if err := decoder.Decode(&m.value); err != nil {
			return nil, err
		}
		p = append(p, m)
	}
	return p, nil
}

// get decodes one member into v.
func (p part) get(name string, v any) error {
	for _, m := range p {
		if m.name == name {
			return json.Unmarshal(m.value, v)
		}
	}
	return fmt.Errorf("there is no %q", name)
}

// commented writes a part as people read it, with a comment beside each member that has one.
func (p part) commented(comments map[string]string, now time.Time) string {
	first, rest, width := make([]string, len(p)), make([]string, len(p)), 0
	for i, m := range p {
		text := m.line(indentation, i == len(p)-1)
		first[i], rest[i], _ = strings.Cut(text, "\n")
		width = max(width, len(first[i]))
	}
	var b strings.Builder
	b.WriteString("{\n")
	for i, m := range p {
		comment := comments[m.name]
		if at, ok := m.time(); ok {
			comment = strings.TrimSpace(comment + " " + relative(at, now))
		}
		b.WriteString(first[i])
		if comment != "" {
			b.WriteString(strings.Repeat(" ", width-len(first[i])) + "  // " + comment)
		}
		if rest[i] != "" {
			b.WriteString("\n" + rest[i])
		}
		b.WriteByte('\n')
	}
	b.WriteString("}")
	return b.String()
}

const (
	indentation = "  "
	// lineRoom is how long a line may be before its value is spread over several.
	lineRoom = 90
)

// line writes a member, spread over several lines if one would be too long.
func (m member) line(indent string, last bool) string {
	comma := ","
	if last {
		comma = ""
	}
	name := fmt.Sprintf("%s%q: ", indent, m.name)
	value := spaced(m.value)
	if len(name)+len(value) <= lineRoom {
		return name + value + comma
	}
	if object, err := parseObject(m.value); err == nil {
		lines := make([]string, len(object))
		for i, inner := range object {
			lines[i] = inner.line(indent+indentation, i == len(object)-1)
		}
		return name + "{\n" + strings.Join(lines, "\n") + "\n" + indent + "}" + comma
	}
	var array []json.RawMessage
	if err := json.Unmarshal(m.value, &array); err == nil && len(array) > 1 {
		lines := make([]string, len(array))
		for i, inner := range array {
			lines[i] = indent + indentation + spaced(inner)
		}
		return name + "[\n" + strings.Join(lines, ",\n") + "\n" + indent + "]" + comma
	}
	return name + value + comma
}

// spaced writes a value on one line, with a space where people expect one.
func spaced(value json.RawMessage) string {
	var b strings.Builder
	inString, escaped := false, false
	for _, c := range string(value) {
		b.WriteRune(c)
		switch {
		case escaped:
			escaped = false
		case inString && c == '\\':
			escaped = true
		case c == '"':
			inString = !inString
		case !inString && (c == ',' || c == ':'):
			b.WriteByte(' ')
		}
	}
	return b.String()
}

// time reads a member that is a moment (RFC 7519 section 2, NumericDate).
func (m member) time() (time.Time, bool) {
	switch m.name {
	case "exp", "iat", "nbf":
		var seconds int64
		if err := json.Unmarshal(m.value, &seconds); err != nil {
			return time.Time{}, false
		}
		return time.Unix(seconds, 0), true
	default:
		return time.Time{}, false
	}
}

func relative(at, now time.Time) string {
	distance := at.Sub(now).Round(time.Second)
	switch {
	case distance > 0:
		return fmt.Sprintf("(%s, in %s)", at.UTC().Format(time.TimeOnly+" MST"), distance)
	case distance == 0:
		return fmt.Sprintf("(%s, now)", at.UTC().Format(time.TimeOnly+" MST"))
	default:
		return fmt.Sprintf("(%s, %s ago)", at.UTC().Format(time.TimeOnly+" MST"), -distance)
	}
}

// assertionComments say what stands in a projected service account token.
func assertionComments() map[string]string {
	return map[string]string{
		"alg":           "signed by the API server",
		"aud":           "for Lanyard's issuer alone: useless anywhere else",
		"exp":           "when it ends",
		"iss":           "the cluster; the issuer knows its keys from the API server itself",
		"kubernetes.io": "which pod it belongs to: with the pod it ends",
		"sub":           "the service account",
	}
}

// tokenComments say what stands in an access token.
func tokenComments() map[string]string {
	return map[string]string{
		"typ":           "an access token (RFC 9068), never to be taken for another JWT",
		"alg":           "signed by Lanyard's issuer",
		"kid":           "with this key of its JWKS, at /oauth2/keys",
		"iss":           "who gave it",
		"sub":           "who calls: the client",
		"aud":           "for this API alone",
		"exp":           "when it ends",
		"tid":           "the client's namespace",
		"roles":         "what the client may do there, as the API's owner decided",
		"scope":         "what was granted of what was asked for",
		"cnf":           "bound to the certificate with this SHA-256 (RFC 8705): stolen, it is useless",
		"kubernetes.io": "which pod asked for it",
		"client_id":     "the same, under the names that other libraries look for",
	}
}
