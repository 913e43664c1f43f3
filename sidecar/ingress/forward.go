package ingress

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/httputil"
	"net/netip"
	"net/url"
	"strings"
	"time"
)

const (
	appDialTimeout = 5 * time.Second
	appIdle        = 64 // connections that wait for the next request
	headerID       = "X-Request-Id"
	forwardedFor   = "X-Forwarded-For"
)

// ForwardConfig says where requests that may pass go.
type ForwardConfig struct {
	// App is the app on the loopback address, as ParseApp returned it.
	App *url.URL
	// KeepToken leaves the Authorization header as it came. Without it the app gets no token,
	// which it does not need, and cannot leak.
	KeepToken bool
	// Peers may name the client's certificate in the header of Proxy; nil: nobody may.
	Peers *Peers
	Proxy Proxy
}

// ParseApp reads where the app is: http://127.0.0.1:8080, or h2c:// for HTTP/2 without TLS. It
// must be on the loopback address, since whoever else reaches the app could forge the headers.
func ParseApp(text string) (*url.URL, error) {
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "http" && u.Scheme != "h2c" || u.Port() == "" || u.User != nil || u.RequestURI() != "/" || u.Fragment != "" || strings.HasSuffix(text, "?") {
		return nil, fmt.Errorf("%q is no app; write http://127.0.0.1:8080, or h2c://127.0.0.1:8080 for HTTP/2 without TLS", text)
	}
	if address, err := netip.ParseAddr(u.Hostname()); u.Hostname() != "localhost" && (err != nil || !address.IsLoopback()) {
		return nil, fmt.Errorf("%q is not on the loopback address: whoever reached the app could forge the caller's identity; let it listen on 127.0.0.1 and write that", text)
	}
	return u, nil
}

type forwarder struct {
	ForwardConfig

	gate      *Gate
	target    url.URL
	transport *http.Transport
}

// Forward returns the handler that passes requests on to the app.
func (g *Gate) Forward(c ForwardConfig) http.Handler {
	protocols := new(http.Protocols)
	protocols.SetHTTP1(c.App.Scheme != "h2c")
	protocols.SetUnencryptedHTTP2(c.App.Scheme == "h2c")
	return &forwarder{
		ForwardConfig: c, gate: g, target: url.URL{Scheme: "http", Host: c.App.Host},
		transport: &http.Transport{
			DialContext:         (&net.Dialer{Timeout: appDialTimeout}).DialContext,
			Protocols:           protocols,
			DisableCompression:  true, // bodies are passed on as they are
			MaxIdleConnsPerHost: appIdle,
			IdleConnTimeout:     90 * time.Second,
		},
	}
}

// ServeHTTP implements http.Handler.
func (f *forwarder) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.gate.observe(w, r, byForward, func(rec *recorder) {
		rec.id = f.gate.requestID(r)
		rec.Header().Set(headerID, rec.id)
		caller, viaPeer := r, false
		if r.TLS != nil && f.Peers.trusts(r.TLS.PeerCertificates, f.gate.Now()) {
			var err error
			if caller, err = f.Proxy.callerOf(r); err != nil {
				rec.cause = err
				refuse(rec, http.StatusBadRequest, "", "invalid_request", err.Error())
				return
			}
			viaPeer = true
		}
		f.gate.judge(rec, caller, func(w http.ResponseWriter, r *http.Request, a admitted) {
			rec.admitted = &a
			f.pass(rec, w, r, viaPeer)
		})
	})
}

// pass sends the request to the app, as it was judged.
func (f *forwarder) pass(rec *recorder, w http.ResponseWriter, r *http.Request, viaPeer bool) {
	refuseUpgrades(r.Header)
	proxy := httputil.ReverseProxy{
		Rewrite: func(p *httputil.ProxyRequest) { f.rewrite(p, rec, viaPeer) },
		ModifyResponse: func(response *http.Response) error {
			response.Header.Del(headerID) // it stands in the answer already
			return nil
		},
		Transport: f.transport,
		ErrorHandler: func(w http.ResponseWriter, _ *http.Request, err error) {
			rec.cause = err
			refuse(w, http.StatusBadGateway, "", "app_unreachable", "the app behind this ingress does not answer")
		},
		ErrorLog: slog.NewLogLogger(f.gate.Log.Handler(), slog.LevelDebug),
	}
	proxy.ServeHTTP(w, r)
}

// rewrite makes the request of the app. It runs after the headers that Connection names were
// removed, so that a client cannot name ours there.
func (f *forwarder) rewrite(p *httputil.ProxyRequest, rec *recorder, viaPeer bool) {
	p.SetURL(&f.target)
	p.Out.URL.Path, p.Out.URL.RawPath = rec.admitted.path, "" // what was judged, in the one spelling of it
	p.Out.URL.RawQuery = p.In.URL.RawQuery
	p.Out.Host = p.In.Host
	p.Out.Trailer = nil // would come after everything was judged
	strip(p.Out.Header, f.KeepToken)
	if viaPeer {
		p.Out.Header[forwardedFor] = p.In.Header[forwardedFor]
	}
	p.SetXForwarded()
	p.Out.Header.Set(headerID, rec.id)
	if rec.admitted.token == nil {
		return
	}
	for name, value := range identity(rec.admitted.token) {
		p.Out.Header.Set(name, value)
	}
}

// refuseUpgrades lets a client change to WebSocket and to nothing else: behind a change to h2c
// it would talk with the app past all rules. An Upgrade may be ignored (RFC 9110 section 7.8).
func refuseUpgrades(h http.Header) {
	if values := h.Values("Upgrade"); len(values) != 1 || !strings.EqualFold(values[0], "websocket") {
		h.Del("Upgrade")
	}
}

// requestID is the client's, if it is one, or a new one.
func (g *Gate) requestID(r *http.Request) string {
	if id := r.Header.Values(headerID); len(id) == 1 && isRequestID(id[0]) {
		return id[0]
	}
	return g.Random()
}

func isRequestID(s string) bool {
	return s != "" && len(s) <= 128 && !strings.ContainsFunc(s, func(r rune) bool {
		return (r < '0' || r > '9') && (r < 'A' || r > 'Z') && (r < 'a' || r > 'z') && !strings.ContainsRune("-._:/+=", r)
	})
}

// withCertificate is the request as if its connection had been made with that certificate, or
// with none.
func withCertificate(r *http.Request, c *x509.Certificate) *http.Request {
	state := &tls.ConnectionState{}
	if r.TLS != nil {
		*state = *r.TLS
	}
	state.PeerCertificates = nil
	if c != nil {
		state.PeerCertificates = []*x509.Certificate{c}
	}
	out := r.WithContext(r.Context())
	out.TLS = state
	return out
}
