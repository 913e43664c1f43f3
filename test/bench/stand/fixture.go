// Package stand is what test/bench and test/load have in common: a little world of
// clients and keys, the real issuer in it, servers in processes of their own that
// are pinned to a core, and what the kernel knows of their time and memory.
package stand

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"fmt"
	"net"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/lanyard-dev/lanyard/issuer/jose"
)

// Fixture is the little world: the keys and certificates of everybody in it, and the
// clients. Servers get it as JSON on their standard input, so that no key is ever
// written to a disk.
type Fixture struct {
	// Server is the certificate of all servers, with its key.
	Server Certificate
	// SigningKey signs access tokens, P-256 in PKCS #8 form.
	SigningKey []byte
	// ClusterKeys is the JWKS of the cluster's service account issuer, ClusterKey
	// its only key in PKIX form.
	ClusterKeys, ClusterKey []byte
	Clients                 []Client

	cluster *rsa.PrivateKey // not for servers
}

// Kind is how a client proves itself and what its tokens are bound to.
type Kind string

// The kinds.
const (
	// MTLS clients get tokens that are bound to their certificates: the default.
	MTLS Kind = "MTLS"
	// RSA clients are as MTLS ones, with certificates that hold one RSA key of 2048
	// bits: what most callers of today sign their assertions with.
	RSA Kind = "RSA"
	// DPoP clients get tokens that are bound to a key of theirs.
	DPoP Kind = "DPoP"
	// Bearer clients get tokens that are not bound, and have a secret.
	Bearer Kind = "Bearer"
)

// Client is a client with the service account of its name, one certificate, and some
// pods that hold a token each.
type Client struct {
	Namespace, Name   string
	ServiceAccountUID string
	Kind              Kind
	Certificate       Certificate
	// Secret of a Bearer client.
	Secret string
	Pods   []Pod
}

// Pod is a running pod of a client.
type Pod struct {
	Name, UID string
	// Assertion is the pod's projected service account token.
	Assertion string
}

// ID is the client's client_id.
func (c Client) ID() string { return c.Namespace + "/" + c.Name }

const (
	// IssuerURL is the issuer identifier.
	IssuerURL     = "https://lanyard-issuer.lanyard-system.svc"
	clusterIssuer = "https://kubernetes.default.svc.cluster.local"
	clusterKeyID  = "cluster-1"

	// BoundResource takes only bound tokens.
	BoundResource = "api://orders"
	// OpenResource takes any.
	OpenResource = "api://orders/catalogue"

	clientCount   = 100
	podsPerClient = 4
)

// kindOf says which clients are of which kind.
func kindOf(i int) Kind {
	switch {
	case i < 20:
		return Bearer
	case i < 40:
		return DPoP
	case i < 60:
		return RSA
	default:
		return MTLS
	}
}

// NewFixture makes a fresh one. Nothing in it is valid for longer than a few hours.
func NewFixture(now time.Time) (Fixture, error) {
	server, err := newCertificate("lanyard bench", nil, now, func(c *x509.Certificate) {
		c.IPAddresses = []net.IP{net.IPv4(127, 0, 0, 1)}
		c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
		c.IsCA, c.BasicConstraintsValid = true, true // its own root
	})
	if err != nil {
		return Fixture{}, err
	}
	f := Fixture{Server: server}
	signing, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return Fixture{}, err
	}
	if f.SigningKey, err = x509.MarshalPKCS8PrivateKey(signing); err != nil {
		return Fixture{}, err
	}
	if err := f.makeClusterKey(); err != nil {
		return Fixture{}, err
	}
	shared, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return Fixture{}, err
	}
	for i := range clientCount {
		c, err := f.newClient(i, shared, now)
		if err != nil {
			return Fixture{}, err
		}
		f.Clients = append(f.Clients, c)
	}
	return f, nil
}

