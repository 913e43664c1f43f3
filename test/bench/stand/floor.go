package stand

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"sync"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// The paths of the floors: what no issuer in Go can do without, on net/http and golang-jwt as
// they come. They judge no policy, write no log and count nothing.
const (
	PathVerifyAndSign = "/verify-and-sign"
	PathLookUpAndSign = "/look-up-and-sign"
	PathSign          = "/sign"
)

// Floor answers on the three paths.
type Floor struct {
	clusterKey crypto.PublicKey
	signingKey *ecdsa.PrivateKey
	// seen are the subjects of assertions that were verified once, by their SHA-256.
	seen sync.Map
}

// NewFloor returns the floor of a fixture.
func NewFloor(f Fixture) (*Floor, error) {
	signing, err := f.SigningPrivateKey()
	if err != nil {
		return nil, err
	}
	cluster, err := f.ClusterPublicKey()
	if err != nil {
		return nil, err
	}
	return &Floor{clusterKey: cluster, signingKey: signing}, nil
}

// NewFloorServer is the floor on a server of its own.
func NewFloorServer(f Fixture) (Server, error) {
	b, err := NewFloor(f)
	if err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	mux.HandleFunc("POST "+PathVerifyAndSign, b.verifyAndSign)
	mux.HandleFunc("POST "+PathLookUpAndSign, b.lookUpAndSign)
	mux.HandleFunc("POST "+PathSign, b.signForCertificate)
	return bareServer(f, mux)
}

// verifyAndSign verifies one RS256 assertion and signs one ES256 token.
func (b *Floor) verifyAndSign(w http.ResponseWriter, r *http.Request) {
	subject, err := b.verify(r.PostFormValue("client_assertion"))
	if err != nil {
		http.Error(w, err.Error(), http.StatusUnauthorized)
		return
	}
	b.sign(w, subject)
}

// lookUpAndSign is the same for an assertion that was seen before.
func (b *Floor) lookUpAndSign(w http.ResponseWriter, r *http.Request) {
	assertion := r.PostFormValue("client_assertion")
	key := sha256.Sum256([]byte(assertion))
	subject, known := b.seen.Load(key)
	if !known {
		verified, err := b.verify(assertion)
		if err != nil {
			http.Error(w, err.Error(), http.StatusUnauthorized)
			return
		}
		b.seen.Store(key, verified)
		subject = verified
	}
	b.sign(w, subject.(string))
}

func (b *Floor) verify(raw string) (subject string, err error) {
	assertion, err := jwt.Parse(raw, func(*jwt.Token) (any, error) { return b.clusterKey, nil })
	if err != nil {
		return "", err
	}
	return assertion.Claims.GetSubject()
}

// signForCertificate signs one ES256 token for whoever came with a certificate.
func (b *Floor) signForCertificate(w http.ResponseWriter, r *http.Request) {
	if len(r.TLS.PeerCertificates) == 0 {
		http.Error(w, "no certificate", http.StatusUnauthorized)
		return
	}
	b.sign(w, r.PostFormValue("client_id"))
}

func (b *Floor) sign(w http.ResponseWriter, subject string) {
	token, err := b.Token(subject, time.Now())
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(map[string]any{"access_token": token, "token_type": "Bearer", "expires_in": 600})
}

// Token signs one for a subject.
func (b *Floor) Token(subject string, now time.Time) (string, error) {
	if subject == "" {
		return "", errors.New("no subject")
	}
	var id [16]byte
	_, _ = rand.Read(id[:]) // never fails
	return jwt.NewWithClaims(jwt.SigningMethodES256, jwt.RegisteredClaims{
		Issuer:    IssuerURL,
		Subject:   subject,
		Audience:  jwt.ClaimStrings{BoundResource},
		ExpiresAt: jwt.NewNumericDate(now.Add(10 * time.Minute)),
		IssuedAt:  jwt.NewNumericDate(now),
		ID:        base64.RawURLEncoding.EncodeToString(id[:]),
	}).SignedString(b.signingKey)
}
