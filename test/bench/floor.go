package main

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// The floors: what no issuer in Go can do without, on net/http and golang-jwt as
// they come. They look nothing up, judge no policy, write no log and count nothing.
const (
	pathVerifyAndSign = "/verify-and-sign"
	pathSign          = "/sign"
)

// floor answers on the two paths.
type floor struct {
	clusterKey crypto.PublicKey
	signingKey *ecdsa.PrivateKey
}

func newFloor(f fixture) (http.Handler, error) {
	signing, err := f.signingKey()
	if err != nil {
		return nil, err
	}
	cluster, err := f.clusterKey()
	if err != nil {
		return nil, err
	}
	b := &floor{clusterKey: cluster, signingKey: signing}
	mux := http.NewServeMux()
	mux.HandleFunc("POST "+pathVerifyAndSign, b.verifyAndSign)
	mux.HandleFunc("POST "+pathSign, b.signForCertificate)
	return mux, nil
}

// verifyAndSign verifies one RS256 assertion and signs one ES256 token.
func (b *floor) verifyAndSign(w http.ResponseWriter, r *http.Request) {
	assertion, err := jwt.Parse(r.PostFormValue("client_assertion"), func(*jwt.Token) (any, error) { return b.clusterKey, nil })
	if err != nil {
		http.Error(w, err.Error(), http.StatusUnauthorized)
		return
	}
	subject, err := assertion.Claims.GetSubject()
	if err != nil {
		http.Error(w, err.Error(), http.StatusUnauthorized)
		return
	}
	b.sign(w, subject)
}

// signForCertificate signs one ES256 token for whoever came with a certificate.
func (b *floor) signForCertificate(w http.ResponseWriter, r *http.Request) {
	if len(r.TLS.PeerCertificates) == 0 {
		http.Error(w, "no certificate", http.StatusUnauthorized)
		return
	}
	b.sign(w, r.PostFormValue("client_id"))
}

func (b *floor) sign(w http.ResponseWriter, subject string) {
	token, err := b.token(subject, time.Now())
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(map[string]any{"access_token": token, "token_type": "Bearer", "expires_in": 600})
}

func (b *floor) token(subject string, now time.Time) (string, error) {
	if subject == "" {
		return "", errors.New("no subject")
	}
	var id [16]byte
	_, _ = rand.Read(id[:]) // never fails
	return jwt.NewWithClaims(jwt.SigningMethodES256, jwt.RegisteredClaims{
		Issuer:    issuerURL,
		Subject:   subject,
		Audience:  jwt.ClaimStrings{boundResource},
		ExpiresAt: jwt.NewNumericDate(now.Add(10 * time.Minute)),
		IssuedAt:  jwt.NewNumericDate(now),
		ID:        base64.RawURLEncoding.EncodeToString(id[:]),
	}).SignedString(b.signingKey)
}
