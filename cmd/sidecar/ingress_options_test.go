package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/pflag"
	"sigs.k8s.io/yaml"

	"github.com/lanyard-dev/lanyard/sidecar/ingress"
)

const goodIngress = "--issuer=https://issuer.example --audience=api://orders --rules=rules.yaml --tls-cert=tls.crt --tls-key=tls.key"

func parseIngress(t *testing.T, args string) error {
	t.Helper()
	var o IngressOptions
	flags := pflag.NewFlagSet("ingress", pflag.ContinueOnError)
	o.AddFlags(flags)
	if err := flags.Parse(strings.Fields(args)); err != nil {
		t.Fatal(err)
	}
	return o.Validate()
}

func TestRefusesIngressFlags(t *testing.T) {
	for name, test := range map[string]struct{ args, want string }{
		"good":                           {goodIngress, ""},
		"a proxy that asks on loopback":  {goodIngress + " --auth-request-listen=127.0.0.1:9469 --proxy=nginx", ""},
		"a proxy that asks, alone":       {"--rules=rules.yaml --listen= --auth-request-listen=unix:/run/auth.sock --proxy=envoy", ""},
		"a proxy that asks from outside": {goodIngress + " --auth-request-listen=:9469 --proxy=nginx --client-cert-proxy-ca=ca.crt --client-cert-proxy-name=proxy", ""},
		"nothing to do":                  {goodIngress + " --listen=", "--listen=: there is nothing to do"},
		"no certificate":                 {"--rules=rules.yaml", "--tls-cert and --tls-key"},
		"no rules":                       {goodIngress + " --rules=", "--rules=: must name a file"},
		"an app elsewhere":               {goodIngress + " --forward=http://10.0.0.1:8080", "--forward=http://10.0.0.1:8080"},
		"another proxy":                  {goodIngress + " --proxy=squid", "must be nginx, haproxy or envoy"},
		"no kind of proxy":               {goodIngress + " --auth-request-listen=127.0.0.1:9469", "--proxy=: must be"},
		"no name of proxies":             {goodIngress + " --proxy=nginx --client-cert-proxy-ca=ca.crt", "--client-cert-proxy-name; give both"},
		"strangers who may ask":          {goodIngress + " --proxy=nginx --auth-request-listen=:9469", "claim any certificate"},
		"strangers by a name":            {goodIngress + " --proxy=nginx --auth-request-listen=localhost.example:9469", "claim any certificate"},
		"no connections":                 {goodIngress + " --max-connections=0", "at least 1"},
		"a long delay":                   {goodIngress + " --shutdown-delay=2m", "between 0 and 1m"},
		"another level":                  {goodIngress + " --log-level=trace", "debug, info, warn or error"},
	} {
		t.Run(name, func(t *testing.T) {
			err := parseIngress(t, test.args)
			if (err == nil) != (test.want == "") || err != nil && !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want %q", err, test.want)
			}
		})
	}
}

// The files of docs/apis.md that no other test runs.
func TestDocumentedIngressIsValid(t *testing.T) {
	read := func(name string) string {
		t.Helper()
		text, err := os.ReadFile(filepath.Join("..", "..", "docs", name))
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	text, _, _ := strings.Cut(read("apis/deployment.yaml"), "\n---\n")
	var deployment struct {
		Spec struct {
			Template struct {
				Spec struct {
					InitContainers []struct{ Command, Args []string }
				}
			}
		}
	}
	if err := yaml.Unmarshal([]byte(text), &deployment); err != nil {
		t.Fatal(err)
	}
	container := deployment.Spec.Template.Spec.InitContainers[0]
	if got := strings.Join(container.Command, " "); got != "/lanyard-sidecar ingress" {
		t.Errorf("deployment.yaml runs %s", got)
	}
	if err := parseIngress(t, strings.Join(container.Args, " ")); err != nil {
		t.Errorf("deployment.yaml: %v", err)
	}
	if err := yaml.Unmarshal([]byte(read("apis/envoy.yaml")), new(map[string]any)); err != nil {
		t.Errorf("envoy.yaml: %v", err)
	}
	_, rules, _ := strings.Cut(read("apis/rules.yaml"), "\n") // after the comment
	if _, err := ingress.ParseRules([]byte(rules)); err != nil {
		t.Errorf("rules.yaml: %v", err)
	}
	if !strings.Contains(read("apis.md"), "```yaml\n"+rules+"```") {
		t.Error("apis.md shows other rules than rules.yaml has")
	}
}
