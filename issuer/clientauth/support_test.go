package clientauth_test

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"math/big"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/lanyard-dev/lanyard/issuer/clientauth"
	"github.com/lanyard-dev/lanyard/issuer/jose"
	"github.com/lanyard-dev/lanyard/issuer/oauth"
	"github.com/lanyard-dev/lanyard/issuer/registry"
	"github.com/lanyard-dev/lanyard/issuer/replay"
	"github.com/lanyard-dev/lanyard/issuer/rules"
)

const (
	cluster  = "https://kubernetes.default.svc"
	audience = "https://issuer.example"
	endpoint = "https://issuer.example/oauth2/token"
	pinned   = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
	imported = "BBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBB"
	secret   = "a-secret-of-256-bits"
	older    = "the-secret-before-it"
)

var now = time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)

// world is a cluster with one service account, one pod and one signing key. A
// look-up that a test does not expect fails it.
type world struct {
	t testing.TB
	// registry is what the issuer knows.
	registry *registry.Registry
	signer   *jose.Signer
	issuers  []string
	keys     jose.Keys
	// keysErr, accountErr and podErr are what could not be looked up.
	keysErr, accountErr, podErr error
	pod                         clientauth.Pod
	podGone                     bool
	// noLookUps fails the test on any look-up.
	noLookUps bool
}

func (w *world) Issuers() []string { return w.issuers }

func (w *world) Keys(context.Context, string) (jose.KeySet, error) {
	w.lookUp("keys")
	return w.keys, w.keysErr
}

func (w *world) ServiceAccount(_ context.Context, namespace, name, uid string) (bool, error) {
	w.lookUp("service account")
	return namespace == "shop" && (name == "app" || name == "batch") && uid == "sa-uid", w.accountErr
}

func (w *world) Pod(_ context.Context, namespace, name, uid string) (clientauth.Pod, bool, error) {
	w.lookUp("pod")
	return w.pod, namespace == "shop" && name == "app-0" && uid == "pod-uid" && !w.podGone, w.podErr
}

func (w *world) lookUp(what string) {
	if w.noLookUps {
		w.t.Errorf("unexpected look-up: %s", what)
	}
}

func newSigner(t testing.TB) *jose.Signer {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	signer, err := jose.NewSigner("k1", jose.ES256, private)
	if err != nil {
		t.Fatal(err)
	}
	return signer
}

func newWorld(t testing.TB) *world {
	t.Helper()
	signer := newSigner(t)
	return &world{t: t, registry: clients(t), signer: signer, issuers: []string{cluster}, keys: jose.Keys{"k1": signer.Key()}}
}

func (w *world) authenticator() *clientauth.Authenticator {
	return &clientauth.Authenticator{
		Registry: w.registry, Cluster: w, Workloads: w, Audience: audience,
		Replay: replay.New(100, 10), Secrets: true,
	}
}

// claims of a good token of service account app in pod app-0; change says what is
// different.
func (w *world) token(change func(claims, kubernetes map[string]any)) string {
	w.t.Helper()
	kubernetes := map[string]any{
		"namespace":      "shop",
		"serviceaccount": map[string]any{"name": "app", "uid": "sa-uid"},
		"pod":            map[string]any{"name": "app-0", "uid": "pod-uid"},
		"node":           map[string]any{"name": "node-1", "uid": "node-uid"},
	}
	claims := map[string]any{
		"iss": cluster, "aud": []string{audience}, "sub": "system:serviceaccount:shop:app",
		"exp": now.Add(time.Hour).Unix(), "iat": now.Unix(), "nbf": now.Unix(), "kubernetes.io": kubernetes,
	}
	if change != nil {
		change(claims, kubernetes)
	}
	token, err := w.signer.Sign("JWT", claims)
	if err != nil {
		w.t.Fatal(err)
	}
	return token
}

// credential is a key and the certificate that is pinned for it.
type credential struct {
	key        crypto.Signer
	pem        string
	thumbprint string // x5t#S256
	x5t        string
	hex        string // of the SHA-1, as Microsoft writes a kid
	peer       rules.Peer
}

