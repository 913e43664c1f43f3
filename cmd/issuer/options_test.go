package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/pflag"
)

func parse(t *testing.T, args ...string) Options {
	t.Helper()
	var o Options
	flags := pflag.NewFlagSet("issuer", pflag.ContinueOnError)
	o.AddFlags(flags)
	if err := flags.Parse(args); err != nil {
		t.Fatal(err)
	}
	o.Complete(func(name string) string {
		if name == "POD_NAMESPACE" {
			return os.Getenv("TEST_" + name)
		}
		t.Errorf("the environment variable %s was read", name)
		return ""
	})
	return o
}

func TestOptionsHaveDefaultsThatWork(t *testing.T) {
	o := parse(t)
	if err := o.Validate(); err != nil {
		t.Error(err)
	}
	if o.IssuerURL != "https://lanyard-issuer.lanyard-system.svc" || o.Namespace != "lanyard-system" {
		t.Errorf("got %s in %s", o.IssuerURL, o.Namespace)
	}
	t.Setenv("TEST_POD_NAMESPACE", "oauth")
	if o = parse(t); o.IssuerURL != "https://lanyard-issuer.oauth.svc" || o.Namespace != "oauth" {
		t.Errorf("got %s in %s", o.IssuerURL, o.Namespace)
	}
	if o = parse(t, "--namespace=other", "--issuer-url=https://login.example.com"); o.IssuerURL != "https://login.example.com" || o.Namespace != "other" {
		t.Errorf("got %s in %s", o.IssuerURL, o.Namespace)
	}
}

func TestOptionsSayWhatIsWrong(t *testing.T) {
	for arg, want := range map[string]string{
		"--issuer-url=http://x":    "must be https://",
		"--issuer-url=https://x/":  "without user, path",
		"--issuer-url=https://x?y": "without user, path",
		"--issuer-url=https://X":   "lower case",
		"--issuer-url=https://u@x": "without user",
		"--listen=8443":            "[<host>]:<port>",
		"--ops-listen=x":           "[<host>]:<port>",
		"--tls-cert=":              "must not be empty",
		"--tls-key=":               "must not be empty",
		"--signing-key-secret=":    "must not be empty",
		"--max-staleness=1m":       "2m or more",
		"--log-level=loud":         "debug, info, warn or error",
		"--log-level=debug-8":      "debug, info, warn or error",
		"--peer-rate=-1":           "must not be negative",
		"--client-burst=-1":        "must not be negative",
		"--max-connections=0":      "1 or more",
		"--service-account-issuer=https://lanyard-issuer.lanyard-system.svc": "must be the issuer of service account tokens",
		"--shutdown-delay=-1s":                                 "must not be negative",
		"--mtls-url=https://x/":                                "must be https://",
		"--mtls-url=http://x":                                  "must be https://",
		"--mtls-url=https://lanyard-issuer.lanyard-system.svc": "another one than --issuer-url",
		"--client-cert-proxy-ca=ca.crt":                        "needs --client-cert-proxy-name",
		"--client-cert-proxy-name=ingress":                     "needs --client-cert-proxy-ca",
		"--replay-memory=0":                                    "1 or more",
		"--replay-quota=0":                                     "1 or more",
		"--replay-quota=500000":                                "less than --replay-memory=500000",
		"--revocation-quota=0":                                 "1 or more",
	} {
		o := parse(t, arg)
		err := o.Validate()
		flag, _, _ := strings.Cut(arg, "=")
		if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), flag+"=") {
			t.Errorf("%s: %v; want an error that names the flag and says %q", arg, err, want)
		}
	}
}

func TestOptionsSayWhatIsNoNameOfAProxy(t *testing.T) {
	for _, name := range []string{"*.example.com", "Ingress", "spiffe://x/y", "a b"} {
		o := parse(t, "--client-cert-proxy-ca=ca.crt", "--client-cert-proxy-name="+name)
		if err := o.Validate(); err == nil || !strings.Contains(err.Error(), "--client-cert-proxy-name="+name+": must be one DNS name") {
			t.Errorf("%q: %v", name, err)
		}
	}
	o := parse(t, "--client-cert-proxy-ca=ca.crt", "--client-cert-proxy-name=a.example.com,b.example.com", "--client-secrets", "--mtls-url=https://mtls.example.com")
	if err := o.Validate(); err != nil || len(o.ProxyNames) != 2 || !o.ClientSecrets {
		t.Errorf("%+v: %v", o, err)
	}
}

func TestCertificateIsReadAgain(t *testing.T) {
	s := &stage{opts: Options{TLSCert: filepath.Join(t.TempDir(), "tls.crt"), TLSKey: filepath.Join(t.TempDir(), "tls.key")}}
	if _, err := loadCertificate(s.opts.TLSCert, s.opts.TLSKey); err == nil || !strings.Contains(err.Error(), "--tls-cert") {
		t.Errorf("without files: %v", err)
	}
	first, second := newCertificate(t, "first"), newCertificate(t, "second")
	s.writeCertificate(t, first)
	c, err := loadCertificate(s.opts.TLSCert, s.opts.TLSKey)
	check(t, err)
	serves := func(name string) {
		t.Helper()
		got, err := c.get(nil)
		if err != nil || got.Leaf.Subject.CommonName != name {
			t.Errorf("serves %v, %v; want %s", got.Leaf.Subject, err, name)
		}
	}
	serves("first")
	if changed, err := c.load(); changed || err != nil {
		t.Errorf("the same files: %v, %v", changed, err)
	}
	// The kubelet replaces both at once; a reader may still find one of each.
	firstKey, err := os.ReadFile(s.opts.TLSKey)
	check(t, err)
	s.writeCertificate(t, second)
	secondKey, err := os.ReadFile(s.opts.TLSKey)
	check(t, err)
	check(t, os.WriteFile(s.opts.TLSKey, firstKey, 0o600))
	if _, err := c.load(); err == nil {
		t.Error("a certificate with another's key was taken")
	}
	serves("first")
	check(t, os.WriteFile(s.opts.TLSKey, secondKey, 0o600))
	if changed, err := c.load(); !changed || err != nil {
		t.Errorf("new files: %v, %v", changed, err)
	}
	serves("second")
}
