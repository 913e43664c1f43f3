package stand

import (
	"crypto/rand"
	"crypto/tls"
	"io"
	"log/slog"
	"os"
	"runtime/debug"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"github.com/lanyard-dev/lanyard/issuer/clientauth"
	"github.com/lanyard-dev/lanyard/issuer/httpapi"
	"github.com/lanyard-dev/lanyard/issuer/jose"
	"github.com/lanyard-dev/lanyard/issuer/keyring"
	"github.com/lanyard-dev/lanyard/issuer/mint"
	"github.com/lanyard-dev/lanyard/issuer/oauth"
	"github.com/lanyard-dev/lanyard/issuer/replay"
	"github.com/lanyard-dev/lanyard/issuer/tokenservice"
)

// remembered is how many assertions and proofs are known to have been used: more than
// a run sends.
const remembered = 1 << 20

// serviceOf is the token endpoint without HTTP, wired as cmd/issuer does.
func serviceOf(f Fixture, now time.Time) (*tokenservice.Service, error) {
	keys, err := jose.ParseJWKS(f.ClusterKeys)
	if err != nil {
		return nil, err
	}
	signing, err := signingKeys(f, now)
	if err != nil {
		return nil, err
	}
	r := registryOf(f, now)
	used := replay.New(remembered, remembered)
	return &tokenservice.Service{
		Authenticator: &clientauth.Authenticator{Registry: r, Cluster: cluster{keys}, Workloads: workloadsOf(f), Audience: IssuerURL, Replay: used, Secrets: true},
		Registry:      r,
		Minter:        &mint.Minter{Issuer: IssuerURL, Keys: signing, Random: rand.Reader},
		Replay:        used,
		Now:           time.Now,
	}, nil
}

func signingKeys(f Fixture, now time.Time) (*mint.Keys, error) {
	private, err := f.SigningPrivateKey()
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

// Limits of an issuer, as the flags of cmd/issuer set them.
type Limits struct {
	Peer, Client, Strangers httpapi.Rate
}

// Unlimited are rates that are only so high that one address with a few clients never
// meets them.
func Unlimited() Limits {
	limit := httpapi.Rate{PerSecond: 1e6, Burst: 1e6}
	return Limits{Peer: limit, Client: limit}
}

// NewAPI is the handler of the issuer as cmd/issuer serves it: with its audit log,
// its metrics, and both rate limits.
func NewAPI(f Fixture, l Limits, log io.Writer) (*httpapi.API, error) {
	service, err := serviceOf(f, time.Now())
	if err != nil {
		return nil, err
	}
	metrics := prometheus.NewRegistry()
	metrics.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return httpapi.New(httpapi.Config{
		Issuer:    IssuerURL,
		Service:   service,
		Secrets:   true,
		Keys:      service.Minter.Keys,
		Health:    healthy{},
		PerPeer:   l.Peer,
		PerClient: l.Client,
		Random:    rand.Reader,
		Now:       time.Now,
		Log:       slog.New(slog.NewJSONHandler(log, nil)),
		Metrics:   metrics,
		Sizes:     service.Registry.Sizes,
	})
}

// NewIssuer is the issuer on a server of its own, with its log on standard error.
func NewIssuer(f Fixture, l Limits) (Server, error) {
	debug.SetGCPercent(400) // as cmd/issuer does with so small a heap
	api, err := NewAPI(f, l, httpapi.NewJournal(os.Stderr))
	if err != nil {
		return nil, err
	}
	own, err := f.Server.TLS()
	if err != nil {
		return nil, err
	}
	return httpapi.NewServer(api, httpapi.ServerConfig{
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return &own, nil },
		Strangers:      l.Strangers,
	}), nil
}

// healthy stands for caches that are synced and heard of a moment ago.
type healthy struct{}

// Ready implements httpapi.Health.
func (healthy) Ready() *oauth.Error { return nil }
