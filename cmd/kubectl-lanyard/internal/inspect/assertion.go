package inspect

import (
	"crypto/sha1" //nolint:gosec // x5t is defined with it (RFC 7515 section 4.1.7)
	"crypto/x509"
	"encoding/base64"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/lanyard-dev/lanyard/cmd/kubectl-lanyard/internal/cli"
	"github.com/lanyard-dev/lanyard/issuer/dpop"
	"github.com/lanyard-dev/lanyard/issuer/jose"
)

// maxAssertionLife is how far ahead the exp of a client's own assertion may be.
const maxAssertionLife = 10 * time.Minute

// serviceAccount judges a service account token as the token endpoint does where it
// comes as a client assertion. What only the cluster knows (its signing keys, whether
// the pod lives, who lists the service account) is not judged.
func (j *Judgement) serviceAccount(d Decoded, u *jose.Unverified, f Facts) {
	j.Findings.add(Note, "it is for a token endpoint, and no API accepts it")
	if u.Header.Type != "" && u.Header.Type != "JWT" {
		j.Findings.add(Stands, "typ is %q; the API server writes none, or JWT", u.Header.Type)
	}
	k := object(d.Claims, "kubernetes.io")
	_, legacy := find(d.Claims, "kubernetes.io/serviceaccount/secret.name")
	_, secret := find(k, "secret")
	namespace, account := text(k, "namespace"), text(object(k, "serviceaccount"), "name")
	pod := text(object(k, "pod"), "name")
	_, node := find(k, "node")
	switch {
	case legacy || secret:
		j.Findings.add(Stands, "it is bound to a Secret, as old tokens are, and lives until that is deleted; mount a projected token, or use kubectl create token")
	case namespace == "" || account == "":
		j.Findings.add(Stands, "its claim kubernetes.io does not name the service account")
	case u.Claims.Subject != serviceAccountSubject+namespace+":"+account:
		j.Findings.add(Stands, "sub and kubernetes.io name different service accounts")
	case pod != "":
		j.Findings.add(OK, "it is bound to the pod %s/%s, and ends with it", namespace, pod)
	case node:
		j.Findings.add(Stands, "it is bound to a node and to no pod")
	default:
		j.Findings.add(Note, "it is bound to no pod: only a client that lists the service account with boundTo: Any takes it")
	}
	j.times(u.Claims, f.Now)
	j.tokenEndpoint(u.Claims, f)
	j.Findings.add(Note, "the signature was not checked: it is the cluster's, and the issuer asks the API server for the keys")
	if j.Findings.against() {
		j.Conclusion = "No token endpoint accepts it as a client assertion."
		return
	}
	j.Accepted = true
	j.Conclusion = fmt.Sprintf("The token endpoint of %s accepts it now for a client that lists the service account %s/%s, while the workload lives.", u.Claims.Audience[0], namespace, account)
}

// tokenEndpoint judges the audience of an assertion.
func (j *Judgement) tokenEndpoint(c jose.Claims, f Facts) {
	if len(c.Audience) != 1 {
		j.audience(c)
		return
	}
	audience := c.Audience[0]
	switch {
	case f.Issuer != "" && audience != f.Issuer && !strings.HasPrefix(audience, f.Issuer+"/"):
		j.Findings.add(Stands, "it is for %q; the audience must be the issuer, %q", audience, f.Issuer)
	case j.Kind == ServiceAccountToken && (audience == c.Issuer || strings.HasPrefix(audience, "https://kubernetes.default.svc")):
		j.Findings.add(Stands, "it is for the API server (%s); ask for one whose audience is the issuer", audience)
	default:
		j.Findings.add(OK, "it is for %s alone", audience)
	}
}

