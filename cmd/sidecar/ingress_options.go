package main

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"github.com/lanyard-dev/lanyard/sidecar/ingress"
)

// IngressOptions are the flags of lanyard-sidecar ingress.
type IngressOptions struct {
	Issuer, CAFile, Audience string
	RulesFile                string
	URLs                     []string
	AllowUnbound             bool
	Listen, TLSCert, TLSKey  string
	Forward                  string
	ForwardToken             bool
	AuthListen               string
	Proxy, ProxyCA           string
	ProxyNames               []string
	MetricsListen            string
	ShutdownDelay            time.Duration
	MaxConnections           int
	LogLevel                 string
}

const ingressUsage = `lanyard-sidecar ingress stands before an API: it ends mutual TLS, verifies token and binding, asks
the rules which roles a method and path need, and passes the request on to the app on loopback
with the caller in the headers X-Lanyard-Client-Id, X-Lanyard-Tenant, X-Lanyard-Roles and
X-Lanyard-Subject.

  lanyard-sidecar ingress --issuer https://lanyard-issuer.lanyard-system.svc --ca issuer-ca.crt \
      --audience api://orders --rules rules.yaml --tls-cert tls.crt --tls-key tls.key \
      --forward http://127.0.0.1:8080

With --auth-request-listen it also answers a proxy that asks whether a request may pass:
auth_request of nginx, ext_authz of Envoy. With --listen= it does nothing else.

Rules. A path means itself and all below it; those of the longest path count, and what none
names is refused:

  rules:
  - {path: /orders, methods: [GET], roles: [Orders.Read.All]}
  - {path: /orders, methods: [POST], roles: [Orders.Write.All]}
  - {path: /whoami, methods: [GET], access: Authenticated}
  - {path: /healthz, methods: [GET], access: Anyone}

Flags:
`

// AddFlags adds a flag for each option.
func (o *IngressOptions) AddFlags(f *pflag.FlagSet) {
	f.StringVar(&o.Issuer, "issuer", "", "the issuer's URL, https; required")
	f.StringVar(&o.CAFile, "ca", "", "file with the roots of the issuer's certificate, PEM; read again when it changes (default: the system's)")
	f.StringVar(&o.Audience, "audience", "", "the API's identifier, spec.identifier of its ProtectedResource; required")
	f.StringVar(&o.RulesFile, "rules", "", "file with the rules, YAML; read again when it changes; required")
	f.StringArrayVar(&o.URLs, "url", nil, "where clients reach the API, for DPoP: https, host, and the path that a proxy cuts off; may be repeated (default: https and the request's Host)")
	f.BoolVar(&o.AllowUnbound, "allow-unbound", false, "also accept tokens that are bound to no certificate and no key: whoever has got hold of one can use it; only for a resource whose tokenBindingPolicy is Optional")
	f.StringVar(&o.Listen, "listen", ":8443", "address of the API, TLS, which needs --tls-cert and --tls-key; empty: only --auth-request-listen")
	f.StringVar(&o.TLSCert, "tls-cert", "", "file with the API's certificate, PEM; read again when it changes")
	f.StringVar(&o.TLSKey, "tls-key", "", "file with its private key, PEM")
	f.StringVar(&o.Forward, "forward", "http://127.0.0.1:8080", "where the app is, on loopback; h2c://127.0.0.1:8080 for HTTP/2 without TLS, as gRPC")
	f.BoolVar(&o.ForwardToken, "forward-token", false, "pass the Authorization header on to the app")
	f.StringVar(&o.AuthListen, "auth-request-listen", "", "address where a proxy asks: 127.0.0.1:9469, unix:/run/lanyard/auth.sock, or any other over TLS with --client-cert-proxy-ca (default: nowhere)")
	f.StringVar(&o.Proxy, "proxy", "", "the kind of the proxy that asks, or that ends TLS before --listen: nginx, haproxy or envoy; says in which header it names the client's certificate")
	f.StringVar(&o.ProxyCA, "client-cert-proxy-ca", "", "file with the CAs of proxies, PEM: who shows a certificate of theirs with one of --client-cert-proxy-name may name a client's certificate; read again when it changes")
	f.StringSliceVar(&o.ProxyNames, "client-cert-proxy-name", nil, "DNS name in the certificate of a proxy; may be repeated")
	f.StringVar(&o.MetricsListen, "metrics-listen", ":9468", "address of /metrics, /healthz and /readyz, plain HTTP; without a host on all addresses")
	f.DurationVar(&o.ShutdownDelay, "shutdown-delay", 5*time.Second, "how long requests are still accepted after SIGTERM, until the endpoints are updated")
	f.IntVar(&o.MaxConnections, "max-connections", 8192, "connections to --listen at once; more wait")
	f.StringVar(&o.LogLevel, "log-level", "info", "debug, info, warn or error; debug says why a token was refused")
	f.Usage = func() { fmt.Fprint(os.Stderr, ingressUsage+f.FlagUsages()) }
}

