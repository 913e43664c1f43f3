package main

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/pflag"

	"github.com/lanyard-dev/lanyard/sidecar/settings"
)

const (
	defaultListen        = "127.0.0.1:9466"
	defaultMetricsListen = ":9467"
	// configEnv holds the YAML itself.
	configEnv = "LANYARD_CONFIG"
)

// Options are the flags.
type Options struct {
	Issuer, ClientID      string
	AssertionFile         string
	CertFile, KeyFile     string
	CAFile                string
	ConfigFile            string
	Directory, FileMode   string
	ExposeCertificate     bool
	Listen, MetricsListen string
	Wait                  bool
	UpstreamCADirectory   string
	LogLevel              string

	config string // the YAML of configEnv
}

const usage = `lanyard-sidecar holds access tokens for the pod, or the machine, that it runs in.

  lanyard-sidecar [flags]     run until SIGTERM
  lanyard-sidecar started     exit with 0 once every listed resource has a token, else say why not
  lanyard-sidecar ingress     stand before an API and verify its callers' tokens (see ingress --help)

In a pod the injector writes the flags. Outside Kubernetes, as a client with a certificate:

  cat >lanyard.yaml <<EOF
  resources:
  - {name: orders, identifier: api://orders}
  upstreams:
  - {port: 9470, url: https://orders.example:8443, resource: api://orders}
  EOF
  lanyard-sidecar --issuer https://issuer.example --client-id shop/checkout \
      --cert tls.crt --key tls.key --ca issuer-ca.crt \
      --config lanyard.yaml --directory /run/lanyard

  curl -H 'Metadata: true' 'http://127.0.0.1:9466/token?resource=api://orders'
  curl http://127.0.0.1:9470/v1/orders

With --assertion-file a signed assertion, such as a projected service account token,
authenticates instead of the certificate, which then only binds the tokens. The issuer is
asked through the proxy that $HTTPS_PROXY names; the upstreams never are.

Flags:
`

// AddFlags adds a flag for each option.
func (o *Options) AddFlags(f *pflag.FlagSet) {
	f.StringVar(&o.Issuer, "issuer", "", "the issuer's URL, https; required")
	f.StringVar(&o.ClientID, "client-id", "", "the client's id; optional with an assertion that belongs to one client only")
	f.StringVar(&o.AssertionFile, "assertion-file", "", "file with the assertion that authenticates, such as a projected service account token; read at each request (default: the certificate authenticates)")
	f.StringVar(&o.CertFile, "cert", "", "file with the client's certificate, PEM; tokens are bound to it; looked at every second")
	f.StringVar(&o.KeyFile, "key", "", "file with its private key, PEM")
	f.StringVar(&o.CAFile, "ca", "", "file with the roots of the issuer's certificate, PEM; read at each request (default: the system's)")
	f.StringVar(&o.ConfigFile, "config", "", "file with the resources and upstreams, YAML (default: what $"+configEnv+" holds, which is the YAML itself)")
	f.StringVar(&o.Directory, "directory", "/var/run/lanyard", "folder of the token files tokens/<name>; whoever may read it has the tokens; empty: none are written")
	f.BoolVar(&o.ExposeCertificate, "expose-certificate", false, "also write token, tls.crt and tls.key together, to bound/<name> below --directory, for programs that speak mutual TLS themselves")
	f.StringVar(&o.FileMode, "file-mode", "0400", "mode of the files below --directory, keys too: 0400 for the sidecar's own user, 0440 for the group, 0444 for every user")
	f.StringVar(&o.Listen, "listen", defaultListen, "address of the token endpoint, on loopback")
	f.StringVar(&o.MetricsListen, "metrics-listen", defaultMetricsListen, "address of /metrics, /healthz and /startedz, plain HTTP; without a host on all addresses")
	f.BoolVar(&o.Wait, "wait", true, "have /startedz, and so lanyard-sidecar started, say yes only once every listed resource has a token; --wait=false: at once")
	f.StringVar(&o.UpstreamCADirectory, "upstream-ca-directory", "/var/run/secrets/lanyard.dev/upstreams", "folder that has <caConfigMap>/ca.crt, the roots of an upstream that names a caConfigMap")
	f.StringVar(&o.LogLevel, "log-level", "info", "debug, info, warn or error")
	f.Usage = func() { fmt.Fprint(os.Stderr, usage+f.FlagUsages()) }
}

