package clientsecret

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"io"
	"strings"
)

const (
	secretBytes = 32 // 256 bits from a good source can be hashed plainly: nobody guesses them
	hashPrefix  = "sha256:"
	// idLength is how much of a hash stands in a label's value, which holds 63
	// characters: enough to tell any two secrets apart.
	idLength = 32
)

// secret is a client secret that was just made. It prints as nothing of itself.
type secret struct{ text string }

func makeSecret(random io.Reader) (secret, error) {
	raw := make([]byte, secretBytes)
	if _, err := io.ReadFull(random, raw); err != nil {
		return secret{}, fmt.Errorf("randomness for a client secret: %w", err)
	}
	return secret{base64.RawURLEncoding.EncodeToString(raw)}, nil
}

// hash is what the status keeps of a secret.
func (s secret) hash() string {
	sum := sha256.Sum256([]byte(s.text))
	return hashPrefix + base64.RawURLEncoding.EncodeToString(sum[:])
}

// String implements [fmt.Stringer].
func (secret) String() string { return "[client secret]" }

// GoString implements [fmt.GoStringer].
func (s secret) GoString() string { return s.String() }

// quotedIn says whether text repeats the secret, or the better part of it, as it is
// or as the API writes the data of a Secret.
func (s secret) quotedIn(text string) bool {
	for _, form := range []string{s.text, base64.StdEncoding.EncodeToString([]byte(s.text))} {
		if strings.Contains(text, form[:len(form)/2]) {
			return true
		}
	}
	return false
}

// id is what a Secret says of the secret that it holds: enough of its hash to know it
// by, and nothing to know it from. Of what is no hash there is none.
func id(hash string) string {
	sum, err := base64.RawURLEncoding.DecodeString(strings.TrimPrefix(hash, hashPrefix))
	if err != nil || len(sum) != sha256.Size {
		return ""
	}
	return hex.EncodeToString(sum)[:idLength]
}
