package egress

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httputil"
	"path/filepath"
	"sync"
	"time"

	"github.com/lanyard-dev/lanyard/sidecar/metrics"
	"github.com/lanyard-dev/lanyard/sidecar/settings"
	"github.com/lanyard-dev/lanyard/sidecar/tokens"
)

// Tokens is where tokens come from. Its errors are a *tokens.Refused, the issuer's answer "no",
// and anything else where there is no token now.
type Tokens interface {
	// Token is the current one; it waits for the first one as long as ctx allows.
	Token(ctx context.Context, resource string) (*tokens.Token, error)
	// Renew is called after an API refused the token instead, and returns another one.
	Renew(ctx context.Context, resource string, instead *tokens.Token) (*tokens.Token, error)
}

const (
	// tokenTimeout is how long a request waits for a token: long enough for the issuer to answer, and short enough
	// that the requests of an app do not pile up while the issuer is away and the last token has ended.
	tokenTimeout = 3 * time.Second
	// maxReplay is how long a request's body may be for the request to be sent a second time.
	maxReplay = 64 << 10
)

// Options are what all upstreams share.
type Options struct {
	Tokens Tokens
	// CADirectory has a folder for each ConfigMap that an upstream names, with ca.crt.
	CADirectory string
	// Metrics counts requests; nil: nobody does.
	Metrics *metrics.Registry
	Now     func() time.Time
	// Log hears of what could not be done, and never of a token.
	Log *slog.Logger
}

// upstream is the proxy to one of them.
type upstream struct {
	settings.Upstream

	tokens      Tokens
	connections connections
	roots       *roots
	counts      *counts
	now         func() time.Time
	log         *slog.Logger

	mu   sync.Mutex
	said map[string]time.Time // when a reason was logged last
}

func newUpstream(u settings.Upstream, o Options, c *counts) *upstream {
	log := o.Log.With("upstream", u.URL.Host, "port", u.Port)
	file := ""
	if u.CAConfigMap != "" {
		file = filepath.Join(o.CADirectory, u.CAConfigMap, "ca.crt")
	}
	return &upstream{
		Upstream: u, tokens: o.Tokens, counts: c, now: o.Now, log: log, said: map[string]time.Time{},
		roots: &roots{file: file, now: o.Now, log: log},
	}
}

// ServeHTTP passes one request of the app on.
func (u *upstream) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	seen := u.counts.begin(u.URL.Host, u.now())
	defer func() { seen.end(u.now()) }()
	if why := foreign(r); why != "" {
		seen.result = resultForeign
		answer(w, http.StatusForbidden, failure{Error: "foreign_request", Description: why})
		return
	}
	if err := makeReplayable(r); err != nil {
		seen.result = resultCancelled // the app did not send what it had announced
		answer(w, http.StatusBadRequest, failure{Error: "invalid_request", Description: "the body of the request ended early"})
		return
	}
	c := &call{upstream: u, seen: seen}
	defer c.end()
	proxy := httputil.ReverseProxy{
		Rewrite:   u.rewrite,
		Transport: c,
		ModifyResponse: func(response *http.Response) error {
			seen.result = classOf(response.StatusCode)
			return nil
		},
		ErrorHandler: u.fail(seen),
		ErrorLog:     slog.NewLogLogger(u.log.Handler(), slog.LevelDebug),
	}
	proxy.ServeHTTP(w, r)
}

// rewrite points the request at the upstream. What the app says of itself is its own affair, but
// for who it is: that is the token's to say, so that nothing of an Authorization header that a
// library insists on reaches the API. Origin would be this proxy's.
func (u *upstream) rewrite(r *httputil.ProxyRequest) {
	r.SetURL(u.URL)
	r.Out.URL.RawQuery = r.In.URL.RawQuery // as it came, also where Go would not write it so
	for _, name := range []string{"Authorization", "Dpop", "Origin"} {
		r.Out.Header.Del(name)
	}
	// The app may be a reverse proxy; what it says of its clients is passed on like the rest.
	for _, name := range []string{"Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto"} {
		if values := r.In.Header.Values(name); len(values) > 0 {
			r.Out.Header[name] = values
		}
	}
}

// makeReplayable reads a body of known, moderate length, so that it can be sent again. One that
// is longer, or comes as it is made, is sent once.
func makeReplayable(r *http.Request) error {
	if r.ContentLength <= 0 || r.ContentLength > maxReplay {
		return nil
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return err
	}
	r.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(body)), nil }
	r.Body, err = r.GetBody()
	return err
}
