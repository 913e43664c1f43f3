package main

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/pflag"
	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/lanyard-dev/lanyard/controllers/signingkeys"
	"github.com/lanyard-dev/lanyard/issuer/keyring"
)

// Options are the flags.
type Options struct {
	Namespace           string
	Kubeconfig          string
	AllowedIssuers      []string
	CertManagerUsername string
	TrustDomain         string
	ClusterDomain       string
	ClientSecrets       bool
	CABundle            []string
	SigningAlgorithm    string
	SigningKeySecret    string
	SigningKeyRotation  time.Duration
	MetricsListen       string
	HealthListen        string
	WebhookListen       string
	WebhookTLSCert      string
	WebhookTLSKey       string
	LeaderElect         bool
	ShutdownDelay       time.Duration
	LogLevel            string

	InjectionOptions
}

// AddFlags adds a flag for each option.
func (o *Options) AddFlags(f *pflag.FlagSet) {
	f.StringVar(&o.Namespace, "namespace", "", "namespace of Lanyard itself: of its Lease and of the signing keys' Secret (default $POD_NAMESPACE, else lanyard-system)")
	f.StringVar(&o.Kubeconfig, "kubeconfig", "", "file that says where the API server is (default $KUBECONFIG, else the pod's service account)")
	f.StringSliceVar(&o.AllowedIssuers, "allowed-issuers", nil, "cert-manager issuers that ClientCertificates of every namespace may name, each Kind/name or Kind.group/name, for example ClusterIssuer/workload-ca; others only where the namespace's annotation lanyard.dev/issuers allows them")
	f.StringVar(&o.CertManagerUsername, "cert-manager-username", "system:serviceaccount:cert-manager:cert-manager", "who cert-manager's controller is to the API server; only CertificateRequests that it made itself are pinned")
	f.StringVar(&o.TrustDomain, "trust-domain", "cluster.local", "SPIFFE trust domain in the URI of client certificates")
	f.StringVar(&o.ClusterDomain, "cluster-domain", "cluster.local", "DNS domain of the cluster")
	f.BoolVar(&o.ClientSecrets, "client-secrets", false, "make secrets for clients that list clientSecret; needs permission to create and patch Secrets (config/components/client-secrets), and the same flag at the issuer")
	f.StringSliceVar(&o.CABundle, "ca-bundle", nil, "PEM files with the roots of the issuer's serving certificate, kept in ConfigMap lanyard-ca of each namespace that holds an OAuthClient or a ProtectedResource, beside older ones that have not expired; read again when they change; empty: none is kept")
	f.StringVar(&o.SigningAlgorithm, "signing-algorithm", string(keyring.ES256), "JWS algorithm that tokens are signed with: ES256, RS256, PS256 or EdDSA; after a change the next key is made at once, and both are published until the tokens of the older have ended")
	f.StringVar(&o.SigningKeySecret, "signing-key-secret", signingkeys.SecretName, "Secret with the signing keys; the issuer needs the same, and both need permission on it")
	f.DurationVar(&o.SigningKeyRotation, "signing-key-rotation", keyring.DefaultSchedule().RotateEvery, "how long a key signs until the next takes its place")
	f.StringVar(&o.MetricsListen, "metrics-listen", ":8080", "address of /metrics, plain; 0: none")
	f.StringVar(&o.HealthListen, "health-listen", ":8081", "address of /healthz and /readyz, plain; 0: none")
	f.StringVar(&o.WebhookListen, "webhook-listen", ":9443", "address of the admission webhooks, TLS, served by every replica; 0: none, and what config/webhook sends here is refused")
	f.StringVar(&o.WebhookTLSCert, "webhook-tls-cert", "/etc/lanyard/webhook/tls.crt", "PEM file with the webhooks' own certificate; read again when it changes")
	f.StringVar(&o.WebhookTLSKey, "webhook-tls-key", "/etc/lanyard/webhook/tls.key", "PEM file with its private key; read again when it changes")
	f.BoolVar(&o.LeaderElect, "leader-elect", true, "work only while holding the Lease lanyard-controller, so that several replicas can run")
	f.DurationVar(&o.ShutdownDelay, "shutdown-delay", 5*time.Second, "how long to serve webhooks, and work, after SIGTERM, not ready, until the API server asks another replica")
	o.addInjectionFlags(f)
	f.StringVar(&o.LogLevel, "log-level", "info", "debug, info, warn or error")
}

// Complete fills in what depends on the environment.
func (o *Options) Complete(getenv func(string) string) {
	if o.Namespace == "" {
		o.Namespace = getenv("POD_NAMESPACE")
	}
	if o.Namespace == "" {
		o.Namespace = "lanyard-system"
	}
	if o.Kubeconfig == "" {
		o.Kubeconfig = getenv("KUBECONFIG")
	}
}

