package check

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strings"
	"time"

	certmanagerv1 "github.com/cert-manager/cert-manager/pkg/apis/certmanager/v1"
	cmmeta "github.com/cert-manager/cert-manager/pkg/apis/meta/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/lanyard-dev/lanyard/api/v1alpha1"
	"github.com/lanyard-dev/lanyard/cmd/kubectl-lanyard/internal/cli"
)

// soonExpired is when somebody should look at a certificate that is not renewed: later
// than cert-manager renews, which it does when a third of its life is left.
const soonExpired = 7 * 24 * time.Hour

func (p *probe) kinds() (section, error) {
	checks, err := p.installed("crd/bases/*.yaml", "Install the kinds: kubectl apply -k config/crd, or the whole with config/default.", established)
	return section{"Kinds", checks}, err
}

func (p *probe) admission() (section, error) {
	policies, err := p.installed("policies/*.yaml", "Install the policies: kubectl apply -k config/policies.", enforced)
	if err != nil {
		return section{}, err
	}
	webhooks, err := p.installed("webhook/*.yaml", "Install the webhooks: kubectl apply -k config/webhook.", trusted)
	if err != nil {
		return section{}, err
	}
	return section{"Admission", append(append(policies, webhooks...),
		check{"certificate of the webhooks", func(ctx context.Context) Result { return p.certificate(ctx, "lanyard-webhook") }},
		check{"address of the webhooks", p.webhookAddress},
		check{"admission answers", p.answers},
	)}, nil
}

// enforced judges a policy, or its binding.
func enforced(o object, _ time.Time) Result {
	warnings, _, _ := unstructured.NestedSlice(o, "status", "typeChecking", "expressionWarnings")
	if len(warnings) > 0 {
		return warn("Ask the API server: kubectl get validatingadmissionpolicy "+nameOf(o)+" -o yaml", "the API server finds %d of its expressions odd", len(warnings))
	}
	return ok("it is in force")
}

// trusted judges the CAs by which the API server trusts the webhooks.
func trusted(o object, now time.Time) Result {
	const hint = "cert-manager's CA injector writes it from the Certificate lanyard-webhook: does the injector run, and is that Certificate Ready?"
	webhooks, _, _ := unstructured.NestedSlice(o, "webhooks")
	for _, w := range webhooks {
		w, _ := w.(object)
		name, _ := w["name"].(string)
		bundle := bundleOf(w)
		if len(bundle) == 0 {
			return fail(hint, "%s has no caBundle, so the API server does not trust it", name)
		}
		if !anyValid(bundle, now) {
			return fail(hint, "the caBundle of %s has no certificate that is valid now", name)
		}
	}
	return ok("the API server trusts them")
}

// bundleOf are the certificates of a webhook's caBundle.
func bundleOf(webhook object) []*x509.Certificate {
	text, _, _ := unstructured.NestedString(webhook, "clientConfig", "caBundle")
	data, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		return nil
	}
	return certificates(data)
}

// certificates are those of a PEM text.
func certificates(data []byte) []*x509.Certificate {
	var all []*x509.Certificate
	for block, rest := pem.Decode(data); block != nil; block, rest = pem.Decode(rest) {
		if c, err := x509.ParseCertificate(block.Bytes); err == nil {
			all = append(all, c)
		}
	}
	return all
}

func anyValid(all []*x509.Certificate, now time.Time) bool {
	for _, c := range all {
		if !now.Before(c.NotBefore) && now.Before(c.NotAfter) {
			return true
		}
	}
	return false
}

// certificate looks at one that cert-manager makes for Lanyard itself.
func (p *probe) certificate(ctx context.Context, name string) Result {
	var c certmanagerv1.Certificate
	err := p.Get(ctx, types.NamespacedName{Namespace: p.lanyard, Name: name}, &c)
	if apierrors.IsNotFound(err) {
		return notSeen("there is no Certificate %s/%s: it is not made by cert-manager here", p.lanyard, name)
	}
	if r, done := unseen(err, "Certificates of namespace "+p.lanyard); done {
		return r
	}
	return judgeCertificate(&c, p.now())
}

