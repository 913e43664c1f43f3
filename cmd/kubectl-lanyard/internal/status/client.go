package status

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/lanyard-dev/lanyard/api/v1alpha1"
	"github.com/lanyard-dev/lanyard/issuer/rules"
)

// clientReport is how an OAuthClient stands.
type clientReport struct {
	object
	ClientID            string                `json:"clientID"`
	Ready               condition             `json:"ready"`
	GrantTypes          []v1alpha1.GrantType  `json:"grantTypes"`
	TokenBinding        v1alpha1.TokenBinding `json:"tokenBinding"`
	AccessTokenLifetime string                `json:"accessTokenLifetime,omitempty"`
	Suspended           bool                  `json:"suspended,omitempty"`
	Credentials         []credential          `json:"credentials"`
	Certificates        []certificate         `json:"certificates"`
	Secrets             []clientSecret        `json:"secrets,omitempty"`
	Roles               []role                `json:"roles"`
	Problems            []problem             `json:"problems"`
	Events              []event               `json:"events"`
}

// credential is one way in which the client proves itself.
type credential struct {
	Method string `json:"method"`
	With   string `json:"with"`
	Rule   string `json:"rule,omitempty"`
}

// certificate is a ClientCertificate of the client.
type certificate struct {
	Name       string    `json:"name"`
	Source     string    `json:"source"`
	SecretName string    `json:"secretName,omitempty"`
	Ready      condition `json:"ready"`
	Pins       []pin     `json:"pins"`
}

// pin is a certificate that is pinned to the client.
type pin struct {
	Thumbprint   string            `json:"thumbprint"`
	State        v1alpha1.PinState `json:"state"`
	Live         bool              `json:"live"`
	Distrusted   bool              `json:"distrusted,omitempty"`
	SerialNumber string            `json:"serialNumber,omitempty"`
	NotBefore    metav1.Time       `json:"notBefore"`
	NotAfter     metav1.Time       `json:"notAfter"`
	RetiresAt    *metav1.Time      `json:"retiresAt,omitempty"`
	// Ends is when it stops working if nothing happens before.
	Ends metav1.Time `json:"ends"`
}

// clientSecret is a secret that works.
type clientSecret struct {
	CreatedAt metav1.Time `json:"createdAt"`
	ExpiresAt metav1.Time `json:"expiresAt"`
}

// role is how one requested role stands.
type role struct {
	v1alpha1.ClientRoleStatus

	// DecidedAt and Reason stand in the assignment, which the caller's owner may not be
	// allowed to read.
	DecidedAt *metav1.Time `json:"decidedAt,omitempty"`
	Reason    string       `json:"reason,omitempty"`
}

// clientFacts is what was read of a client.
type clientFacts struct {
	client *v1alpha1.OAuthClient
	// certificates are those of the namespace.
	certificates []v1alpha1.ClientCertificate
	// assignments are those that decided, as far as they may be read.
	assignments map[types.NamespacedName]*v1alpha1.AppRoleAssignment
	events      []corev1.Event
	// pods of the namespace ask for the sidecar and have none.
	pods []metav1.PartialObjectMetadata
}

func reportClient(f clientFacts, now time.Time) clientReport {
	c := f.client
	r := clientReport{
		object:   object{"OAuthClient", c.Namespace, c.Name, c.Spec.DisplayName},
		ClientID: cmp.Or(c.Status.ClientID, rules.ClientID(c)), Ready: readyOf(c.Status.Conditions),
		GrantTypes: c.Spec.GrantTypes, TokenBinding: c.Spec.TokenBinding,
		AccessTokenLifetime: life(c.Spec.AccessTokenLifetime), Suspended: c.Spec.Suspend,
		Credentials: credentials(c.Spec.Authentication),
		Problems:    amiss("", c, c.Status.ObservedGeneration, c.Status.Conditions),
	}
	about := map[string]types.UID{"OAuthClient/" + c.Name: c.UID}
	for i := range f.certificates {
		cc := &f.certificates[i]
		if cc.Spec.ClientRef.Name != c.Name {
			continue
		}
		about["ClientCertificate/"+cc.Name] = cc.UID
		r.Certificates = append(r.Certificates, certificateOf(cc, now))
		r.Problems = append(r.Problems, amiss("ClientCertificate/"+cc.Name, cc, cc.Status.ObservedGeneration, cc.Status.Conditions)...)
	}
	for _, s := range c.Status.ClientSecrets {
		if now.Before(s.ExpiresAt.Time) {
			r.Secrets = append(r.Secrets, clientSecret{s.CreatedAt, s.ExpiresAt})
		}
	}
	for _, status := range c.Status.Roles {
		one := role{ClientRoleStatus: status}
		if a := f.assignments[types.NamespacedName{Namespace: status.Namespace, Name: status.Assignment}]; a != nil {
			one.DecidedAt, one.Reason = a.Spec.DecidedAt, a.Spec.Reason
			one.DecidedBy = cmp.Or(one.DecidedBy, a.Spec.DecidedBy)
		}
		r.Roles = append(r.Roles, one)
	}
	r.Problems = append(r.Problems, unbound(c, r.Certificates)...)
	r.Problems = append(r.Problems, notInjected(slices.DeleteFunc(slices.Clone(f.pods), func(pod metav1.PartialObjectMetadata) bool {
		return pod.Annotations[v1alpha1.AnnotationClient] != c.Name
	}))...)
	r.Events = eventsOf(f.events, about)
	r.Credentials, r.Certificates, r.Roles, r.Problems = list(r.Credentials), list(r.Certificates), list(r.Roles), list(r.Problems)
	return r
}