// assertion judges a client's own assertion (RFC 7523 section 3), as far as that goes
// without the client's pins.
func (j *Judgement) assertion(u *jose.Unverified, f Facts) {
	j.Findings.add(Note, "it is for a token endpoint, and no API accepts it")
	if !slices.Contains([]string{"", "JWT", typAssertion}, u.Header.Type) {
		j.Findings.add(Stands, "typ is %q; it must be JWT, %s, or absent", u.Header.Type, typAssertion)
	}
	if u.Claims.Subject != u.Claims.Issuer {
		j.Findings.add(Stands, "iss and sub must both be the client id; they are %q and %q", u.Claims.Issuer, u.Claims.Subject)
	}
	j.assertionKey(u, f)
	j.times(u.Claims, f.Now)
	if left := u.Claims.Expiry.Sub(f.Now); left > maxAssertionLife+jose.DefaultLeeway {
		j.Findings.add(Stands, "it lives too long: exp is %s; it may be %s ahead at most", cli.When(u.Claims.Expiry, f.Now), maxAssertionLife)
	}
	j.tokenEndpoint(u.Claims, f)
	if u.Claims.ID == "" {
		j.Findings.add(Note, "it has no jti: only a client with assertionReuse: UntilExpiry may send it")
	}
	if j.Findings.against() {
		j.Conclusion = "No token endpoint accepts it as a client assertion."
		return
	}
	j.Accepted = true
	j.Conclusion = fmt.Sprintf("The token endpoint of %s accepts it once, for the client %s, if the certificate is pinned to it.", u.Claims.Audience[0], u.Claims.Subject)
}

// assertionKey judges which certificate an assertion names, and its signature, which
// the public key of the certificate is enough for.
func (j *Judgement) assertionKey(u *jose.Unverified, f Facts) {
	named := u.Header.X5TS256 != "" || u.Header.X5T != "" || u.Header.KeyID != ""
	if !named {
		j.Findings.add(Stands, "its header does not say which certificate signed it: it needs x5t#S256, x5t or kid")
	}
	if f.Certificate == nil {
		j.Findings.add(Note, "the signature was not checked; give --cert FILE, the certificate whose key signed it")
		return
	}
	if (u.Header.X5TS256 != "" && u.Header.X5TS256 != jose.X5TS256(f.Certificate.Raw)) || (u.Header.X5T != "" && u.Header.X5T != x5t(f.Certificate)) {
		j.Findings.add(Stands, "token and certificate do not belong together: its header names another certificate")
		return
	}
	key, err := jose.NewKey("", f.Certificate.PublicKey)
	if err == nil {
		want := signatureOnly(u, f.Now)
		want.RequireLowS = false // clients sign with what they have
		_, err = u.VerifyWithKey(key, want)
		err = signatureError(err)
	}
	if err != nil {
		j.Findings.add(Stands, "the key of the certificate did not sign it: %v", err)
		return
	}
	j.Findings.add(OK, "token and certificate belong together: the key of the certificate signed it")
}

func x5t(c *x509.Certificate) string {
	sum := sha1.Sum(c.Raw) //nolint:gosec // see above
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// proof judges a DPoP proof as far as that goes without the request that it was
// made for.
func (j *Judgement) proof(raw string, d Decoded, f Facts) {
	j.Findings.add(Note, "it comes beside an access token in the header DPoP, and is no token itself")
	p, err := dpop.Parse(raw)
	if err == nil {
		err = p.Verify()
	}
	if err != nil {
		j.Findings.add(Stands, "it does not hold: %v", err)
		j.Conclusion = "Nobody accepts it."
		return
	}
	j.Findings.add(OK, "it is signed with the key that it names, whose thumbprint is %s", p.Thumbprint)
	want := dpop.Expected{Now: f.Now, Method: text(d.Claims, "htm"), URLs: []string{text(d.Claims, "htu")}}
	if err := p.Check(want); err != nil {
		j.Findings.add(Stands, "%v", err)
		j.Conclusion = "Nobody accepts it."
		return
	}
	j.Accepted = true
	j.Conclusion = "It is accepted once, for the request that it names, with a token that is bound to this key."
}
