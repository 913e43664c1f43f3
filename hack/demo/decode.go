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
	lines, width := make([]string, len(p)), 0
	for i, m := range p {
		comma := ","
		if i == len(p)-1 {
			comma = ""
		}
		lines[i] = fmt.Sprintf("  %q: %s%s", m.name, spaced(m.value), comma)
		if len(lines[i]) <= commentColumn {
			width = max(width, len(lines[i]))
		}
	}
	var b strings.Builder
	b.WriteString("{\n")
	for i, m := range p {
		comment := comments[m.name]
		if at, ok := m.time(); ok {
			comment = strings.TrimSpace(comment + " " + relative(at, now))
		}
		switch {
		case comment == "":
			b.WriteString(lines[i])
		case len(lines[i]) > commentColumn:
			b.WriteString(lines[i] + "\n" + strings.Repeat(" ", width) + "  // ^ " + comment)
		default:
			fmt.Fprintf(&b, "%-*s  // %s", width, lines[i], comment)
		}
		b.WriteByte('\n')
	}
	b.WriteString("}")
	return b.String()
}

// commentColumn is how long a line may be to have its comment beside it.
const commentColumn = 64

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
