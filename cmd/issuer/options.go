package main

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"github.com/lanyard-dev/lanyard/issuer/httpapi"
)

// Options are the flags.
type Options struct {
	IssuerURL             string
	Listen, OpsListen     string
	TLSCert, TLSKey       string
	Namespace             string
	SigningKeySecret      string
	ControllerLease       string
	ClusterDomain         string
	ServiceAccountIssuers []string
	MaxStaleness          time.Duration
	Kubeconfig            string
	LogLevel              string
	PeerRate, ClientRate  float64
	PeerBurst             int
	ClientBurst           int
	MaxConnections        int
	StrangerRate          float64
	StrangerBurst         int
	ShutdownDelay         time.Duration
	ClientSecrets         bool
	MTLSURL               string
	ProxyCA               string
	ProxyNames            []string
	ReplayMemory          int
	ReplayQuota           int
	RevocationQuota       int
}

// AddFlags adds a flag for each option.
func (o *Options) AddFlags(f *pflag.FlagSet) {
	f.StringVar(&o.IssuerURL, "issuer-url", "", "issuer identifier: the iss of tokens, the audience of assertions, and what the endpoints' URLs begin with (default https://lanyard-issuer.<namespace>.svc)")
	f.StringVar(&o.Listen, "listen", ":8443", "address of the OAuth endpoints, over TLS")
	f.StringVar(&o.OpsListen, "ops-listen", ":8080", "address of /healthz, /readyz and /metrics, plain")
	f.StringVar(&o.TLSCert, "tls-cert", "/etc/lanyard/tls/tls.crt", "file with the issuer's own certificate chain, PEM; read again when it changes")
	f.StringVar(&o.TLSKey, "tls-key", "/etc/lanyard/tls/tls.key", "file with its private key, PEM")
	f.StringVar(&o.Namespace, "namespace", "", "namespace of the signing keys' Secret and the controller's Lease (default $POD_NAMESPACE, else lanyard-system)")
	f.StringVar(&o.SigningKeySecret, "signing-key-secret", "lanyard-signing-keys", "Secret with the signing keys")
	f.StringVar(&o.ControllerLease, "controller-lease", "lanyard-controller", "Lease that the controller renews; its renewals measure how far behind the watches are")
	f.StringVar(&o.ClusterDomain, "cluster-domain", "cluster.local", "DNS domain of the cluster")
	f.StringSliceVar(&o.ServiceAccountIssuers, "service-account-issuer", nil, "further issuer of this cluster's service account tokens, while the cluster changes its own (repeatable)")
	f.DurationVar(&o.MaxStaleness, "max-staleness", 15*time.Minute, "how long to go on from memory without hearing of the API server; then requests are answered 503")
	f.StringVar(&o.Kubeconfig, "kubeconfig", "", "file that says where the API server is (default $KUBECONFIG, else the pod's service account)")
	f.StringVar(&o.LogLevel, "log-level", "info", "debug, info, warn or error")
	f.Float64Var(&o.PeerRate, "peer-rate", 2000, "token requests a second that one address may make; 0: no limit")
	f.IntVar(&o.PeerBurst, "peer-burst", 4000, "token requests that one address may make at once")
	f.Float64Var(&o.ClientRate, "client-rate", 1000, "token requests a second that one client may make; 0: no limit")
	f.IntVar(&o.ClientBurst, "client-burst", 2000, "token requests that one client may make at once")
	f.IntVar(&o.MaxConnections, "max-connections", httpapi.DefaultMaxConnections, "connections at the same time; beyond them those are closed over which no token was given, oldest first")
	f.Float64Var(&o.StrangerRate, "stranger-rate", 5, "connections a second that one address may open without getting a token while many want to, or ten times as many requests; beyond it they wait before the handshake; all addresses together have 25 times as much; 0: no limit")
	f.IntVar(&o.StrangerBurst, "stranger-burst", 50, "connections that one address may open at once without having got a token")
	f.DurationVar(&o.ShutdownDelay, "shutdown-delay", 5*time.Second, "how long to serve on after SIGTERM, not ready, until no more requests are sent here")
	f.BoolVar(&o.ClientSecrets, "client-secrets", false, "serve client_secret_basic and client_secret_post to clients that list them; the controller needs the same flag to make secrets")
	f.StringVar(&o.MTLSURL, "mtls-url", "", "what the URLs of the endpoints begin with for clients that use certificates (mtls_endpoint_aliases of RFC 8705), where another host asks for them; it must lead here")
	f.StringVar(&o.ProxyCA, "client-cert-proxy-ca", "", "file with the CAs of proxies that may name the client's certificate in the header Client-Cert (RFC 9440), PEM; read again when it changes; without it that header counts for nothing")
	f.StringSliceVar(&o.ProxyNames, "client-cert-proxy-name", nil, "DNS name in the certificate of such a proxy (repeatable); other certificates of the same CAs are no proxy's")
	f.IntVar(&o.ReplayMemory, "replay-memory", 500_000, "ids of assertions and DPoP proofs that are remembered until they end, about 100 bytes each; beyond it new ones are refused")
	f.IntVar(&o.ReplayQuota, "replay-quota", 50_000, "how many of them one client may have")
	f.IntVar(&o.RevocationQuota, "revocation-quota", 2_000, "revoked tokens that one client may have at the same time; they are kept in the API server until they end")
}

