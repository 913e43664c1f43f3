package plugin

import (
	"context"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/lanyard-dev/lanyard/api/v1alpha1"
	"github.com/lanyard-dev/lanyard/test/testenv"
)

// TestWithIssuer is for the commands that ask the issuer.
func TestWithIssuer(t *testing.T) {
	i := startIssuer(t)
	t.Run("token", i.token)
	t.Run("inspect", i.inspect)
	t.Run("check", i.check)
}

func (i *issuer) token(t *testing.T) {
	w := newWorld(t, "token")
	w.approve(t)
	certificate, key := w.pair(t)
	ask := func(more ...string) []string {
		return i.flags(append([]string{"token", w.shop + "/checkout", "--resource", w.resource.Spec.Identifier}, more...)...)
	}
	full := ask("--cert", certificate, "--key", key)

	t.Run("without its certificate", func(t *testing.T) {
		run(t, w.carol, ask()...).exits(t, 1).says(t, "--cert FILE").says(t, "Secret checkout-mtls")
	})
	t.Run("of a client that is not there", func(t *testing.T) {
		run(t, w.carol, "token", w.shop+"/nobody").exits(t, 1).says(t, "there is no client")
	})
	t.Run("of a stranger", func(t *testing.T) {
		run(t, w.mallory, full...).exits(t, 1).says(t, "lanyard-view")
	})
	t.Run("while no pod lives", func(t *testing.T) {
		run(t, w.carol, full...).exits(t, 1).says(t, "no pod runs as the service account")
	})
	w.pod(t, "checkout", "checkout-1")
	t.Run("of somebody who only sees", func(t *testing.T) {
		run(t, w.vera, full...).exits(t, 1).says(t, "you may not create tokens for the service account").says(t, "serviceaccounts/token")
	})
	t.Run("where the issuer cannot be reached", func(t *testing.T) {
		run(t, w.carol, "token", w.shop+"/checkout", "--cert", certificate, "--key", key).exits(t, 1).says(t, "cannot be reached from here").says(t, "--connect-to")
		run(t, w.carol, "token", w.shop+"/checkout", "--cert", certificate, "--key", key, "--connect-to", i.Address).exits(t, 1).says(t, "--issuer-ca FILE")
	})

	var token string
	t.Run("is given", func(t *testing.T) {
		o := w.eventually(t, full...)
		token = strings.TrimSpace(o.stdout)
		shown := o
		shown.args = []string{"token", "checkout", "--resource", w.resource.Spec.Identifier, "--cert", "tls.crt", "--key", "tls.key"}
		shown.stdout = "<token>\n"
		shown.golden(t, "token")
		leavesNothing(t, o, token)
		run(t, w.carol, "inspect", "--cert", certificate, token).succeeds(t)
	})
	t.Run("as the issuer's answer", func(t *testing.T) {
		o := run(t, w.carol, append(full, "-o", "json", "--scope", "Orders.Read.All", "--pod", "checkout-1")...).succeeds(t)
		var answer struct {
			AccessToken string `json:"access_token"`
			ExpiresIn   int    `json:"expires_in"`
			Scope       string `json:"scope"`
		}
		check(t, json.Unmarshal([]byte(o.stdout), &answer))
		if answer.AccessToken == "" || answer.ExpiresIn == 0 || answer.Scope != w.resource.Spec.Identifier+"/Orders.Read.All" {
			t.Errorf("the answer is %s", o.stdout)
		}
	})
	t.Run("of a role that is not granted", func(t *testing.T) {
		o := run(t, w.carol, append(full, "--scope", "Orders.Write.All")...)
		o.exits(t, 1).says(t, "number 30001").says(t, "kubectl lanyard why").says(t, "trace id")
		leavesNothing(t, o, token)
	})
	t.Run("of a client without service accounts", func(t *testing.T) {
		c := &v1alpha1.OAuthClient{}
		c.Namespace, c.Name = w.shop, "legacy"
		c.Spec.TokenBinding = v1alpha1.TokenBindingNone
		c.Spec.Authentication.Certificate = &v1alpha1.CertificateCredential{Methods: []v1alpha1.CertificateMethod{v1alpha1.MethodPrivateKeyJWT}}
		create(t, c)
		run(t, w.carol, "token", w.shop+"/legacy").exits(t, 1).says(t, "lists no service account")
	})
	t.Run("of a client that is suspended", func(t *testing.T) {
		suspended := w.client.DeepCopy()
		suspended.Spec.Suspend = true
		check(t, env.Client.Patch(t.Context(), suspended, client.MergeFrom(w.client)))
		testenv.Eventually(t, func(context.Context) error {
			//nolint:contextcheck // the program runs in the test's own
			if o := run(t, w.carol, full...); o.code != 1 || !strings.Contains(o.stderr, "number 20001") {
				return fmt.Errorf("it is not refused: %s", o.text())
			}
			return nil
		})
	})
}

// eventually runs the program as carol until it succeeds: the issuer hears of what was declared a
// moment later.
func (w *world) eventually(t *testing.T, args ...string) (o outcome) {
	t.Helper()
	testenv.Eventually(t, func(context.Context) error {
		//nolint:contextcheck // the program runs in the test's own
		if o = run(t, w.carol, args...); o.code != 0 {
			return fmt.Errorf("exit code %d:\n%s", o.code, o.text())
		}
		return nil
	})
	return o
}

// leavesNothing checks that neither tokens nor keys are in what is said beside the token,
// and that the program wrote no file.
func leavesNothing(t *testing.T, o outcome, token string) {
	t.Helper()
	secrets := map[string]string{"a token": "eyJ", "a key": "PRIVATE KEY"}
	if token != "" {
		secrets["the signature of the token"] = token[strings.LastIndex(token, ".")+1:]
	}
	for name, secret := range secrets {
		if strings.Contains(o.stderr, secret) {
			t.Errorf("%s is on standard error:\n%s", name, o.stderr)
		}
	}
	err := filepath.WalkDir(o.home, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		t.Errorf("it wrote %s:\n%s", path, data)
		return err
	})
	check(t, err)
}