// Complete fills in what no flag says, from the environment.
func (o *Options) Complete(getenv func(string) string) { o.config = getenv(configEnv) }

// Validate says which flags are wrong, what they are and what they may be.
func (o *Options) Validate() error {
	var errs []error
	wrong := func(flag string, value any, want string) {
		errs = append(errs, fmt.Errorf("--%s=%v: %s", flag, value, want))
	}
	if !issuerURL(o.Issuer) {
		wrong("issuer", o.Issuer, "must be https://<host>[:<port>] in lower case, without path, for example https://lanyard-issuer.lanyard-system.svc")
	}
	o.validateCredentials(wrong)
	if !loopback(o.Listen) {
		wrong("listen", o.Listen, "must be on loopback, for example "+defaultListen+": who can connect gets tokens")
	}
	if _, _, err := net.SplitHostPort(o.MetricsListen); err != nil {
		wrong("metrics-listen", o.MetricsListen, "must be [<host>]:<port>, for example "+defaultMetricsListen)
	}
	if _, err := o.mode(); err != nil {
		wrong("file-mode", o.FileMode, "must be 0400, 0440 or 0444")
	}
	if o.ConfigFile != "" && o.config != "" {
		wrong("config", o.ConfigFile, "$"+configEnv+" is set, too; give one of the two")
	}
	if _, err := o.level(); err != nil {
		wrong("log-level", o.LogLevel, "must be debug, info, warn or error")
	}
	return errors.Join(errs...)
}

func (o *Options) validateCredentials(wrong func(flag string, value any, want string)) {
	switch {
	case o.CertFile != "" && o.KeyFile == "":
		wrong("key", o.KeyFile, "belongs to --cert; give both")
	case o.CertFile == "" && o.KeyFile != "":
		wrong("cert", o.CertFile, "belongs to --key; give both")
	case o.CertFile == "" && o.AssertionFile == "":
		wrong("assertion-file", o.AssertionFile, "give this, or --cert and --key, or all three: something has to authenticate")
	case o.CertFile == "" && o.ExposeCertificate:
		wrong("expose-certificate", o.ExposeCertificate, "needs --cert and --key")
	}
	if o.AssertionFile == "" && o.ClientID == "" {
		wrong("client-id", o.ClientID, "must be given where the certificate authenticates, for example shop/checkout")
	}
	if o.ExposeCertificate && o.Directory == "" {
		wrong("expose-certificate", o.ExposeCertificate, "needs --directory")
	}
}

// settings reads the configuration.
func (o *Options) settings() (settings.Settings, error) {
	text, where := []byte(o.config), "$"+configEnv
	if o.ConfigFile != "" {
		var err error
		where = "--config=" + o.ConfigFile
		if text, err = os.ReadFile(o.ConfigFile); err != nil {
			return settings.Settings{}, fmt.Errorf("--config: %w", err)
		}
	}
	s, err := settings.Parse(text)
	if err != nil {
		return settings.Settings{}, fmt.Errorf("%s: %w", where, err)
	}
	return s, nil
}

// mode is the files' mode.
func (o *Options) mode() (os.FileMode, error) {
	if !slices.Contains([]string{"0400", "0440", "0444"}, o.FileMode) {
		return 0, fmt.Errorf("no such mode: %s", o.FileMode)
	}
	mode, err := strconv.ParseUint(o.FileMode, 8, 32)
	return os.FileMode(mode), err
}

// level reads the level as one of the four.
func (o *Options) level() (level slog.Level, err error) {
	if !slices.Contains([]string{"debug", "info", "warn", "error"}, o.LogLevel) {
		return level, fmt.Errorf("no such level: %s", o.LogLevel)
	}
	err = level.UnmarshalText([]byte(o.LogLevel))
	return level, err
}

// issuerURL says whether s can be an issuer identifier of Lanyard.
func issuerURL(s string) bool {
	u, err := url.Parse(s)
	return err == nil && u.Scheme == "https" && u.Host != "" && s == "https://"+strings.ToLower(u.Host)
}

// loopback says whether nobody else can connect to an address.
func loopback(address string) bool {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return false
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.IsLoopback()
}
