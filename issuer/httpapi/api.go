package httpapi

import (
	"context"
	"encoding/hex"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/netip"
	"slices"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/lanyard-dev/lanyard/issuer/jose"
	"github.com/lanyard-dev/lanyard/issuer/oauth"
	"github.com/lanyard-dev/lanyard/issuer/rules"
	"github.com/lanyard-dev/lanyard/issuer/tokenservice"
)

// TokenService answers token requests.
type TokenService interface {
	// Issue answers one request, and fills event in as far as it got. The answer
	// counts only if the refusal is nil.
	Issue(ctx context.Context, r tokenservice.Request, event *tokenservice.Event) (tokenservice.Answer, *oauth.Error)
}

// Keys are the public halves of the signing keys.
type Keys interface {
	// JWKS is the key set and its entity tag, quoted. The tag is empty if there are
	// no keys yet.
	JWKS(now time.Time) (body []byte, etag string)
	// Algorithms that tokens are signed with; none if there is no key yet.
	Algorithms(now time.Time) []jose.Algorithm
}

// Health says whether requests can be answered: nil, or the refusal that every
// request gets meanwhile.
type Health interface {
	Ready() *oauth.Error
}

// Rate is how many requests are served. The zero Rate is no limit.
type Rate struct {
	PerSecond float64
	Burst     int
}

// Config is what an API needs. All fields but the rates and Sizes are required.
type Config struct {
	// Issuer is the issuer identifier, and what the endpoints' URLs begin with.
	Issuer  string
	Service TokenService
	Keys    Keys
	Health  Health
	// PerPeer limits what one address may ask before anything costly is done, and
	// PerClient what one client may after it has authenticated.
	PerPeer, PerClient Rate
	// MaxBodies is how many bodies are read at the same time; zero: 256.
	MaxBodies int
	// Random is where trace ids come from.
	Random io.Reader
	// Now is the clock.
	Now func() time.Time
	// Log takes one event for each request.
	Log *slog.Logger
	// Metrics is where the metrics are registered.
	Metrics prometheus.Registerer
	// Sizes tells how many objects of each kind the registry holds; nil: not told.
	Sizes func() map[string]int
}

// API is the handler of the public port.
type API struct {
	cfg      Config
	metrics  *metrics
	peers    *limits[netip.Addr]
	clients  *limits[string]
	bodies   bodies
	metadata atomic.Pointer[document]
	draining atomic.Bool
}

// New returns the API.
func New(cfg Config) (*API, error) {
	if cfg.Issuer == "" || cfg.Service == nil || cfg.Keys == nil || cfg.Health == nil ||
		cfg.Random == nil || cfg.Now == nil || cfg.Log == nil || cfg.Metrics == nil {
		return nil, errors.New("httpapi: the configuration is not complete")
	}
	if cfg.MaxBodies == 0 {
		cfg.MaxBodies = defaultMaxBodies
	}
	return &API{
		cfg:     cfg,
		metrics: newMetrics(cfg.Metrics, cfg.Sizes),
		peers:   newLimits[netip.Addr](cfg.PerPeer),
		clients: newLimits[string](cfg.PerClient),
		bodies:  bodies{max: cfg.MaxBodies},
	}, nil
}

// Drain ends each connection with the answer to its next request, so that clients
// go elsewhere before the server stops.
func (a *API) Drain() { a.draining.Store(true) }

// The endpoints, as metrics and log name them.
const (
	endpointToken    = "token"
	endpointKeys     = "keys"
	endpointMetadata = "metadata"
	endpointNone     = "none"
)

// The paths that are served. They match exactly: no cleaning, no redirects, which
// would send a POST elsewhere or lose its body.
const (
	pathToken          = "/oauth2/token"
	pathTokenV1        = "/oauth2/v1/token"
	pathKeys           = "/oauth2/keys"
	pathOpenID         = "/.well-known/openid-configuration"
	pathAuthorizations = "/.well-known/oauth-authorization-server"
)

// exchange is one request and what becomes of it.
type exchange struct {
	w           http.ResponseWriter
	r           *http.Request
	start       time.Time
	endpoint    string
	peer        netip.Addr
	trace       string
	correlation string
	event       tokenservice.Event
	bodies      *bodies
	bodyRead    bool
	lingers     bool // the answer was sent before the whole body had come

	peerCertificate rules.Peer

	// What was answered.
	status  int
	refusal *oauth.Error
}

// ServeHTTP implements http.Handler.
func (a *API) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	x := &exchange{w: w, r: r, start: a.cfg.Now(), endpoint: endpointNone, peer: addressOf(r.RemoteAddr), bodies: &a.bodies}
	x.trace, x.correlation = a.ids(r)
	a.metrics.inFlight.Inc()
	defer x.linger() // after finish, which it does not hold up
	defer a.finish(r.Context(), x)

	if a.draining.Load() || connectionOf(r).outlived(x.start) {
		w.Header()["Connection"] = headerClose
	}
	switch r.URL.Path {
	case pathToken, pathTokenV1:
		x.endpoint = endpointToken
		a.token(r.Context(), x)
	case pathKeys:
		x.endpoint = endpointKeys
		a.keys(x)
	case pathOpenID, pathAuthorizations:
		x.endpoint = endpointMetadata
		a.describe(x)
	default:
		x.refuse(oauth.NewError(oauth.ErrNotFound, ""))
	}
}

// finish says once what became of the request, also if the code above panicked.
func (a *API) finish(ctx context.Context, x *exchange) {
	if p := recover(); p != nil {
		if p == http.ErrAbortHandler { //nolint:errorlint // net/http compares it like this, too
			panic(p)
		}
		x.panicked(p)
	}
	a.metrics.inFlight.Dec()
	a.metrics.observe(x, a.cfg.Now().Sub(x.start))
	a.report(ctx, x)
	if x.r.ProtoMajor == 2 {
		// The answer of a stream waits as long as its peer does not read. Its request
		// need not wait with it.
		x.r.Header = nil
	}
}

// allow answers what every endpoint answers alike to a method it does not serve.
// methods is the value of the Allow header.
func (x *exchange) allow(methods string, served ...string) bool {
	if slices.Contains(served, x.r.Method) {
		return true
	}
	x.w.Header().Set("Allow", methods)
	if x.r.Method == http.MethodOptions {
		// No CORS: a browser has no business here.
		x.begin(http.StatusNoContent)
		return false
	}
	x.refuse(oauth.NewError(oauth.ErrWrongMethod, ""))
	return false
}

const maxCorrelation = 128

// ids returns a new trace id, and the caller's correlation id or a new one.
func (a *API) ids(r *http.Request) (trace, correlation string) {
	var b [32]byte
	// If there is no randomness the ids are zero; a token could not be made either.
	_, _ = io.ReadFull(a.cfg.Random, b[:])
	text := hex.EncodeToString(b[:])
	trace, correlation = text[:32], text[32:]
	if id := r.Header.Get("Client-Request-Id"); id != "" && len(id) <= maxCorrelation && printable(id) {
		correlation = id
	}
	return trace, correlation
}

func printable(s string) bool {
	for i := range len(s) {
		if s[i] < 0x20 || s[i] > 0x7e {
			return false
		}
	}
	return true
}