// issuerEntry is Kind/name or Kind.group/name.
var issuerEntry = regexp.MustCompile(`^[A-Z][A-Za-z0-9]*(\.[a-z0-9]([a-z0-9.-]*[a-z0-9])?)?/[a-z0-9]([a-z0-9.-]*[a-z0-9])?$`)

// Validate says which flags are wrong, what they are and what they may be.
func (o *Options) Validate() error {
	var errs []error
	wrong := func(flag string, value any, want string) {
		errs = append(errs, fmt.Errorf("--%s=%v: %s", flag, value, want))
	}
	if len(validation.IsDNS1123Label(o.Namespace)) > 0 {
		wrong("namespace", o.Namespace, "must be the name of a namespace, for example lanyard-system")
	}
	for _, entry := range o.AllowedIssuers {
		if !issuerEntry.MatchString(entry) {
			wrong("allowed-issuers", entry, "must be Kind/name or Kind.group/name, for example ClusterIssuer/workload-ca; list several with commas")
		}
	}
	if slices.Contains(o.CABundle, "") {
		wrong("ca-bundle", strings.Join(o.CABundle, ","), "must be names of PEM files; list several with commas")
	}
	if o.CertManagerUsername == "" || strings.ContainsAny(o.CertManagerUsername, " \t\n") {
		wrong("cert-manager-username", o.CertManagerUsername, "must be a user name, for example system:serviceaccount:cert-manager:cert-manager")
	}
	for _, d := range []struct{ flag, value string }{{"trust-domain", o.TrustDomain}, {"cluster-domain", o.ClusterDomain}} {
		if len(validation.IsDNS1123Subdomain(d.value)) > 0 {
			wrong(d.flag, d.value, "must be a domain in lower case, for example cluster.local")
		}
	}
	for _, a := range []struct{ flag, value string }{{"metrics-listen", o.MetricsListen}, {"health-listen", o.HealthListen}} {
		if _, _, err := net.SplitHostPort(a.value); err != nil && a.value != "0" {
			wrong(a.flag, a.value, "must be [<host>]:<port>, for example :8080, or 0 for none")
		}
	}
	if o.WebhookListen != "0" {
		if _, _, err := o.webhookAddress(); err != nil {
			wrong("webhook-listen", o.WebhookListen, "must be [<host>]:<port>, for example :9443, or 0 for none")
		}
	}
	if len(validation.IsDNS1123Subdomain(o.SigningKeySecret)) > 0 {
		wrong("signing-key-secret", o.SigningKeySecret, "must be the name of a Secret, for example lanyard-signing-keys")
	}
	if !slices.Contains(keyring.Algorithms(), keyring.Algorithm(o.SigningAlgorithm)) {
		wrong("signing-algorithm", o.SigningAlgorithm, "must be ES256, RS256, PS256 or EdDSA")
	} else if err := o.schedule().Validate(); err != nil {
		wrong("signing-key-rotation", o.SigningKeyRotation, err.Error())
	}
	if o.ShutdownDelay < 0 {
		wrong("shutdown-delay", o.ShutdownDelay, "must not be negative")
	}
	o.validateInjection(wrong)
	if _, err := o.level(); err != nil {
		wrong("log-level", o.LogLevel, "must be debug, info, warn or error")
	}
	return errors.Join(errs...)
}

// webhookAddress is where the webhooks listen.
func (o *Options) webhookAddress() (host string, port int, err error) {
	host, number, err := net.SplitHostPort(o.WebhookListen)
	if err != nil {
		return "", 0, err
	}
	if port, err = strconv.Atoi(number); err != nil || port < 1 || port > 65535 {
		return "", 0, fmt.Errorf("no such port: %s", number)
	}
	return host, port, nil
}

// schedule is how the signing keys rotate.
func (o *Options) schedule() keyring.Schedule {
	s := keyring.DefaultSchedule()
	s.Algorithm, s.RotateEvery = keyring.Algorithm(o.SigningAlgorithm), o.SigningKeyRotation
	return s
}

// level reads the level as one of the four: slog also reads debug-8, at which the
// Kubernetes client writes the bodies of requests to the log, and Secrets with them.
func (o *Options) level() (level slog.Level, err error) {
	if !slices.Contains([]string{"debug", "info", "warn", "error"}, o.LogLevel) {
		return level, fmt.Errorf("no such level: %s", o.LogLevel)
	}
	err = level.UnmarshalText([]byte(o.LogLevel))
	return level, err
}
