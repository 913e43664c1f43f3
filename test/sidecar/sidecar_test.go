package sidecar

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	certmanagerv1 "github.com/cert-manager/cert-manager/pkg/apis/certmanager/v1"
	cmmeta "github.com/cert-manager/cert-manager/pkg/apis/meta/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/lanyard-dev/lanyard/api/v1alpha1"
	"github.com/lanyard-dev/lanyard/hack/cluster"
	"github.com/lanyard-dev/lanyard/sidecar/tokens"
	"github.com/lanyard-dev/lanyard/test/testenv"
)

// fresh is how soon a sidecar has tokens after what was in the way has gone.
const fresh = 30 * time.Second

func TestSidecar(t *testing.T) {
	s := newStage(t)
	t.Run("hands out a token, in every way", s.handsOut)
	t.Run("a certificate alone", s.certificateAlone)
	t.Run("renewal", s.renewal)
	t.Run("a certificate that is not pinned", s.unpinned)
	t.Run("suspension", s.suspension)
	t.Run("outage", s.outage)
	t.Run("footprint", s.footprint)
}

func (s *stage) handsOut(t *testing.T) {
	p := s.newPod(t)
	p.run(t, p.assertion(), "--expose-certificate")
	p.started(t)
	certificate := p.mount(t)
	a := p.boundTo(t, certificate)

	testenv.Eventually(t, func(context.Context) error { // files are written after the switch
		if got := p.read(t, "tokens/orders"); got != a.AccessToken {
			return errors.New("tokens/orders holds another token")
		}
		return p.paired(tokens.Thumbprint(certificate))
	})
	if got, err := p.library(t.Context()); err != nil || got != a.AccessToken {
		t.Errorf("a library that insists on credentials got another token, %v", err)
	}
	if out, err := p.probe(t.Context()); err != nil {
		t.Errorf("the startup probe says %v: %s", err, out)
	}
	page, err := fetch(t.Context(), p.ops+"/metrics", nil)
	check(t, err)
	for what, text := range map[string]string{"the log": p.sidecar.Log(t), "the metrics": page} {
		if strings.Contains(text, a.AccessToken[len(a.AccessToken)-40:]) {
			t.Errorf("the token is in %s", what)
		}
	}
	p.endsSoon(t)
}

// endsSoon stops the sidecar, which passes nothing on. A machine on which much else runs is late now
// and then: the best of a few counts.
func (p *pod) endsSoon(t *testing.T) {
	t.Helper()
	const soon, tries = 2 * time.Second, 5
	for try := 1; ; try++ {
		ending := time.Now()
		p.sidecar.Stop(t)
		took := time.Since(ending)
		if took <= soon {
			return
		}
		if try == tries {
			t.Fatalf("it ended after %s, and after more than %s each of %d times", took, soon, tries)
		}
		p.sidecar.Start(t)
		p.started(t)
	}
}

// certificateAlone is the sidecar as a plain process: no pod, no service account.
func (s *stage) certificateAlone(t *testing.T) {
	p := s.newPod(t, func(c *v1alpha1.OAuthClient) {
		c.Spec.Authentication = v1alpha1.ClientAuthentication{Certificate: &v1alpha1.CertificateCredential{Methods: []v1alpha1.CertificateMethod{"tls_client_auth"}}}
	})
	p.run(t)
	p.started(t)
	p.boundTo(t, p.mount(t))
}

const switches = "lanyard_sidecar_certificate_switches_total"

// renewal: while the app asks all the time, what it gets always belongs together.
func (s *stage) renewal(t *testing.T) {
	p := s.newPod(t)
	p.run(t, p.assertion(), "--expose-certificate")
	p.started(t)
	old := p.mount(t)
	p.boundTo(t, old)

	ctx, stop := context.WithCancel(t.Context())
	faults, asked := make(chan error, 1), 0
	go func() {
		defer close(faults)
		for ctx.Err() == nil {
			_, err := p.token(ctx)
			if err = errors.Join(err, p.paired("")); err != nil && ctx.Err() == nil {
				faults <- err
				return
			}
			asked++
		}
	}()
	before, err := p.metric(t.Context(), switches)
	check(t, err)
	p.renew(t)
	testenv.Eventually(t, func(ctx context.Context) error {
		secret, err := p.secret(ctx)
		if err != nil {
			return err
		}
		if pair, err := tls.X509KeyPair(secret.Data["tls.crt"], secret.Data["tls.key"]); err != nil || tokens.Thumbprint(&pair) == tokens.Thumbprint(old) {
			return fmt.Errorf("the Secret holds the old certificate: %w", err)
		}
		return nil
	})
	p.pinned(t)
	renewed := p.mount(t)
	p.boundTo(t, renewed)
	testenv.Eventually(t, func(context.Context) error { return p.paired(tokens.Thumbprint(renewed)) })
	stop()
	for err := range faults {
		t.Error(err)
	}
	t.Logf("asked %d times meanwhile", asked)
	testenv.Eventually(t, func(ctx context.Context) error {
		if got, err := p.metric(ctx, switches); before != "0" || got != "1" {
			return fmt.Errorf("switches: %s, then %s %w", before, got, err)
		}
		return nil
	})
}

