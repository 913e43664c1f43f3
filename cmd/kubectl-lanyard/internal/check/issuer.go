package check

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/lanyard-dev/lanyard/api/v1alpha1"
	"github.com/lanyard-dev/lanyard/cmd/kubectl-lanyard/internal/access"
	"github.com/lanyard-dev/lanyard/cmd/kubectl-lanyard/internal/cli"
	"github.com/lanyard-dev/lanyard/issuer/jose"
	"github.com/lanyard-dev/lanyard/issuer/oauth"
)

func (p *probe) issuer() section {
	return section{"Issuer", []check{
		{"address", p.address},
		{"certificate", p.issuerCertificate},
		{"discovery", p.discovery},
		{"token endpoint", p.tokenEndpoint},
		{"signing keys", p.signingKeys},
		{"rotation of keys", p.rotation},
		{"clock of the issuer", p.issuerClocks},
	}}
}

// notLooked is the result of what cannot be looked at while the issuer does not answer,
// which the check of its address tells.
func notLooked() Result { return notSeen("not looked at: the issuer does not answer") }

func (p *probe) address(context.Context) Result {
	h, err := p.metadata()
	if unreachable, is := errors.AsType[*access.UnreachableError](err); is {
		if p.where.Guessed {
			// A name of the cluster: that it is not known outside is no fault of anybody's.
			return warn(unreachable.Hint, "%s", unreachable.Found)
		}
		return fail(unreachable.Hint, "%s", unreachable.Found)
	}
	if err != nil {
		return unclear(err)
	}
	if h.Status >= http.StatusInternalServerError {
		return fail("It is not ready: look at its pods and their log.", "%s answers %d", p.where.URL, h.Status)
	}
	return ok("%s answers", p.where.URL)
}

// issuerCertificate judges the certificate that the issuer shows, or where it cannot be
// reached the one that cert-manager made.
func (p *probe) issuerCertificate(ctx context.Context) Result {
	made := p.certificate(ctx, issuerName)
	h, err := p.metadata()
	if err != nil || h.TLS == nil || len(h.TLS.PeerCertificates) == 0 {
		return made
	}
	left := h.TLS.PeerCertificates[0].NotAfter
	shown := ok("the one that it shows ends %s", cli.When(left, p.now()))
	if left.Sub(p.now()) < time.Hour/2 {
		shown = warn("The issuer reads a renewed one by itself; was it renewed?", "the one that it shows ends %s", cli.When(left, p.now()))
	}
	if made.Verdict == Fail {
		return made
	}
	return shown
}

// metadata is what is read of the issuer's (RFC 8414).
type metadata struct {
	Issuer        string           `json:"issuer"`
	Token         string           `json:"token_endpoint"`
	Introspection string           `json:"introspection_endpoint"`
	Revocation    string           `json:"revocation_endpoint"`
	Keys          string           `json:"jwks_uri"`
	Algorithms    []jose.Algorithm `json:"id_token_signing_alg_values_supported"`
}

func (p *probe) discovery(context.Context) Result {
	h, err := p.metadata()
	if err != nil {
		return notLooked()
	}
	return judgeMetadata(h.Status, h.Body, p.where.URL)
}

func judgeMetadata(status int, body []byte, url string) Result {
	const hint = "Is --issuer right, and does the issuer's --issuer-url say the same?"
	var m metadata
	if err := json.Unmarshal(body, &m); err != nil || status != http.StatusOK {
		return fail(hint, "what answers at %s is no issuer: it says %d at %s", url, status, access.MetadataPath)
	}
	if m.Issuer != url {
		return fail(hint, "the issuer calls itself %q and not %q (RFC 8414 section 3.3); clients and APIs compare the two", m.Issuer, url)
	}
	for _, e := range []struct{ name, url string }{
		{"token_endpoint", m.Token}, {"introspection_endpoint", m.Introspection}, {"revocation_endpoint", m.Revocation}, {"jwks_uri", m.Keys},
	} {
		if !strings.HasPrefix(e.url, url+"/") {
			return fail(hint, "its %s is %q, which does not lead to it", e.name, e.url)
		}
	}
	return ok("it calls itself what it is called, and its endpoints lead to it")
}

