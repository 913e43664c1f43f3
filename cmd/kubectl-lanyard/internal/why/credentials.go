package why

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/lanyard-dev/lanyard/api/v1alpha1"
	"github.com/lanyard-dev/lanyard/issuer/clientauth"
	"github.com/lanyard-dev/lanyard/issuer/oauth"
	"github.com/lanyard-dev/lanyard/issuer/registry"
	"github.com/lanyard-dev/lanyard/issuer/rules"
)

// Credential is one way in which the client may prove itself, and whether it would work
// now.
type Credential struct {
	// Name is what the client's spec calls it: "serviceAccount checkout", "certificate
	// checkout", "clientSecret".
	Name    string  `json:"name"`
	Verdict Verdict `json:"verdict"`
	Message string  `json:"message"`
	// Ends is when it stops working if nothing happens before.
	Ends *time.Time `json:"ends,omitempty"`

	// What the issuer would find out by it.
	method   oauth.AuthMethod
	workload *rules.Workload
	shows    string // the certificate of the connection that it needs
	pin      string // whose key signs
	secret   string
	ends     time.Time
}

// credentials are all that the client lists, in the order in which a workload would try
// them. peer is the certificate of the connection.
func (w *world) credentials(ctx context.Context, known *registry.Registry, q *question, peer rules.Peer, now time.Time) (all []Credential) {
	if q.may(oauth.AuthPrivateKeyJWT) {
		for _, listed := range w.client.Spec.Authentication.ServiceAccounts {
			if q.serviceAccount == "" || q.serviceAccount == listed.Name {
				all = append(all, w.accountCredential(ctx, q, listed, now))
			}
		}
	}
	if q.pod != "" || q.serviceAccount != "" {
		if len(all) == 0 {
			all = append(all, no("serviceAccount "+q.serviceAccount, reasonSentence("service_account_not_listed")))
		}
		return all
	}
	all = append(all, w.certificateCredentials(known, q, peer, now)...)
	if credential := w.client.Spec.Authentication.ClientSecret; credential != nil {
		if method := oauth.AuthMethod(credential.Methods[0]); q.may(method) || q.may(q.method) && slices.Contains(credential.Methods, v1alpha1.ClientSecretMethod(q.method)) {
			all = append(all, w.secretCredential(credential, now))
		}
	}
	if len(all) == 0 {
		all = append(all, no("nothing", "the client's spec.authentication lists no way that works with this grant; list a service account or the methods of its certificates"))
	}
	return all
}

func no(name, message string) Credential {
	return Credential{Name: name, Verdict: Refused, Message: message}
}

// accountCredential asks of the projected tokens of a service account what clientauth asks
// of one that came: does the client take it, and does its workload live.
func (w *world) accountCredential(ctx context.Context, q *question, listed v1alpha1.ServiceAccountCredential, now time.Time) Credential {
	c := Credential{Name: "serviceAccount " + listed.Name, Verdict: Refused, method: oauth.AuthPrivateKeyJWT}
	account, found := w.accounts[listed.Name]
	switch {
	case w.unseen[theAccounts] != "" && !found:
		c.Verdict, c.Message = Unknown, couldNotLook(w.unseen[theAccounts])
		return c
	case !found:
		c.Message = fmt.Sprintf("there is no ServiceAccount %s in namespace %s; create it, or correct spec.authentication.serviceAccounts", listed.Name, w.key.Namespace)
		return c
	}
	base := rules.Workload{Namespace: w.key.Namespace, ServiceAccount: listed.Name, ServiceAccountUID: string(account.UID)}
	pods := w.podsOf(listed.Name, q.pod)
	if len(pods) == 0 {
		w.withoutPod(&c, q, base, listed)
		return c
	}
	cluster := &clientauth.Authenticator{Workloads: workloads{w}}
	for _, pod := range pods {
		at := base
		at.Pod, at.PodUID = pod.Name, string(pod.UID)
		refusal := clientauth.Listed(w.client, &at)
		if refusal == nil {
			refusal = cluster.LivesFor(ctx, w.client, &at, now)
		}
		if refusal == nil {
			c.Verdict, c.workload = Passed, &at
			c.Message = fmt.Sprintf("the token of pod %s, which lives", pod.Name)
			if listed.Admission == v1alpha1.AdmissionRequired {
				c.Message += ", and was injected for this client"
			}
			if others := len(pods) - 1; others > 0 {
				c.Message += fmt.Sprintf(" (one of %d)", len(pods))
			}
			return c
		}
		c.Message = fmt.Sprintf("pod %s: %s", pod.Name, reasonSentence(refusal.Reason))
	}
	return c
}

// withoutPod judges a service account of which no pod is known.
func (w *world) withoutPod(c *Credential, q *question, base rules.Workload, listed v1alpha1.ServiceAccountCredential) {
	refusal := clientauth.Listed(w.client, &base)
	switch {
	case refusal == nil && q.pod == "":
		c.Verdict, c.workload = Passed, &base
		c.Message = "a token that is bound to no pod, as boundTo: Any allows"
	case refusal != nil && refusal.Reason != "assertion_bound_to_no_pod" && refusal.Reason != "pod_not_admitted":
		c.Message = reasonSentence(refusal.Reason)
	case w.unseen[thePods] != "":
		c.Verdict, c.Message = Unknown, couldNotLook(w.unseen[thePods])
	case q.pod != "":
		c.Message = fmt.Sprintf("no pod %s of namespace %s runs as service account %s; the token must be one of a pod that does", q.pod, w.key.Namespace, listed.Name)
	case listed.Admission == v1alpha1.AdmissionRequired:
		c.Message = fmt.Sprintf("no pod runs as service account %s, and its token must be of one that Lanyard injected for this client (admission: Required); start one", listed.Name)
	default:
		c.Message = fmt.Sprintf("no pod runs as service account %s, and its token must be bound to a living one (boundTo: Pod); start one, or set boundTo: Any", listed.Name)
	}
}

func (w *world) secretCredential(listed *v1alpha1.ClientSecretCredential, now time.Time) Credential {
	c := Credential{Name: "clientSecret " + listed.SecretName, Verdict: Refused}
	for _, s := range w.client.Status.ClientSecrets {
		if now.Before(s.ExpiresAt.Time) && c.ends.Before(s.ExpiresAt.Time) {
			c.Verdict, c.ends, c.secret = Passed, s.ExpiresAt.Time, rules.SecretID(s.Hash)
			c.method = oauth.AuthMethod(listed.Methods[0])
			c.Message = fmt.Sprintf("by %s, the secret in Secret %s", c.method, listed.SecretName)
		}
	}
	if c.Verdict == Refused {
		c.Message = "no secret has been made, or the last has ended; the condition ClientSecretReady of the client says why"
	} else {
		c.Ends = &c.ends
	}
	return c
}
