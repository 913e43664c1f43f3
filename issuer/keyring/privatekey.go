package keyring

import (
	"fmt"
	"io"
)

const redacted = "[private key]"

// PrivateKey is key material. However it is printed, logged or encoded as text or
// JSON, a placeholder comes out; only Ring.Marshal writes it.
type PrivateKey []byte

// String returns a placeholder.
func (PrivateKey) String() string { return redacted }

// GoString returns a placeholder.
func (PrivateKey) GoString() string { return redacted }

// Format writes a placeholder for every verb.
func (PrivateKey) Format(s fmt.State, _ rune) { _, _ = io.WriteString(s, redacted) }

// MarshalText returns a placeholder.
func (PrivateKey) MarshalText() ([]byte, error) { return []byte(redacted), nil }