func (f *Fixture) makeClusterKey() (err error) {
	if f.cluster, err = rsa.GenerateKey(rand.Reader, 2048); err != nil {
		return err
	}
	if f.ClusterKey, err = x509.MarshalPKIXPublicKey(f.cluster.Public()); err != nil {
		return err
	}
	key, err := jose.NewKey(clusterKeyID, f.cluster.Public(), jose.RS256)
	if err != nil {
		return err
	}
	f.ClusterKeys, err = jose.MarshalJWKS([]jose.Key{key})
	return err
}

func (f *Fixture) newClient(i int, shared *rsa.PrivateKey, now time.Time) (Client, error) {
	c := Client{
		Namespace:         fmt.Sprintf("team-%d", i%10),
		Name:              fmt.Sprintf("checkout-%02d", i),
		ServiceAccountUID: newUID(),
		Kind:              kindOf(i),
	}
	var key crypto.Signer
	switch c.Kind {
	case RSA:
		key = shared
	case Bearer:
		c.Secret = rand.Text()
	case MTLS, DPoP:
	}
	var err error
	if c.Certificate, err = newCertificate(c.ID(), key, now, func(t *x509.Certificate) {
		t.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
	}); err != nil {
		return Client{}, err
	}
	for n := range podsPerClient {
		p := Pod{Name: fmt.Sprintf("%s-6d4cf56db6-%05d", c.Name, n), UID: newUID()}
		if p.Assertion, err = f.Projected(c, p, now); err != nil {
			return Client{}, err
		}
		c.Pods = append(c.Pods, p)
	}
	return c, nil
}

// Some returns n clients of a kind, the same at each call, and again from the first
// where there are too few.
func (f Fixture) Some(n int, kind Kind) []Client {
	var fit []Client
	for _, c := range f.Clients {
		if c.Kind == kind {
			fit = append(fit, c)
		}
	}
	out := make([]Client, n)
	for i := range out {
		out[i] = fit[i%len(fit)]
	}
	return out
}

// Projected is a new token that the API server projects into a pod: the claims that
// Kubernetes 1.33 writes, in an RS256 JWT without typ.
func (f Fixture) Projected(c Client, p Pod, now time.Time) (string, error) {
	t := jwt.NewWithClaims(jwt.SigningMethodRS256, jwt.MapClaims{
		"aud": []string{IssuerURL},
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
	return t.SignedString(f.cluster)
}

// Signed is a new assertion of private_key_jwt (RFC 7523 section 2.2), signed with
// the key of the client's certificate.
func (f Fixture) Signed(c Client, now time.Time) (string, error) {
	pair, err := c.Certificate.TLS()
	if err != nil {
		return "", err
	}
	method := jwt.SigningMethod(jwt.SigningMethodES256)
	if c.Kind == RSA {
		method = jwt.SigningMethodRS256
	}
	t := jwt.NewWithClaims(method, jwt.MapClaims{
		"iss": c.ID(), "sub": c.ID(), "aud": IssuerURL, "jti": newUID(),
		"iat": now.Unix(), "nbf": now.Unix(), "exp": now.Add(5 * time.Minute).Unix(),
	})
	t.Header["x5t#S256"] = jose.X5TS256(c.Certificate.DER)
	return t.SignedString(pair.PrivateKey)
}

// SigningPrivateKey is SigningKey ready to sign.
func (f Fixture) SigningPrivateKey() (*ecdsa.PrivateKey, error) {
	key, err := x509.ParsePKCS8PrivateKey(f.SigningKey)
	if err != nil {
		return nil, err
	}
	return key.(*ecdsa.PrivateKey), nil
}

// ClusterPublicKey is ClusterKey ready to verify with.
func (f Fixture) ClusterPublicKey() (crypto.PublicKey, error) {
	return x509.ParsePKIXPublicKey(f.ClusterKey)
}

// newUID is one as the API server gives them (RFC 4122, version 4).
func newUID() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}
