package why

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"

	"github.com/lanyard-dev/lanyard/api/v1alpha1"
	"github.com/lanyard-dev/lanyard/issuer/oauth"
	"github.com/lanyard-dev/lanyard/issuer/registry"
	"github.com/lanyard-dev/lanyard/issuer/rules"
)

// bestPin is the certificate that a workload of the client would show: of the live pins the
// one that lasts longest.
func (w *world) bestPin(known *registry.Registry, now time.Time) rules.Peer {
	var best rules.Match
	for _, cc := range w.certificates {
		for _, pin := range cc.Status.Pins {
			if match, ok := rules.LivePin(w.client, known.Certificates(w.client), rules.Peer{Thumbprint: pin.Thumbprint}, now); ok && best.Ends.Before(match.Ends) {
				best = match
			}
		}
	}
	return rules.Peer{Thumbprint: best.Thumbprint}
}

// certificateCredentials says of each certificate of the client by which methods it would
// prove the client now. peer, if it is given, is judged alone.
func (w *world) certificateCredentials(known *registry.Registry, q *question, peer rules.Peer, now time.Time) (all []Credential) {
	allowed := w.client.Spec.Authentication.Certificate
	if allowed == nil || !q.may(oauth.AuthPrivateKeyJWT) && !q.byTLS() {
		return nil
	}
	if need := w.unseen[theCertificates]; need != "" {
		return []Credential{{Name: "certificate", Verdict: Unknown, Message: couldNotLook(need)}}
	}
	if q.peerGiven() && !peer.IsZero() && q.byTLS() {
		all = append(all, w.shown(known, peer, now))
	}
	for _, cc := range w.certificates {
		for _, c := range w.pinsOf(known, cc, q, now) {
			// Of the others only what signs an assertion is of use beside the one shown.
			if !q.peerGiven() || c.pin != "" {
				all = append(all, c)
			}
		}
	}
	if len(all) == 0 {
		all = append(all, no("certificate", w.withoutCertificate(q)))
	}
	// The one that lasts longest is what a workload uses.
	slices.SortStableFunc(all, func(a, b Credential) int { return cmp.Or(b.ends.Compare(a.ends), strings.Compare(a.Name, b.Name)) })
	return all
}

// peerGiven says whether the certificate of the connection is known, and nothing is
// assumed of it.
func (q *question) peerGiven() bool { return q.exact || !q.peer.IsZero() }

// withoutCertificate says why no certificate of the client is of use.
func (w *world) withoutCertificate(q *question) string {
	if len(w.certificates) > 0 && q.peerGiven() {
		return "no certificate is shown, and none of the client's signs assertions"
	}
	return "no ClientCertificate names the client; create one with spec.clientRef " + w.key.Name
}

// shown judges the certificate that the workload shows.
func (w *world) shown(known *registry.Registry, peer rules.Peer, now time.Time) Credential {
	c := Credential{Name: "certificate " + peer.Thumbprint, Verdict: Refused}
	method, match, ok := rules.CertificateMethod(w.client, known.Certificates(w.client), peer, now)
	if ok {
		return works(c, method, match)
	}
	c.Message = reasonSentence("certificate_not_pinned_or_method_not_listed")
	return c
}

func works(c Credential, method oauth.AuthMethod, match rules.Match) Credential {
	c.Verdict, c.method, c.ends, c.shows = Passed, method, match.Ends, match.Thumbprint
	c.Ends = &c.ends
	c.Message = fmt.Sprintf("by %s, until %s", method, match.Ends.UTC().Format(time.RFC3339))
	return c
}

// pinsOf judges each pin of a ClientCertificate, or says why it has none.
func (w *world) pinsOf(known *registry.Registry, cc *v1alpha1.ClientCertificate, q *question, now time.Time) (all []Credential) {
	name := "certificate " + cc.Name
	if cc.Spec.Subject != nil {
		return []Credential{{Name: name, Verdict: Unknown, Message: "any certificate of its subject works; give the one that the workload connects with by --cert to see whether it is one"}}
	}
	for i := range cc.Status.Pins {
		pin := &cc.Status.Pins[i]
		all = append(all, w.pinCredential(known, name, pin, q, now))
	}
	if len(all) > 0 {
		return all
	}
	message := "nothing is pinned yet; the controller has not looked at it"
	if ready := meta.FindStatusCondition(cc.Status.Conditions, v1alpha1.ConditionReady); ready != nil {
		message = fmt.Sprintf("nothing is pinned (%s): %s", ready.Reason, ready.Message)
	}
	return []Credential{no(name, message)}
}

func (w *world) pinCredential(known *registry.Registry, name string, pin *v1alpha1.Pin, q *question, now time.Time) Credential {
	c := Credential{Name: name, Verdict: Refused}
	certificates := known.Certificates(w.client)
	peer := rules.Peer{Thumbprint: pin.Thumbprint}
	what := fmt.Sprintf("pin %s (%s) ", pin.Thumbprint, pin.State)
	if method, match, ok := rules.CertificateMethod(w.client, certificates, peer, now); ok && !q.peerGiven() && q.byTLS() {
		c = works(c, method, match)
		c.Message = what + "works " + c.Message
		return c
	}
	if signing, ok := rules.AssertionPin(w.client, certificates, rules.KeyHint{X5TS256: pin.Thumbprint}, now); ok && w.signs() && q.may(oauth.AuthPrivateKeyJWT) {
		c = works(c, oauth.AuthPrivateKeyJWT, rules.Match{Ends: signing.Ends})
		c.Message, c.pin = what+"works "+c.Message, signing.Thumbprint
		return c
	}
	if _, ok := rules.LivePin(w.client, certificates, peer, now); !ok {
		c.Message = what + "works no more: it was distrusted, replaced or has ended " + rules.PinEnds(pin).UTC().Format(time.RFC3339)
		if now.Add(rules.Leeway).Before(pin.NotBefore.Time) {
			c.Message = what + "begins to be valid only at " + pin.NotBefore.UTC().Format(time.RFC3339)
		}
		return c
	}
	c.Message = what + "lives, and spec.authentication.certificate.methods lists no method that fits it"
	return c
}

// signs says whether the client lists private_key_jwt.
func (w *world) signs() bool {
	return slices.Contains(w.client.Spec.Authentication.Certificate.Methods, v1alpha1.MethodPrivateKeyJWT)
}
