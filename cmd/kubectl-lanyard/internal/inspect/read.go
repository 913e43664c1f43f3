package inspect

import (
	"bytes"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"strings"
)

// MaxInput is how much is read of a file or of standard input, in bytes. A bundle of
// a hundred certificates has less than half of it.
const MaxInput = 1 << 20

// Material is what was given to look at.
type Material struct {
	// Token is a token as it was written, or empty.
	Token string
	// Certificates are in the order in which they stand: the leaf first.
	Certificates []*x509.Certificate
	// PrivateKeys counts the private keys that were among it. They are not kept.
	PrivateKeys int
}

// Read finds a token and PEM certificates in data: a token by itself, in an
// Authorization header, or in the JSON of a token endpoint or of a TokenRequest;
// certificates before, after or without it. The error says what could not be read,
// and quotes nothing of it.
func Read(data []byte) (Material, error) {
	var m Material
	if len(data) > MaxInput {
		return m, fmt.Errorf("there is more than %d KiB: give a token, PEM certificates, or both", MaxInput>>10)
	}
	var rest bytes.Buffer
	for len(data) > 0 {
		outside, block, behind, after := nextBlock(data)
		rest.Write(outside)
		rest.Write(behind)
		if block != nil {
			if err := m.add(block); err != nil {
				return Material{}, err
			}
		}
		data = after
	}
	if bytes.Contains(rest.Bytes(), []byte(begin)) {
		return Material{}, errors.New("there is a PEM block that cannot be read: give it whole, from its BEGIN to its END line")
	}
	token, err := findToken(rest.String())
	if err != nil {
		return Material{}, err
	}
	m.Token = token
	return m, nil
}

// begin is how a PEM block begins.
const begin = "-----BEGIN "

// nextBlock returns what stands before the next PEM block, the block, what stands
// between it and the one after it, and the rest. A block that cannot be read is left
// where it is, outside: pem.Decode by itself would skip it in silence, and with it a
// key that the person should hear of.
func nextBlock(data []byte) (outside []byte, block *pem.Block, behind, after []byte) {
	i := bytes.Index(data, []byte(begin))
	if i < 0 {
		return data, nil, nil, nil
	}
	end := len(data)
	if next := bytes.Index(data[i+len(begin):], []byte(begin)); next >= 0 {
		end = i + len(begin) + next
	}
	if block, behind = pem.Decode(data[i:end]); block == nil {
		return data[:end], nil, nil, data[end:]
	}
	return data[:i], block, behind, data[end:]
}

func (m *Material) add(block *pem.Block) error {
	switch {
	case strings.Contains(block.Type, "PRIVATE KEY"):
		m.PrivateKeys++
		return nil
	case block.Type == "CERTIFICATE":
		c, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return errors.New("there is a PEM CERTIFICATE that is no X.509 certificate")
		}
		m.Certificates = append(m.Certificates, c)
		return nil
	default:
		return errors.New("there is a PEM block that is no CERTIFICATE; give certificates, and no requests, public keys or lists")
	}
}

// merge joins what two sources gave.
func (m *Material) merge(other Material) error {
	if m.Token != "" && other.Token != "" {
		return errors.New("there are two tokens; give one at a time")
	}
	m.Token += other.Token
	m.Certificates = append(m.Certificates, other.Certificates...)
	m.PrivateKeys += other.PrivateKeys
	return nil
}

// findToken returns the token that text is or carries, or nothing if text is empty.
func findToken(text string) (string, error) {
	text = strings.TrimSpace(text)
	if strings.HasPrefix(text, "{") {
		return tokenOfAnswer([]byte(text))
	}
	if name, value, ok := strings.Cut(text, ":"); ok && strings.EqualFold(strings.TrimSpace(name), "Authorization") {
		text = strings.TrimSpace(value)
	}
	if scheme, value, ok := strings.Cut(text, " "); ok {
		switch strings.ToLower(scheme) {
		case "bearer", "dpop", "mtls_pop":
			text = strings.TrimSpace(value)
		}
	}
	if text == "" {
		return "", nil
	}
	if !strings.Contains(text, ".") {
		return "", errors.New("there is neither a token nor a PEM certificate in it; a token has three parts with dots between them")
	}
	if strings.Contains(text, "\n") {
		return "", errors.New("there are several lines that are no PEM; give one token, in one line")
	}
	return text, nil
}

// tokenOfAnswer reads a token endpoint's answer (RFC 6749 section 5.1) or a TokenRequest
// of Kubernetes.
func tokenOfAnswer(data []byte) (string, error) {
	var answer struct {
		AccessToken string `json:"access_token"`
		Error       string `json:"error"`
		Status      struct {
			Token string `json:"token"`
		} `json:"status"`
	}
	if err := json.Unmarshal(data, &answer); err != nil {
		return "", errors.New("it begins like JSON and cannot be read as such")
	}
	switch {
	case answer.AccessToken != "":
		return answer.AccessToken, nil
	case answer.Status.Token != "":
		return answer.Status.Token, nil
	case answer.Error != "":
		return "", errors.New("it is the answer of a token endpoint that refused; there is no token in it")
	}
	return "", errors.New("it is JSON with neither access_token nor status.token; give a token, or the answer that holds it")
}