// tokenEndpoint asks the token endpoint in a way that it refuses by name.
func (p *probe) tokenEndpoint(ctx context.Context) Result {
	if _, err := p.metadata(); err != nil {
		return notLooked()
	}
	answer, err := p.where.Get(ctx, access.TokenPath)
	if err != nil {
		return unclear(err)
	}
	var body struct {
		Codes []oauth.Number `json:"error_codes"`
	}
	if json.Unmarshal(answer.Body, &body) == nil && slices.Contains(body.Codes, oauth.ErrWrongMethod) {
		return ok("it is there")
	}
	return fail("Does a proxy stand before the issuer? It must pass on what is sent there.", "%s answers %d, and not as Lanyard does", access.TokenPath, answer.Status)
}

func (p *probe) signingKeys(context.Context) Result {
	m, err := p.metadata()
	if err != nil {
		return notLooked()
	}
	h, err := p.keys()
	if err != nil {
		return unclear(err)
	}
	var announced metadata
	_ = json.Unmarshal(m.Body, &announced) // discovery tells of it
	return judgeKeys(h.Status, h.Body, announced.Algorithms)
}

func judgeKeys(status int, body []byte, announced []jose.Algorithm) Result {
	const hint = "The controller makes the keys, in Secret " + cli.SigningKeySecret + "; look at its log and at the events of the Secret."
	if status != http.StatusOK {
		return fail(hint, "the issuer answers %d at %s", status, access.KeysPath)
	}
	keys, err := jose.ParseJWKS(body)
	if err != nil {
		return fail(hint, "the key set cannot be read: %v", err)
	}
	if len(keys) == 0 {
		return fail(hint, "there is no key in it")
	}
	var served []jose.Algorithm
	for _, k := range keys {
		served = append(served, k.Algorithms...)
	}
	slices.Sort(served)
	served = slices.Compact(served)
	for _, a := range announced {
		if !slices.Contains(served, a) {
			return warn(hint, "discovery announces %s, and there is no key for it", a)
		}
	}
	noun := "keys are"
	if len(keys) == 1 {
		noun = "key is"
	}
	return ok("%d %s published, for %v", len(keys), noun, served)
}

// rotation reads the metadata of the Secret with the signing keys, never the Secret.
func (p *probe) rotation(ctx context.Context) Result {
	secret := &metav1.PartialObjectMetadata{TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Secret"}}
	err := p.Get(ctx, types.NamespacedName{Namespace: p.lanyard, Name: cli.SigningKeySecret}, secret)
	if apierrors.IsForbidden(err) {
		return notSeen("not looked at: only who may read the Secret %s sees when they rotate", cli.SigningKeySecret)
	}
	if apierrors.IsNotFound(err) {
		return fail("The controller makes it; look at its log.", "there is no Secret %s/%s with signing keys", p.lanyard, cli.SigningKeySecret)
	}
	if err != nil {
		return unclear(err)
	}
	return judgeRotation(secret.Annotations, p.now())
}

// late is how long after its time a rotation should be asked about.
const late = time.Hour

func judgeRotation(annotations map[string]string, now time.Time) Result {
	const hint = "The controller carries it out within seconds, unless it names no key; the events of the Secret, and the controller's log, say which."
	for _, command := range []string{v1alpha1.AnnotationRotate, v1alpha1.AnnotationDropKey} {
		if _, pending := annotations[command]; pending {
			return warn(hint, "the command %s is still to be carried out", command)
		}
	}
	text, told := annotations[v1alpha1.AnnotationNextRotation]
	next, err := time.Parse(time.RFC3339, text)
	switch {
	case !told:
		return ok("nobody says when the next one is")
	case err != nil:
		return warn("", "the annotation %s is %q, which is no time", v1alpha1.AnnotationNextRotation, text)
	case now.Sub(next) > late:
		return warn(hint, "another key should sign since %s", cli.When(next, now))
	}
	return ok("another key signs %s", cli.When(next, now))
}

// issuerClocks compares the issuer's clock with the one here and with the API server's.
func (p *probe) issuerClocks(context.Context) Result {
	h, err := p.metadata()
	if err != nil {
		return notLooked()
	}
	ours, known := h.skew()
	if !known {
		return warn("", "the issuer does not say what time it is")
	}
	result := judgeSkew(ours, "the clock of the issuer", "the one here")
	server, err := p.version()
	if err != nil {
		return result
	}
	theirs, known := server.skew()
	if !known {
		return result
	}
	between := judgeSkew(ours-theirs, "the clock of the issuer", "that of the API server")
	if between.Verdict == OK && result.Verdict == OK {
		return ok("it agrees with the one here and with that of the API server")
	}
	return worst(between, result)
}
