package ingress

import (
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"time"

	"github.com/lanyard-dev/lanyard/sidecar/metrics"
	"github.com/lanyard-dev/lanyard/verifier"
)

// Config is what both ways of asking share.
type Config struct {
	Verifier *verifier.Verifier
	// Audience is the one that the verifier accepts, for the challenge.
	Audience string
	// Rules are asked at each request.
	Rules func() *Rules
	// Metrics counts requests; nil: nobody does.
	Metrics *metrics.Registry
	// Random makes a request's id.
	Random func() string
	Now    func() time.Time
	// Log hears of each request, and never of a token.
	Log *slog.Logger
}

// Gate judges requests by token, binding and rules.
type Gate struct {
	Config

	counts *counts
}

const (
	// maxMethod is how much of a method is logged.
	maxMethod = 32
	// refusedPatience is how long whoever is refused may take to send the rest of the body, which
	// the server reads before the next request, and as long again to read the answer: without an
	// end, strangers would keep all connections.
	refusedPatience = 3 * time.Second
)

// NewGate returns a gate.
func NewGate(c Config) *Gate {
	return &Gate{Config: c, counts: newCounts(c.Metrics)}
}

// admitted is what was found of a request that may pass.
type admitted struct {
	path  string          // decoded
	token *verifier.Token // nil: the rule lets anyone through
	rule  Rule
}

// pass is called for requests that may.
type pass func(w http.ResponseWriter, r *http.Request, a admitted)

// judge answers a request that may not pass, and calls next for one that may. The certificate of
// the caller is that of r.TLS.
func (g *Gate) judge(w http.ResponseWriter, r *http.Request, next pass) {
	path, why := readPath(asSent(r.URL))
	if why != "" {
		refuse(w, http.StatusBadRequest, "", "invalid_request", "the path of the request is refused: "+why)
		return
	}
	rule, found := g.Rules().Find(r.Method, path)
	if found && rule.Access == Anyone {
		next(w, r, admitted{path: path, rule: rule})
		return
	}
	// Whoever has no token learns nothing of the rules.
	judged := g.Verifier.Middleware(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		token, ok := verifier.FromContext(r.Context())
		switch {
		case !ok || !found:
			refuse(w, http.StatusForbidden, g.Audience, "insufficient_scope", "no rule lets anybody call this path with this method")
		case rule.Access == Authenticated:
			next(w, r, admitted{path, token, rule})
		default:
			g.Verifier.RequireRole(rule.Roles...)(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				next(w, r, admitted{path, token, rule})
			})).ServeHTTP(w, r)
		}
	}))
	judged.ServeHTTP(w, r)
}

// observe calls serve, and then counts the request and logs it.
func (g *Gate) observe(w http.ResponseWriter, r *http.Request, by string, serve func(w *recorder)) {
	rec := &recorder{ResponseWriter: w, refuse: func() {
		connection, now := http.NewResponseController(w), g.Now()
		_ = connection.SetReadDeadline(now.Add(refusedPatience))      // a real connection has one
		_ = connection.SetWriteDeadline(now.Add(2 * refusedPatience)) // the answer may wait for the body's end
	}}
	g.counts.inFlight.Add(1)
	defer g.conclude(r, rec, by, g.Now()) // also where the answer breaks off in a panic
	serve(rec)
}

func (g *Gate) conclude(r *http.Request, rec *recorder, by string, began time.Time) {
	took := g.Now().Sub(began)
	g.counts.inFlight.Add(-1)
	g.counts.requests.Add(1, by, rec.outcome())
	g.counts.duration.Observe(took.Seconds(), by)
	g.Log.LogAttrs(r.Context(), slog.LevelInfo, "request", append(rec.attributes(), slog.String("by", by),
		slog.String("method", r.Method[:min(len(r.Method), maxMethod)]), slog.Float64("took_ms", float64(took.Microseconds())/1000))...)
}

// refuse answers as RFC 6750 section 3 says; without a realm there is no challenge, since
// another token would not help.
func refuse(w http.ResponseWriter, status int, realm, code, description string) {
	if realm != "" {
		w.Header().Set("WWW-Authenticate", `Bearer realm="`+realm+`", error="`+code+`", error_description="`+description+`"`)
	}
	body, err := json.Marshal(struct {
		Error       string `json:"error"`
		Description string `json:"error_description"`
	}{code, description})
	if err != nil {
		status, body = http.StatusInternalServerError, nil
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = w.Write(body) // the peer may be gone
}

// callerOf is the request as the caller made it to the proxy that ended its TLS: with the
// certificate of the header, and with the proxy's own never.
func (p Proxy) callerOf(r *http.Request) (*http.Request, error) {
	certificate, err := p.certificate(r.Header)
	if err != nil {
		return nil, errors.Join(errProxyHeader, err)
	}
	return withCertificate(r, certificate), nil
}

var errProxyHeader = errors.New("the proxy does not tell of the client's certificate as it should")
