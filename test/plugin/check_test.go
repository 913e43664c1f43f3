package plugin

import (
	"encoding/json"
	"os"
	"regexp"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/lanyard-dev/lanyard/test/testenv"
)

// Keys are as many as were rotated by other tests, and the API server is of the version
// that was built.
var (
	keys    = regexp.MustCompile(`\d+ keys? (is|are) published`)
	version = regexp.MustCompile(`it is v1\.\S+`)
)

func (i *issuer) check(t *testing.T) {
	w := newWorld(t, "check")
	admin := env.Kubeconfig(t, "admin", "system:masters")
	steady := func(o outcome, args ...string) outcome {
		o.args = append([]string{"check"}, args...)
		o.stdout = version.ReplaceAllString(keys.ReplaceAllString(o.stdout, "<n> keys are published"), "it is <version>")
		return o
	}

	root, err := os.ReadFile(i.CAFile)
	check(t, err)
	create(t, &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: w.shop, Name: "lanyard-ca"}, Data: map[string]string{"ca.crt": string(root)}})
	w.notInjected(t, "by-hand")

	t.Run("as somebody who sees a namespace", func(t *testing.T) {
		o := run(t, w.vera, i.flags("check", "-n", w.shop)...)
		leavesNothing(t, o, "")
		steady(o, "-n", w.shop).succeeds(t).golden(t, "check-view")
	})
	t.Run("as the administrator", func(t *testing.T) {
		o := run(t, admin, i.flags("check", "-n", w.shop, "-o", "json")...).succeeds(t)
		leavesNothing(t, o, "")
		found := map[string]string{}
		var report struct {
			Healthy  bool
			Sections []struct {
				Checks []struct{ Name, Verdict, Found string }
			}
		}
		check(t, json.Unmarshal([]byte(o.stdout), &report))
		for _, s := range report.Sections {
			for _, c := range s.Checks {
				found[c.Name] = c.Verdict + ": " + c.Found
			}
		}
		for name, want := range map[string]string{
			"API server":                    `^ok: it is v1\.`,
			"clock of the API server":       `^ok: `,
			"cert-manager":                  `^ok: `,
			"kind oauthclients.lanyard.dev": `^ok: it is established$`,
			"policy lanyard-status":         `^ok: it is in force$`,
			"mutating webhooks lanyard":     `^ok: the API server trusts them$`,
			"validating webhooks lanyard":   `^ok: the API server trusts them$`,
			"address of the webhooks":       `^ok: .* shows a certificate that ends in `,
			"admission answers":             `^ok: a client could be created`,
			"controller":                    `^warn: it is not run as a Deployment here`,
			"address":                       `^ok: https://lanyard-issuer.lanyard-system.svc answers$`,
			"discovery":                     `^ok: `,
			"token endpoint":                `^ok: it is there$`,
			"signing keys":                  `^ok: \d+ keys? (is|are) published, for \[ES256\]$`,
			"rotation of keys":              `^ok: another key signs in `,
			"clock of the issuer":           `^ok: it agrees with the one here and with that of the API server$`,
			"approve and deny":              `^ok: yes$`,
			"CAs of clients":                `^ok: issuers of cert-manager in use: 1`,
			"policy lanyard-mark":           `^ok: it is in force$`,
			"images of the sidecar":         `^(ok: pods get one of 1|warn: .* names the issuer)`,
			"roots of the issuer":           `^ok: ConfigMap shop-check/lanyard-ca, which is not Lanyard's, holds 1$`,
			"pods of namespace shop-check":  `^warn: 1 of 1 that ask for the sidecar have none: by-hand$`,
		} {
			if !regexp.MustCompile(want).MatchString(found[name]) {
				t.Errorf("%s: %q, want %s", name, found[name], want)
			}
		}
		if !report.Healthy {
			t.Errorf("it is not healthy:\n%s", o.text())
		}
	})
	t.Run("without a way to the issuer", func(t *testing.T) {
		run(t, w.vera, "check", "-n", w.shop).succeeds(t).says(t, "cannot be reached from here").says(t, "port-forward")
		run(t, w.vera, "check", "-n", w.shop, "--issuer", testenv.IssuerURL).exits(t, 1).says(t, "× address")
	})
	t.Run("while the webhooks are down", func(t *testing.T) {
		env.Controller.Kill()
		defer func() { check(t, env.Controller.Start(t.Context())) }()
		o := run(t, admin, i.flags("check", "-n", w.shop)...).exits(t, 1)
		o.says(t, "× address of the webhooks").says(t, "× admission answers: the API server cannot ask the webhooks").says(t, "Lanyard is not healthy.")
	})
	t.Run("without the policies", func(t *testing.T) {
		env.Kubectl(t, "delete", "-f", "config/policies/who-decided.yaml")
		defer env.Kubectl(t, "apply", "-f", "config/policies/who-decided.yaml")
		run(t, admin, i.flags("check", "-n", w.shop)...).exits(t, 1).says(t, "× policy lanyard-who-decided: there is no ValidatingAdmissionPolicy lanyard-who-decided")
	})
	t.Run("before installing", func(t *testing.T) {
		run(t, admin, "check", "--pre").succeeds(t).says(t, "Lanyard's kinds are installed already")
		steady(run(t, w.carol, "check", "--pre"), "--pre").exits(t, 1).golden(t, "check-pre")
	})
}
