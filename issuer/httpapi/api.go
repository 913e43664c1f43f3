package httpapi

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/lanyard-dev/lanyard/issuer/jose"
	"github.com/lanyard-dev/lanyard/issuer/oauth"
	"github.com/lanyard-dev/lanyard/issuer/rules"
	"github.com/lanyard-dev/lanyard/issuer/tokenservice"
)

// TokenService answers the requests of clients.
type TokenService interface {
	// Issue answers one request, and fills event in as far as it got. The answer
	// counts only if the refusal is nil.
	Issue(ctx context.Context, r tokenservice.Request, event *tokenservice.Event) (tokenservice.Answer, *oauth.Error)
	// Introspect says whether a token is active, and Revoke ends one; event as in Issue.
	Introspect(ctx context.Context, r tokenservice.IntrospectionRequest, event *tokenservice.Event) (tokenservice.Introspection, *oauth.Error)
	Revoke(ctx context.Context, r tokenservice.RevocationRequest, event *tokenservice.Event) *oauth.Error
	// DPoPNonce is the nonce that a DPoP proof should hold at now (RFC 9449 section
	// 8); empty if there is none.
	DPoPNonce(now time.Time) string
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

// Config is what an API needs. All fields are required but those that say what they
// mean when they are not set.
type Config struct {
	// Issuer is the issuer identifier, and what the endpoints' URLs begin with.
	Issuer string
	// MTLSURL is what the endpoints' URLs begin with for clients that use
	// certificates (mtls_endpoint_aliases, RFC 8705 section 5); empty: the same.
	MTLSURL string
	// Secrets says that client secrets are served.
	Secrets bool
	// Proxies may name the client's certificate in a header; nil: nobody may.
	Proxies *Proxies
	Service TokenService
	Keys    Keys
	Health  Health
	// PerPeer limits what one address may ask before anything costly is done, and
	// PerClient what one client may after it has authenticated; zero: no limit.
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
	mtlsHost string // of cfg.MTLSURL
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
	mtls, err := url.Parse(cfg.MTLSURL)
	if err != nil {
		return nil, fmt.Errorf("httpapi: the URL for mutual TLS: %w", err)
	}
	return &API{
		cfg:      cfg,
		metrics:  newMetrics(cfg.Metrics, cfg.Sizes),
		peers:    newLimits[netip.Addr](cfg.PerPeer),
		clients:  newLimits[string](cfg.PerClient),
		bodies:   bodies{max: cfg.MaxBodies},
		mtlsHost: mtls.Host,
	}, nil
}

// Drain ends each connection with the answer to its next request, so that clients
// go elsewhere before the server stops.
func (a *API) Drain() { a.draining.Store(true) }

// exchange is one request and what becomes of it.
type exchange struct {
	w        http.ResponseWriter
	r        *http.Request
	api      *API
	start    time.Time
	endpoint string
	tenant   string
	peer     netip.Addr
	event    tokenservice.Event
	bodyRead bool
	lingers  bool // the answer was sent before the whole body had come

	trace       string
	correlation string
	echo        bool // the caller sent the correlation id

	certificate        rules.Peer
	proxied            bool // the peer is a configured proxy
	certificateIgnored bool // it is none, and sent its header

	// What was answered.
	status  int
	refusal *oauth.Error
}

// ServeHTTP implements http.Handler.
func (a *API) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	x := &exchange{w: w, r: r, api: a, start: a.cfg.Now(), endpoint: endpointNone, peer: addressOf(r.RemoteAddr)}
	a.identifiers(x)
	a.metrics.inFlight.Inc()
	defer x.linger() // after finish, which it does not hold up
	defer a.finish(r.Context(), x)

	if a.draining.Load() || connectionOf(r).outlived(x.start) {
		w.Header()["Connection"] = headerClose
	}
	if r.URL.RawPath == "" { // no letter is escaped that need not be
		x.endpoint, x.tenant = route(r.URL.Path)
	}
	switch x.endpoint {
	case endpointToken:
		a.token(r.Context(), x)
	case endpointIntrospection:
		a.introspect(r.Context(), x)
	case endpointRevocation:
		a.revoke(r.Context(), x)
	case endpointAuthorization:
		a.authorize(x)
	case endpointKeys:
		a.keys(x)
	case endpointMetadata:
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