// Complete fills in what depends on other options and on the environment.
func (o *Options) Complete(getenv func(string) string) {
	if o.Namespace == "" {
		o.Namespace = getenv("POD_NAMESPACE")
	}
	if o.Namespace == "" {
		o.Namespace = "lanyard-system"
	}
	if o.IssuerURL == "" {
		o.IssuerURL = "https://lanyard-issuer." + o.Namespace + ".svc"
	}
}

// Validate says which flags are wrong, what they are and what they may be.
func (o *Options) Validate() error {
	var errs []error
	wrong := func(flag string, value any, want string) {
		errs = append(errs, fmt.Errorf("--%s=%v: %s", flag, value, want))
	}
	if !issuerURL(o.IssuerURL) {
		wrong("issuer-url", o.IssuerURL, "must be https://<host>[:<port>] in lower case, without user, path, query or fragment, for example https://lanyard-issuer.lanyard-system.svc")
	}
	for _, a := range []struct{ flag, value string }{{"listen", o.Listen}, {"ops-listen", o.OpsListen}} {
		if _, _, err := net.SplitHostPort(a.value); err != nil {
			wrong(a.flag, a.value, "must be [<host>]:<port>, for example :8443")
		}
	}
	for _, s := range []struct{ flag, value string }{
		{"tls-cert", o.TLSCert},
		{"tls-key", o.TLSKey},
		{"signing-key-secret", o.SigningKeySecret},
		{"controller-lease", o.ControllerLease},
		{"cluster-domain", o.ClusterDomain},
	} {
		if s.value == "" {
			wrong(s.flag, s.value, "must not be empty")
		}
	}
	for _, i := range o.ServiceAccountIssuers {
		if i == "" || i == o.IssuerURL {
			wrong("service-account-issuer", i, "must be the issuer of service account tokens, not this one")
		}
	}
	if o.MaxStaleness < 2*time.Minute {
		// An idle watch is heard of about every minute.
		wrong("max-staleness", o.MaxStaleness, "must be 2m or more")
	}
	if _, err := o.level(); err != nil {
		wrong("log-level", o.LogLevel, "must be debug, info, warn or error")
	}
	o.validateLimits(wrong)
	o.validateMTLS(wrong)
	return errors.Join(errs...)
}

func (o *Options) validateLimits(wrong func(flag string, value any, want string)) {
	for _, n := range []struct {
		flag  string
		value float64
	}{
		{"peer-rate", o.PeerRate},
		{"peer-burst", float64(o.PeerBurst)},
		{"client-rate", o.ClientRate},
		{"client-burst", float64(o.ClientBurst)},
		{"stranger-rate", o.StrangerRate},
		{"stranger-burst", float64(o.StrangerBurst)},
		{"shutdown-delay", o.ShutdownDelay.Seconds()},
	} {
		if n.value < 0 {
			wrong(n.flag, n.value, "must not be negative")
		}
	}
	for _, n := range []struct {
		flag  string
		value int
	}{
		{"max-connections", o.MaxConnections},
		{"replay-memory", o.ReplayMemory},
		{"replay-quota", o.ReplayQuota},
		{"revocation-quota", o.RevocationQuota},
	} {
		if n.value < 1 {
			wrong(n.flag, n.value, "must be 1 or more")
		}
	}
	if o.ReplayQuota >= o.ReplayMemory && o.ReplayMemory > 0 {
		// One client could fill the memory for all.
		wrong("replay-quota", o.ReplayQuota, fmt.Sprintf("must be less than --replay-memory=%d", o.ReplayMemory))
	}
}

func (o *Options) validateMTLS(wrong func(flag string, value any, want string)) {
	if o.MTLSURL != "" && (!issuerURL(o.MTLSURL) || o.MTLSURL == o.IssuerURL) {
		wrong("mtls-url", o.MTLSURL, "must be https://<host>[:<port>] in lower case, and another one than --issuer-url")
	}
	if o.ProxyCA != "" && len(o.ProxyNames) == 0 {
		wrong("client-cert-proxy-ca", o.ProxyCA, "needs --client-cert-proxy-name: not everybody with a certificate of that CA is a proxy")
	}
	for _, name := range o.ProxyNames {
		switch {
		case o.ProxyCA == "":
			wrong("client-cert-proxy-name", name, "needs --client-cert-proxy-ca, the file with the CA of the proxy's certificate")
		case name == "" || name != strings.ToLower(name) || strings.ContainsAny(name, "*:/ "):
			wrong("client-cert-proxy-name", name, "must be one DNS name in lower case, for example ingress.ingress-system.svc")
		}
	}
}

// issuerURL says whether s can be an issuer identifier: what RFC 8414 section 2
// asks for, and no path, because the endpoints are at the root.
func issuerURL(s string) bool {
	u, err := url.Parse(s)
	return err == nil && u.Scheme == "https" && u.Host != "" && s == "https://"+strings.ToLower(u.Host)
}

// level reads the level as one of the four: slog also reads debug-8, at which the
// Kubernetes client writes the bodies of answers to the log, and the signing keys with them.
func (o *Options) level() (level slog.Level, err error) {
	if !slices.Contains([]string{"debug", "info", "warn", "error"}, o.LogLevel) {
		return level, fmt.Errorf("no such level: %s", o.LogLevel)
	}
	err = level.UnmarshalText([]byte(o.LogLevel))
	return level, err
}