// credentials lists the ways in which a client proves itself, one for each method.
func credentials(a v1alpha1.ClientAuthentication) []credential {
	var all []credential
	for _, sa := range a.ServiceAccounts {
		rule := "a living pod's"
		if sa.BoundTo == v1alpha1.BoundToAny {
			rule = "a pod's, or bound to nothing"
		}
		if sa.Admission == v1alpha1.AdmissionRequired {
			rule = "a living pod's that was injected for this client"
		}
		all = append(all, credential{"service account token", "ServiceAccount " + sa.Name, rule})
	}
	if cert := a.Certificate; cert != nil {
		for _, m := range cert.Methods {
			rule := ""
			if m == v1alpha1.MethodPrivateKeyJWT {
				rule = "an assertion works once"
				if cert.AssertionReuse == v1alpha1.AssertionReuseUntilExpiry {
					rule = "an assertion works until it expires"
				}
			}
			all = append(all, credential{string(m), "its certificates", rule})
		}
	}
	if secret := a.ClientSecret; secret != nil {
		for _, m := range secret.Methods {
			all = append(all, credential{string(m), "Secret " + secret.SecretName, ""})
		}
	}
	return all
}

func certificateOf(cc *v1alpha1.ClientCertificate, now time.Time) certificate {
	out := certificate{Name: cc.Name, Source: source(cc.Spec), SecretName: cc.Status.SecretName, Ready: readyOf(cc.Status.Conditions)}
	for i := range cc.Status.Pins {
		p := &cc.Status.Pins[i]
		out.Pins = append(out.Pins, pin{
			Thumbprint: p.Thumbprint, State: p.State, SerialNumber: p.SerialNumber,
			Live: rules.Live(p, cc.Spec.Distrust, now), Distrusted: slices.Contains(cc.Spec.Distrust, v1alpha1.Thumbprint(p.Thumbprint)),
			NotBefore: p.NotBefore, NotAfter: p.NotAfter, RetiresAt: p.RetiresAt, Ends: metav1.Time{Time: rules.PinEnds(p)},
		})
	}
	out.Pins = list(out.Pins)
	return out
}

// source says where a certificate comes from.
func source(s v1alpha1.ClientCertificateSpec) string {
	switch {
	case s.Issuance != nil:
		ref := s.Issuance.IssuerRef
		return "issued by " + cmp.Or(ref.Kind, "Issuer") + "/" + ref.Name
	case s.CertificateRef != nil:
		return "adopted from Certificate/" + s.CertificateRef.Name
	case s.PEM != "":
		return "imported"
	case s.Subject != nil:
		return "any of a CA with a given subject"
	default:
		return ""
	}
}

// unbound says where the client's tokens cannot be bound, or its certificates cannot
// authenticate it, for want of a pin that works. No condition of the client says so, as
// each certificate speaks for itself.
func unbound(c *v1alpha1.OAuthClient, certificates []certificate) []problem {
	for _, cc := range certificates {
		subject := len(cc.Pins) == 0 && cc.Ready.Status == metav1.ConditionTrue // a subject rule pins nothing
		if subject || slices.ContainsFunc(cc.Pins, func(p pin) bool { return p.Live }) {
			return nil
		}
	}
	var what []string
	if c.Spec.TokenBinding == v1alpha1.TokenBindingMTLS {
		what = append(what, "tokens cannot be bound (spec.tokenBinding is MTLS)")
	}
	if cert := c.Spec.Authentication.Certificate; cert != nil {
		what = append(what, "no certificate can authenticate the client")
	}
	if len(what) == 0 {
		return nil
	}
	hint := "see its ClientCertificates above"
	if len(certificates) == 0 {
		hint = fmt.Sprintf("create a ClientCertificate with clientRef %s", c.Name)
	}
	return []problem{{"", fmt.Sprintf("%s: no certificate that works is pinned to it; %s", strings.Join(what, ", and "), hint)}}
}
