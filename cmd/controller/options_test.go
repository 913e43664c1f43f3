package main

import (
	"strings"
	"testing"

	"github.com/spf13/pflag"
)

func TestOptions(t *testing.T) {
	tests := map[string]struct {
		args []string
		env  map[string]string
		want string // part of the message; empty: valid
	}{
		"the defaults":             {nil, nil, ""},
		"issuers of several kinds": {[]string{"--allowed-issuers=ClusterIssuer/workload-ca,Issuer.example.com/own"}, nil, ""},
		"no metrics and no health": {[]string{"--metrics-listen=0", "--health-listen=0"}, nil, ""},
		"an issuer without kind":   {[]string{"--allowed-issuers=workload-ca"}, nil, "--allowed-issuers=workload-ca: must be Kind/name"},
		"a star for all issuers":   {[]string{"--allowed-issuers=ClusterIssuer/*"}, nil, "--allowed-issuers=ClusterIssuer/*: must be"},
		"roots in two files":       {[]string{"--ca-bundle=/etc/ca.crt,/etc/issuer-ca.crt"}, nil, ""},
		"a file without a name":    {[]string{"--ca-bundle=/etc/ca.crt,"}, nil, "--ca-bundle=/etc/ca.crt,: must be names of PEM files"},
		"no user name":             {[]string{"--cert-manager-username="}, nil, "--cert-manager-username=: must be a user name"},
		"a trust domain as a URI":  {[]string{"--trust-domain=spiffe://x"}, nil, "--trust-domain=spiffe://x: must be a domain"},
		"a namespace of the pod":   {nil, map[string]string{"POD_NAMESPACE": "not/one"}, "--namespace=not/one"},
		"an address without port":  {[]string{"--metrics-listen=localhost"}, nil, "--metrics-listen=localhost: must be [<host>]:<port>"},
		"no webhooks":              {[]string{"--webhook-listen=0"}, nil, ""},
		"webhooks on loopback":     {[]string{"--webhook-listen=127.0.0.1:9443"}, nil, ""},
		"webhooks on any port":     {[]string{"--webhook-listen=:0"}, nil, "--webhook-listen=:0: must be [<host>]:<port>"},
		"webhooks without a port":  {[]string{"--webhook-listen=9443"}, nil, "--webhook-listen=9443: must be [<host>]:<port>"},
		"a level that is none":     {[]string{"--log-level=loud"}, nil, "--log-level=loud: must be debug"},
		"a level that logs bodies": {[]string{"--log-level=debug-8"}, nil, "--log-level=debug-8: must be debug"},
		"an algorithm for tokens":  {[]string{"--signing-algorithm=PS256"}, nil, ""},
		"an algorithm of a secret": {[]string{"--signing-algorithm=HS256"}, nil, "--signing-algorithm=HS256: must be ES256, RS256, PS256 or EdDSA"},
		"a rotation each day":      {[]string{"--signing-key-rotation=24h"}, nil, ""},
		"a rotation each hour":     {[]string{"--signing-key-rotation=1h"}, nil, "--signing-key-rotation=1h0m0s: keys rotate every 1h0m0s; it must be at least 4h30m0s"},
		"a Secret that is none":    {[]string{"--signing-key-secret=../x"}, nil, "--signing-key-secret=../x: must be the name of a Secret"},
		"client secrets":           {[]string{"--client-secrets"}, nil, ""},
		"injection":                {[]string{"--sidecar-image=lanyard:dev", "--issuer-url=https://lanyard-issuer.lanyard-system.svc"}, nil, ""},
		"no issuer of sidecars":    {[]string{"--sidecar-image=lanyard:dev"}, nil, "--issuer-url=: must be the issuer's URL"},
		"a plain issuer":           {[]string{"--issuer-url=http://x"}, nil, "--issuer-url=http://x: must be the issuer's URL"},
		"two images":               {[]string{"--sidecar-image=a b", "--issuer-url=https://x"}, nil, "--sidecar-image=a b: must be the name of an image"},
		"a pull policy of ours":    {[]string{"--sidecar-image-pull-policy=Sometimes"}, nil, "--sidecar-image-pull-policy=Sometimes: must be Always"},
		"a short assertion":        {[]string{"--assertion-lifetime=59m"}, nil, "--assertion-lifetime=59m0s: must be between 1h and 24h"},
		"several at once":          {[]string{"--log-level=loud", "--cluster-domain="}, nil, "--cluster-domain=:"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			o := parsed(t, test.args, test.env)
			switch err := o.Validate(); {
			case err == nil && test.want != "":
				t.Errorf("valid; want a message with %q", test.want)
			case err != nil && (test.want == "" || !strings.Contains(err.Error(), test.want)):
				t.Errorf("err = %v; want %q", err, test.want)
			}
		})
	}
}

func parsed(t *testing.T, args []string, env map[string]string) Options {
	t.Helper()
	var o Options
	flags := pflag.NewFlagSet("controller", pflag.ContinueOnError)
	o.AddFlags(flags)
	if err := flags.Parse(args); err != nil {
		t.Fatal(err)
	}
	o.Complete(func(name string) string { return env[name] })
	return o
}

func TestNamespaceIsThePodsUnlessGiven(t *testing.T) {
	for want, given := range map[string]struct {
		args []string
		env  map[string]string
	}{
		"lanyard-system": {},
		"of-the-pod":     {nil, map[string]string{"POD_NAMESPACE": "of-the-pod"}},
		"of-the-flag":    {[]string{"--namespace=of-the-flag"}, map[string]string{"POD_NAMESPACE": "of-the-pod"}},
	} {
		if got := parsed(t, given.args, given.env).Namespace; got != want {
			t.Errorf("namespace %q; want %q", got, want)
		}
	}
}