// unpinned: a certificate that the issuer does not accept changes nothing.
func (s *stage) unpinned(t *testing.T) {
	p := s.newPod(t)
	p.run(t, p.assertion())
	p.started(t)
	good := p.mount(t)
	p.boundTo(t, good)
	other := t.TempDir()
	_, err := cluster.ServingCertificate(other, "tls")
	check(t, err)
	for _, f := range []string{"tls.crt", "tls.key"} {
		text, err := os.ReadFile(filepath.Join(other, f))
		check(t, err)
		check(t, os.WriteFile(filepath.Join(p.volume, "..data", f), text, 0o600))
	}
	testenv.Eventually(t, func(ctx context.Context) error {
		if !strings.Contains(p.sidecar.Log(t), "the old ones stay in use") {
			return errors.New("nothing is said of it")
		}
		pending, err := p.metric(ctx, "lanyard_sidecar_certificate_pending")
		if err == nil && pending != "1" {
			err = errors.New("it is not pending")
		}
		return err
	})
	p.boundTo(t, good)
	p.boundTo(t, p.mount(t))
}

// suspension: the sidecar says what the issuer answers, and recovers by itself.
func (s *stage) suspension(t *testing.T) {
	p := s.newPod(t, func(c *v1alpha1.OAuthClient) { c.Spec.Suspend = true })
	p.run(t, p.assertion())
	testenv.Eventually(t, func(ctx context.Context) error {
		out, err := p.probe(ctx)
		if err == nil || !strings.Contains(out, "the issuer refuses a token for "+p.identifier+" with number 20001: invalid_client") {
			return fmt.Errorf("it says %q, %w", out, err)
		}
		return nil
	})
	if _, err := p.token(t.Context()); err == nil || !strings.Contains(err.Error(), "20001") {
		t.Errorf("the app is told %v", err)
	}
	testenv.Eventually(t, func(context.Context) error {
		if !strings.Contains(p.sidecar.Log(t), "20001") {
			return errors.New("the log does not say it")
		}
		return nil
	})
	change(t, s, p.oauth, func(c *v1alpha1.OAuthClient) { c.Spec.Suspend = false })
	within(t, "resumed", fresh, func(ctx context.Context) error { _, err := p.token(ctx); return err })
}

// outage: without the issuer the token in hand is served; a sidecar that has none waits,
// and has one soon after the issuer is back.
func (s *stage) outage(t *testing.T) {
	p := s.newPod(t)
	p.run(t, p.assertion())
	p.started(t)
	s.issuer.Stop(t)
	if _, err := p.token(t.Context()); err != nil {
		t.Errorf("the token in hand is not served: %v", err)
	}
	p.sidecar.Stop(t)
	p.sidecar.Start(t)
	testenv.Eventually(t, func(ctx context.Context) error {
		out, err := p.probe(ctx)
		if err == nil || !strings.Contains(out, "cannot be reached") {
			return fmt.Errorf("it says %q, %w", out, err)
		}
		return nil
	})
	s.issuer.Start(t)
	s.issuer.Ready(t)
	within(t, "fresh after the outage", fresh, func(ctx context.Context) error { _, err := p.token(ctx); return err })
}

// renew has cert-manager renew the certificate, as cmctl renew does.
func (p *pod) renew(t *testing.T) {
	t.Helper()
	c := &certmanagerv1.Certificate{ObjectMeta: p.meta(name)}
	testenv.Eventually(t, func(ctx context.Context) error {
		if err := p.env.Client.Get(ctx, client.ObjectKeyFromObject(c), c); err != nil {
			return err
		}
		now := metav1.Now()
		c.Status.Conditions = append(slices.DeleteFunc(c.Status.Conditions, func(x certmanagerv1.CertificateCondition) bool {
			return x.Type == certmanagerv1.CertificateConditionIssuing
		}), certmanagerv1.CertificateCondition{
			Type: certmanagerv1.CertificateConditionIssuing, Status: cmmeta.ConditionTrue, Reason: "ManuallyTriggered",
			Message: "renewed by hand", LastTransitionTime: &now, ObservedGeneration: c.Generation,
		})
		return p.env.Client.Status().Update(ctx, c)
	})
}

// TestRefusesStrangersAtTheEndpoint shows at the real port what a page in a browser, a
// proxy, or a URL that somebody else chose gets.
func TestRefusesStrangersAtTheEndpoint(t *testing.T) {
	dir := t.TempDir()
	_, err := cluster.ServingCertificate(dir, "tls")
	check(t, err)
	s := &stage{dir: dir, issuer: &testenv.Issuer{URL: "https://127.0.0.1:1", CAFile: filepath.Join(dir, "tls-ca.crt")}}
	p := &pod{stage: s, namespace: "shop", identifier: "api://orders", volume: s.dir}
	p.run(t)
	testenv.Eventually(t, func(ctx context.Context) error {
		_, err := fetch(ctx, p.ops+"/healthz", nil)
		return err
	})
	for what, header := range map[string]http.Header{
		"without Metadata":     {},
		"with X-Forwarded-For": {"Metadata": {"true"}, "X-Forwarded-For": {"192.0.2.1"}},
		"with an Origin":       {"Metadata": {"true"}, "Origin": {"http://evil.example"}},
	} {
		if _, err := fetch(t.Context(), p.base+"/token?resource="+p.identifier, header); err == nil || !strings.Contains(err.Error(), "invalid_request") {
			t.Errorf("%s: %v", what, err)
		}
	}
	u, err := url.Parse(p.base)
	check(t, err)
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, p.base+"/token?resource="+p.identifier, http.NoBody)
	check(t, err)
	req.Host, req.Header = "rebound.example:"+u.Port(), http.Header{"Metadata": {"true"}}
	resp, err := http.DefaultClient.Do(req)
	check(t, err)
	check(t, resp.Body.Close())
	if resp.StatusCode != http.StatusForbidden {
		t.Errorf("with another Host: %s", resp.Status)
	}
}
