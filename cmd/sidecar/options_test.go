package main

import (
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/pflag"
)

// parse reads flags as the program does.
func parse(t *testing.T, env string, args ...string) *Options {
	t.Helper()
	var o Options
	flags := pflag.NewFlagSet("sidecar", pflag.ContinueOnError)
	o.AddFlags(flags)
	if err := flags.Parse(args); err != nil {
		t.Fatal(err)
	}
	o.Complete(func(name string) string {
		if name == configEnv {
			return env
		}
		return ""
	})
	return &o
}

func TestFlagsThatAreWrongAreNamed(t *testing.T) {
	good := []string{"--issuer=https://issuer.example", "--client-id=shop/checkout", "--cert=a", "--key=b"}
	for name, test := range map[string]struct {
		args []string
		env  string
		want string // empty: nothing is wrong
	}{
		"a certificate alone":             {good, "", ""},
		"an assertion alone":              {[]string{"--issuer=https://issuer.example:8443", "--assertion-file=a"}, "", ""},
		"IPv6":                            {append(good, "--listen=[::1]:9466"), "", ""},
		"nothing":                         {nil, "", "--issuer=: must be https://"},
		"a plain issuer":                  {append(good, "--issuer=http://issuer.example"), "", "--issuer=http://issuer.example"},
		"an issuer with a path":           {append(good, "--issuer=https://issuer.example/oauth2"), "", "without path"},
		"no credentials":                  {good[:2], "", "something has to authenticate"},
		"no key":                          {good[:3], "", "--key=: belongs to --cert"},
		"no certificate":                  {append(good[:2:2], "--key=b"), "", "--cert=: belongs to --key"},
		"no client":                       {append(good[:1:1], good[2:]...), "", "--client-id=: must be given"},
		"an endpoint for everybody":       {append(good, "--listen=0.0.0.0:9466"), "", "--listen=0.0.0.0:9466: must be on loopback"},
		"an endpoint for everybody, too":  {append(good, "--listen=:9466"), "", "must be on loopback"},
		"an endpoint by name":             {append(good, "--listen=localhost:9466"), "", "must be on loopback"},
		"files that everybody can change": {append(good, "--file-mode=0666"), "", "--file-mode=0666: must be 0400, 0440 or 0444"},
		"nothing to expose":               {[]string{"--issuer=https://issuer.example", "--assertion-file=a", "--expose-certificate"}, "", "needs --cert and --key"},
		"nowhere to expose it":            {append(good, "--expose-certificate", "--directory="), "", "needs --directory"},
		"two configurations":              {append(good, "--config=x"), "resources: []", "give one of the two"},
		"another level":                   {append(good, "--log-level=debug-8"), "", "--log-level=debug-8"},
	} {
		t.Run(name, func(t *testing.T) {
			err := parse(t, test.env, test.args...).Validate()
			if (err == nil) != (test.want == "") || err != nil && !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestTheConfigurationComesFromAFileOrTheEnvironment(t *testing.T) {
	const yaml = "resources: [{name: orders, identifier: 'api://orders'}]"
	file := filepath.Join(t.TempDir(), "config.yaml")
	if err := os.WriteFile(file, []byte(yaml), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, o := range map[string]*Options{"file": parse(t, "", "--config="+file), "environment": parse(t, yaml)} {
		if s, err := o.settings(); err != nil || len(s.Resources) != 1 {
			t.Errorf("%s: %+v, %v", name, s, err)
		}
	}
	if _, err := parse(t, "resource: []").settings(); err == nil || !strings.Contains(err.Error(), "$LANYARD_CONFIG") {
		t.Errorf("got %v", err)
	}
	if s, err := parse(t, "").settings(); err != nil || len(s.Resources) != 0 {
		t.Errorf("none: %+v, %v", s, err)
	}
}

func TestTheProbeSaysWhyNot(t *testing.T) {
	status := http.StatusServiceUnavailable
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(status)
		_, _ = io.WriteString(w, r.URL.Path+" waits\n")
	}))
	defer server.Close()
	flag := "--metrics-listen=" + strings.TrimPrefix(server.URL, "http://")
	var out strings.Builder
	if code := started([]string{flag}, &out); code != 1 || out.String() != "/startedz waits\n" {
		t.Errorf("%d %q", code, out.String())
	}
	status = http.StatusOK
	if code := started([]string{flag}, &out); code != 0 {
		t.Errorf("%d %q", code, out.String())
	}
	if code := started([]string{"--metrics-listen=9467"}, &out); code != 2 {
		t.Errorf("%d %q", code, out.String())
	}
}

// Outside a pod no mount is the boundary: the machine has other users.
func TestRefusesOthersTheFilesUnlessAModeLetsThem(t *testing.T) {
	for said, want := range map[string]os.FileMode{"": 0o400, "--file-mode=0440": 0o440, "--file-mode=0444": 0o444} {
		args := []string{"--issuer=https://issuer.example", "--client-id=shop/checkout", "--cert=a", "--key=b"}
		if said != "" {
			args = append(args, said)
		}
		if mode, err := parse(t, "", args...).mode(); err != nil || mode != want {
			t.Errorf("%q: %v, %v; want %v", said, mode, err, want)
		}
	}
}
