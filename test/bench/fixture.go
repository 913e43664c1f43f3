package main

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"math/big"
	"net"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/lanyard-dev/lanyard/issuer/jose"
)

// fixture is the little world of the bench: the keys and certificates of everybody
// in it, and the clients. Servers get it as JSON on their standard input, so that no
// key is ever written to a disk.
type fixture struct {
	// Server is the certificate of both servers, with its key.
	Server certificate
	// SigningKey signs access tokens, P-256 in PKCS #8 form.
	SigningKey []byte
	// ClusterKeys is the JWKS of the cluster's service account issuer, ClusterKey
	// its only key in PKIX form.
	ClusterKeys, ClusterKey []byte
	Clients                 []client
}

// certificate is one with its private key: DER, and PKCS #8 DER.
type certificate struct {
	DER, Key []byte
}

// client is a client with the service account of its name, one certificate, and
// some pods that hold a token each.
type client struct {
	Namespace, Name   string
	ServiceAccountUID string
	// Bound clients get tokens that are bound to Certificate; the others get bearer
	// tokens.
	Bound       bool
	Certificate certificate
	Pods        []pod
}

type pod struct {
	Name, UID string
	// Assertion is the pod's projected service account token.
	Assertion string
}

// ID is the client's client_id.
func (c client) ID() string { return c.Namespace + "/" + c.Name }

const (
	issuerURL     = "https://lanyard-issuer.lanyard-system.svc"
	clusterIssuer = "https://kubernetes.default.svc.cluster.local"
	clusterKeyID  = "cluster-1"

	// boundResource takes only bound tokens, openResource takes any.
	boundResource = "api://orders"
	openResource  = "api://orders/catalogue"

	clientCount   = 100
	unboundCount  = 20
	podsPerClient = 4
)

// newFixture makes a fresh one. Nothing in it is valid for longer than a few hours.
func newFixture(now time.Time) (fixture, error) {
	server, err := newCertificate("lanyard bench", now, func(c *x509.Certificate) {
		c.IPAddresses = []net.IP{net.IPv4(127, 0, 0, 1)}
		c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
		c.IsCA, c.BasicConstraintsValid = true, true // its own root
	})
	if err != nil {
		return fixture{}, err
	}
	f := fixture{Server: server}
	signing, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return fixture{}, err
	}
	if f.SigningKey, err = x509.MarshalPKCS8PrivateKey(signing); err != nil {
		return fixture{}, err
	}
	cluster, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return fixture{}, err
	}
	if f.ClusterKey, err = x509.MarshalPKIXPublicKey(cluster.Public()); err != nil {
		return fixture{}, err
	}
	key, err := jose.NewKey(clusterKeyID, cluster.Public(), jose.RS256)
	if err != nil {
		return fixture{}, err
	}
	if f.ClusterKeys, err = jose.MarshalJWKS([]jose.Key{key}); err != nil {
		return fixture{}, err
	}
	for i := range clientCount {
		c, err := newClient(i, cluster, now)
		if err != nil {
			return fixture{}, err
		}
		f.Clients = append(f.Clients, c)
	}
	return f, nil
}

func newClient(i int, cluster *rsa.PrivateKey, now time.Time) (client, error) {
	c := client{
		Namespace:         fmt.Sprintf("team-%d", i%10),
		Name:              fmt.Sprintf("checkout-%02d", i),
		ServiceAccountUID: newUID(),
		Bound:             i >= unboundCount,
	}
	var err error
	if c.Certificate, err = newCertificate(c.ID(), now, func(t *x509.Certificate) {
		t.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
	}); err != nil {
		return client{}, err
	}
	for n := range podsPerClient {
		p := pod{Name: fmt.Sprintf("%s-6d4cf56db6-%05d", c.Name, n), UID: newUID()}
		if p.Assertion, err = serviceAccountToken(c, p, cluster, now); err != nil {
			return client{}, err
		}
		c.Pods = append(c.Pods, p)
	}
	return c, nil
}

// serviceAccountToken is what the API server projects into a pod: the claims that
// Kubernetes 1.33 writes, in an RS256 JWT without typ.
func serviceAccountToken(c client, p pod, key *rsa.PrivateKey, now time.Time) (string, error) {
	t := jwt.NewWithClaims(jwt.SigningMethodRS256, jwt.MapClaims{
		"aud": []string{issuerURL},
		"exp": now.Add(time.Hour).Unix(), "iat": now.Unix(), "nbf": now.Unix(),
		"iss": clusterIssuer, "jti": newUID(),
		"sub": "system:serviceaccount:" + c.Namespace + ":" + c.Name,
		"kubernetes.io": map[string]any{
			"namespace":      c.Namespace,
			"node":           map[string]string{"name": "worker-1", "uid": newUID()},
			"pod":            map[string]string{"name": p.Name, "uid": p.UID},
			"serviceaccount": map[string]string{"name": c.Name, "uid": c.ServiceAccountUID},
		},
	})
	delete(t.Header, "typ")
	t.Header["kid"] = clusterKeyID
	return t.SignedString(key)
}

func newCertificate(name string, now time.Time, change func(*x509.Certificate)) (certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return certificate{}, err
	}
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127))
	if err != nil {
		return certificate{}, err
	}
	template := &x509.Certificate{
		SerialNumber: serial,
		Subject:      pkix.Name{CommonName: name},
		NotBefore:    now.Add(-time.Minute),
		NotAfter:     now.Add(24 * time.Hour),
		KeyUsage:     x509.KeyUsageDigitalSignature,
	}
	change(template)
	var c certificate
	if c.DER, err = x509.CreateCertificate(rand.Reader, template, template, key.Public(), key); err != nil {
		return certificate{}, err
	}
	c.Key, err = x509.MarshalPKCS8PrivateKey(key)
	return c, err
}

// tlsCertificate is the certificate ready for crypto/tls.
func (c certificate) tlsCertificate() (tls.Certificate, error) {
	key, err := x509.ParsePKCS8PrivateKey(c.Key)
	if err != nil {
		return tls.Certificate{}, err
	}
	leaf, err := x509.ParseCertificate(c.DER)
	return tls.Certificate{Certificate: [][]byte{c.DER}, PrivateKey: key, Leaf: leaf}, err
}

// signingKey is SigningKey ready to sign.
func (f fixture) signingKey() (*ecdsa.PrivateKey, error) {
	key, err := x509.ParsePKCS8PrivateKey(f.SigningKey)
	if err != nil {
		return nil, err
	}
	return key.(*ecdsa.PrivateKey), nil
}

// clusterKey is ClusterKey ready to verify with.
func (f fixture) clusterKey() (crypto.PublicKey, error) { return x509.ParsePKIXPublicKey(f.ClusterKey) }

// newUID is one as the API server gives them (RFC 4122, version 4).
func newUID() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}