// Complete implements program.Options. Nothing comes from the environment.
func (o *IngressOptions) Complete(func(string) string) {}

// Validate says which flags are wrong, what they are and what they may be. What the verifier
// judges it says when it is made.
func (o *IngressOptions) Validate() error {
	var errs []error
	wrong := func(flag string, value any, want string) {
		errs = append(errs, fmt.Errorf("--%s=%v: %s", flag, value, want))
	}
	if o.Listen == "" && o.AuthListen == "" {
		wrong("listen", o.Listen, "there is nothing to do; give this or --auth-request-listen")
	}
	if (o.TLSCert == "" || o.TLSKey == "") && (o.Listen != "" || o.authOverTLS()) {
		wrong("tls-cert", o.TLSCert, "give both --tls-cert and --tls-key")
	}
	if o.RulesFile == "" {
		wrong("rules", o.RulesFile, "must name a file; what no rule names is refused")
	}
	if o.Listen != "" {
		if _, err := ingress.ParseApp(o.Forward); err != nil {
			wrong("forward", o.Forward, err.Error())
		}
	}
	if o.MaxConnections < 1 {
		wrong("max-connections", o.MaxConnections, "must be at least 1")
	}
	if o.ShutdownDelay < 0 || o.ShutdownDelay > time.Minute {
		wrong("shutdown-delay", o.ShutdownDelay, "must be between 0 and 1m")
	}
	if _, err := o.level(); err != nil {
		wrong("log-level", o.LogLevel, "must be debug, info, warn or error")
	}
	o.validateProxies(wrong)
	return errors.Join(errs...)
}

func (o *IngressOptions) validateProxies(wrong func(flag string, value any, want string)) {
	if _, err := ingress.ParseProxy(o.Proxy); err != nil && (o.Proxy != "" || o.AuthListen != "" || o.ProxyCA != "") {
		wrong("proxy", o.Proxy, "must be nginx, haproxy or envoy")
	}
	if (o.ProxyCA == "") != (len(o.ProxyNames) == 0) {
		wrong("client-cert-proxy-ca", o.ProxyCA, "belongs to --client-cert-proxy-name; give both")
	}
	if o.authOverTLS() && o.ProxyCA == "" {
		wrong("auth-request-listen", o.AuthListen, "others than the proxy can connect there and claim any certificate; listen on 127.0.0.1 or unix:<path>, or give --client-cert-proxy-ca and --client-cert-proxy-name")
	}
}

// authOverTLS says whether proxies ask from elsewhere.
func (o *IngressOptions) authOverTLS() bool {
	if o.AuthListen == "" || strings.HasPrefix(o.AuthListen, unixPrefix) {
		return false
	}
	host, _, err := net.SplitHostPort(o.AuthListen)
	if err != nil {
		return true
	}
	address, err := netip.ParseAddr(host)
	return err != nil || !address.IsLoopback()
}

func (o *IngressOptions) level() (level slog.Level, err error) {
	if !slices.Contains([]string{"debug", "info", "warn", "error"}, o.LogLevel) {
		return level, fmt.Errorf("no such level: %s", o.LogLevel)
	}
	err = level.UnmarshalText([]byte(o.LogLevel))
	return level, err
}