func judgeCertificate(c *certmanagerv1.Certificate, now time.Time) Result {
	hint := fmt.Sprintf("Ask cert-manager why: kubectl -n %s describe certificate %s", c.Namespace, c.Name)
	ready, message := false, ""
	for _, condition := range c.Status.Conditions {
		if condition.Type == certmanagerv1.CertificateConditionReady {
			ready, message = condition.Status == cmmeta.ConditionTrue, ": "+condition.Message
		}
	}
	switch end := c.Status.NotAfter; {
	case end != nil && !now.Before(end.Time):
		return fail(hint, "it has expired %s", cli.When(end.Time, now))
	case !ready:
		return fail(hint, "it is not Ready%s", message)
	case end != nil && end.Sub(now) < soonExpired:
		return warn(hint, "it ends %s, and should have been renewed", cli.When(end.Time, now))
	case end != nil:
		return ok("it ends %s", cli.When(end.Time, now))
	}
	return ok("it is Ready")
}

// webhookAddress connects to the webhooks where they are given as a URL. Those of a
// Service can be reached by the API server alone.
func (p *probe) webhookAddress(ctx context.Context) Result {
	u := &unstructured.Unstructured{Object: object{"apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingWebhookConfiguration"}}
	err := p.Get(ctx, types.NamespacedName{Name: "lanyard"}, u)
	if apierrors.IsNotFound(err) {
		return notSeen("not looked at: there are no webhooks")
	}
	if r, done := unseen(err, "ValidatingWebhookConfigurations"); done {
		return r
	}
	webhooks, _, _ := unstructured.NestedSlice(u.Object, "webhooks")
	for _, w := range webhooks {
		w, _ := w.(object)
		address, _, _ := unstructured.NestedString(w, "clientConfig", "url")
		if address == "" {
			continue
		}
		return p.dial(ctx, address, bundleOf(w))
	}
	return ok("it is a Service, which the API server reaches (see below)")
}

func (p *probe) dial(ctx context.Context, address string, bundle []*x509.Certificate) Result {
	const hint = "Does the controller run, and can this address be reached from here and from the API server?"
	u, err := url.Parse(address)
	if err != nil {
		return unclear(err)
	}
	roots := x509.NewCertPool()
	for _, c := range bundle {
		roots.AddCert(c)
	}
	port := u.Port()
	if port == "" {
		port = "443"
	}
	d := tls.Dialer{Config: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}}
	connection, err := d.DialContext(ctx, "tcp", net.JoinHostPort(u.Hostname(), port))
	if err != nil {
		return fail(hint, "%s cannot be connected to: %v", u.Host, err)
	}
	defer connection.Close() //nolint:errcheck // nothing was written
	secured, isTLS := connection.(*tls.Conn)
	if !isTLS {
		return unclear(errors.New("no TLS connection"))
	}
	leaf := secured.ConnectionState().PeerCertificates[0]
	if leaf.NotAfter.Sub(p.now()) < time.Hour {
		return warn(hint, "the certificate of %s ends %s", u.Host, cli.When(leaf.NotAfter, p.now()))
	}
	return ok("%s shows a certificate that ends %s", u.Host, cli.When(leaf.NotAfter, p.now()))
}

// answers has the API server ask the webhooks, by a client that is not created.
func (p *probe) answers(ctx context.Context) Result {
	c := &v1alpha1.OAuthClient{
		ObjectMeta: metav1.ObjectMeta{Namespace: p.namespace, GenerateName: "lanyard-check-"},
		Spec: v1alpha1.OAuthClientSpec{Authentication: v1alpha1.ClientAuthentication{
			ServiceAccounts: []v1alpha1.ServiceAccountCredential{{Name: "default"}},
		}},
	}
	return judgeAnswer(p.Create(ctx, c, client.DryRunAll), p.namespace)
}

// judgeAnswer judges what came of creating a client with --dry-run=server. A refusal of
// the webhook is an answer too.
func judgeAnswer(err error, namespace string) Result {
	const hint = "While the webhooks do not answer, new objects of Lanyard's kinds are refused. Does the controller run, and is its Service reached?"
	switch {
	case err == nil:
		return ok("a client could be created in namespace %s (tried without creating it)", namespace)
	case strings.Contains(err.Error(), "denied the request"):
		return ok("it answers, and would refuse a client in namespace %s", namespace)
	case strings.Contains(err.Error(), "failed calling webhook"):
		return fail(hint, "the API server cannot ask the webhooks: %v", err)
	case apierrors.IsForbidden(err):
		return notSeen("not tried: you may not create clients in namespace %s; choose another with -n", namespace)
	case apierrors.IsNotFound(err):
		return notSeen("not tried: there is no namespace %s, or the kinds are not installed", namespace)
	}
	return unclear(err)
}