// credentials by algorithm, made once: RSA keys take a while.
var credentials = sync.OnceValue(func() map[jose.Algorithm]credential {
	made := map[jose.Algorithm]credential{}
	for alg, generate := range map[jose.Algorithm]func() (crypto.Signer, error){
		jose.RS256: func() (crypto.Signer, error) { return rsa.GenerateKey(rand.Reader, 2048) },
		jose.PS256: func() (crypto.Signer, error) { return rsa.GenerateKey(rand.Reader, 2048) },
		jose.ES256: func() (crypto.Signer, error) { return ecdsa.GenerateKey(elliptic.P256(), rand.Reader) },
		jose.ES384: func() (crypto.Signer, error) { return ecdsa.GenerateKey(elliptic.P384(), rand.Reader) },
		jose.EdDSA: func() (crypto.Signer, error) { _, k, err := ed25519.GenerateKey(rand.Reader); return k, err },
	} {
		key, err := generate()
		if err != nil {
			panic(err)
		}
		template := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: now.Add(-time.Hour), NotAfter: now.Add(time.Hour)}
		der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
		if err != nil {
			panic(err)
		}
		certificate, err := x509.ParseCertificate(der)
		if err != nil {
			panic(err)
		}
		sum := sha1.Sum(der)
		made[alg] = credential{
			key: key, pem: string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})),
			thumbprint: rules.Thumbprint(der), x5t: base64.RawURLEncoding.EncodeToString(sum[:]), hex: hex.EncodeToString(sum[:]),
			peer: rules.PeerOf([]*x509.Certificate{certificate}),
		}
	}
	return made
})

// sign makes a compact JWS with any header, by hand: the signer of issuer/jose makes
// good ones only.
func sign(t testing.TB, c credential, header, claims map[string]any) string {
	t.Helper()
	encode := func(v any) string {
		text, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		return base64.RawURLEncoding.EncodeToString(text)
	}
	text := encode(header) + "." + encode(claims)
	digest, opts := []byte(text), crypto.SignerOpts(crypto.Hash(0))
	switch header["alg"] {
	case "PS256":
		sum := sha256.Sum256([]byte(text))
		digest, opts = sum[:], &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash, Hash: crypto.SHA256}
	case "RS256", "ES256":
		sum := sha256.Sum256([]byte(text))
		digest, opts = sum[:], crypto.SHA256
	case "ES384":
		sum := sha512.Sum384([]byte(text))
		digest, opts = sum[:], crypto.SHA384
	}
	var signature []byte
	if k, ok := c.key.(*ecdsa.PrivateKey); ok {
		r, s, err := ecdsa.Sign(rand.Reader, k, digest)
		if err != nil {
			t.Fatal(err)
		}
		size := (k.Curve.Params().BitSize + 7) / 8
		signature = slices.Concat(r.FillBytes(make([]byte, size)), s.FillBytes(make([]byte, size)))
	} else {
		var err error
		if signature, err = c.key.Sign(rand.Reader, digest, opts); err != nil {
			t.Fatal(err)
		}
	}
	return text + "." + base64.RawURLEncoding.EncodeToString(signature)
}

// own makes an assertion that client shop/signing signed with the pin for alg; change
// says what is different from a good one.
func own(t testing.TB, alg jose.Algorithm, change func(header, claims map[string]any)) string {
	t.Helper()
	c := credentials()[alg]
	header := map[string]any{"alg": string(alg), "typ": "JWT", "x5t#S256": c.thumbprint}
	claims := map[string]any{
		"iss": "shop/signing", "sub": "shop/signing", "aud": audience, "jti": rand.Text(),
		"exp": now.Add(5 * time.Minute).Unix(), "iat": now.Unix(), "nbf": now.Unix(),
	}
	if change != nil {
		change(header, claims)
	}
	return sign(t, c, header, claims)
}

// bearer presents an assertion.
func bearer(assertion string) clientauth.Presented {
	return clientauth.Presented{Assertion: assertion, AssertionType: oauth.AssertionTypeJWTBearer, Endpoint: endpoint}
}

// secretOf presents a client secret.
func secretOf(client, secret string) clientauth.Presented {
	return clientauth.Presented{ClientID: client, Secret: secret, SecretMethod: oauth.AuthClientSecretBasic}
}

// refused checks that p is refused with number, and with ErrIdentity for reason and
// without a word to whoever asks.
func refused(t testing.TB, a *clientauth.Authenticator, p clientauth.Presented, number oauth.Number, reason string) {
	t.Helper()
	got, refusal := a.Authenticate(t.Context(), p, now, &clientauth.Seen{})
	switch {
	case refusal == nil:
		t.Fatal("accepted")
	case got.Object != nil:
		t.Error("a refusal came with a client")
	case refusal.Number != number || refusal.Reason != reason:
		t.Errorf("refused with %d %q (%v), want %d %q", refusal.Number, refusal.Reason, refusal.Cause, number, reason)
	case number == oauth.ErrIdentity && refusal.Description() != oauth.ErrIdentity.Text():
		t.Errorf("a refusal of identity tells a stranger %q", refusal.Description())
	}
}

// accepted returns the client that p authenticates.
func accepted(t testing.TB, a *clientauth.Authenticator, p clientauth.Presented) clientauth.Client {
	t.Helper()
	got, refusal := a.Authenticate(t.Context(), p, now, &clientauth.Seen{})
	if refusal != nil {
		t.Fatalf("refused: %v", refusal)
	}
	return got
}
