package endpoint

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"maps"
	"testing"
	"time"
)

// object is a JSON object.
type object = map[string]any

// sign makes a JWT with a P-256 key, as a client's library does (RFC 7518 section 3.4).
func sign(t *testing.T, key crypto.PrivateKey, header, claims object) string {
	t.Helper()
	full := object{"alg": "ES256"}
	maps.Copy(full, header)
	encode := func(v any) string {
		data, err := json.Marshal(v)
		check(t, err)
		return base64.RawURLEncoding.EncodeToString(data)
	}
	text := encode(full) + "." + encode(claims)
	sum := sha256.Sum256([]byte(text))
	r, s, err := ecdsa.Sign(rand.Reader, key.(*ecdsa.PrivateKey), sum[:])
	check(t, err)
	signature := make([]byte, 64)
	r.FillBytes(signature[:32])
	s.FillBytes(signature[32:])
	return text + "." + base64.RawURLEncoding.EncodeToString(signature)
}

// assertionClaims are those of a good assertion of a client (RFC 7523 section 3).
func assertionClaims(clientID, audience string) object {
	return object{"iss": clientID, "sub": clientID, "aud": audience, "jti": rand.Text(), "exp": time.Now().Add(5 * time.Minute).Unix()}
}
