package main

import (
	"crypto/rand"
	"crypto/tls"
	"encoding/json"
	"log/slog"
	"net/http"
	"os"
	"time"

	"github.com/lanyard-dev/lanyard/issuer/clientauth"
	"github.com/lanyard-dev/lanyard/issuer/jose"
	"github.com/lanyard-dev/lanyard/issuer/keyring"
	"github.com/lanyard-dev/lanyard/issuer/mint"
	"github.com/lanyard-dev/lanyard/issuer/oauth"
	"github.com/lanyard-dev/lanyard/issuer/tokenservice"
)

// serviceOf is the token endpoint without HTTP, wired as cmd/issuer does.
func serviceOf(f fixture, now time.Time) (*tokenservice.Service, error) {
	keys, err := jose.ParseJWKS(f.ClusterKeys)
	if err != nil {
		return nil, err
	}
	signing, err := signingKeys(f, now)
	if err != nil {
		return nil, err
	}
	r := registryOf(f, now)
	return &tokenservice.Service{
		Authenticator: &clientauth.Authenticator{Registry: r, Cluster: cluster{keys}, Workloads: workloadsOf(f), Audience: issuerURL},
		Registry:      r,
		Minter:        &mint.Minter{Issuer: issuerURL, Keys: signing, Random: rand.Reader},
		Now:           time.Now,
	}, nil
}

func signingKeys(f fixture, now time.Time) (*mint.Keys, error) {
	private, err := f.signingKey()
	if err != nil {
		return nil, err
	}
	id, err := jose.Thumbprint(private.Public())
	if err != nil {
		return nil, err
	}
	keys := mint.NewKeys()
	return keys, keys.Set(keyring.Ring{Keys: []keyring.Key{{
		ID: id, Algorithm: keyring.ES256, PrivateKeyPKCS8: f.SigningKey,
		CreatedAt: now.Add(-time.Hour), SignsFrom: now.Add(-time.Hour),
	}}})
}

func newIssuerServer(f fixture) (*http.Server, error) {
	svc, err := serviceOf(f, time.Now())
	if err != nil {
		return nil, err
	}
	server, err := f.Server.tlsCertificate()
	if err != nil {
		return nil, err
	}
	log := slog.New(slog.NewJSONHandler(os.Stderr, nil))
	h := func(w http.ResponseWriter, r *http.Request) {
		if err := r.ParseForm(); err != nil {
			panic(err)
		}
		p := clientauth.Presented{ClientID: r.PostForm.Get("client_id"), Assertion: r.PostForm.Get("client_assertion"), AssertionType: r.PostForm.Get("client_assertion_type")}
		if len(r.TLS.PeerCertificates) > 0 {
			p.Thumbprint = jose.X5TS256(r.TLS.PeerCertificates[0].Raw)
		}
		var e tokenservice.Event
		a, refusal := svc.Issue(r.Context(), tokenservice.Request{GrantType: oauth.GrantType(r.PostForm.Get("grant_type")), Scope: r.PostForm.Get("scope"), Presented: p}, &e)
		if refusal != nil {
			http.Error(w, refusal.Error()+refusal.Reason, 400)
			return
		}
		log.LogAttrs(r.Context(), slog.LevelInfo, "token", slog.Any("e", e))
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(map[string]any{"access_token": a.AccessToken, "token_type": a.TokenType, "expires_in": int(a.ExpiresIn.Seconds()), "scope": a.Scope})
	}
	return &http.Server{Handler: http.HandlerFunc(h), TLSConfig: &tls.Config{Certificates: []tls.Certificate{server}, ClientAuth: tls.RequestClientCert}}, nil
}
