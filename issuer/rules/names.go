package rules

import (
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/lanyard-dev/lanyard/api/v1alpha1"
	"github.com/lanyard-dev/lanyard/issuer/oauth"
)

// ClientID is the client_id of c: spec.clientID, or <namespace>/<name>. The two
// can never be equal, because spec.clientID holds no slash.
func ClientID(c *v1alpha1.OAuthClient) string {
	if c.Spec.ClientID != "" {
		return c.Spec.ClientID
	}
	return c.Namespace + "/" + c.Name
}

// ClientIDAllowed says whether c may have the client id that it claims. Only such
// clients take part in a conflict.
func ClientIDAllowed(c *v1alpha1.OAuthClient, ns *Namespace) bool {
	switch {
	case ns == nil || ns.Name != c.Namespace:
		return false
	case c.Spec.ClientID == "":
		return true
	default:
		// The schema refuses a slash; an object that came in otherwise must not
		// pass for another namespace's client.
		return !strings.Contains(c.Spec.ClientID, "/") && ns.allowsClientID(c.Spec.ClientID)
	}
}

// Client says whether c works: its client id is allowed, no older client holds
// it, and it is not suspended. holder is the oldest allowed client with the same
// client id, nil if there is none.
func Client(c *v1alpha1.OAuthClient, ns *Namespace, holder *v1alpha1.OAuthClient) Verdict {
	switch {
	case !ClientIDAllowed(c, ns):
		return refused(v1alpha1.ReasonClientIDNotAllowed, fmt.Sprintf(
			"spec.clientID %q is not allowed in namespace %s; whoever runs the platform can allow it with the namespace's annotation %s: %s",
			c.Spec.ClientID, c.Namespace, v1alpha1.AnnotationClientIDs, c.Spec.ClientID))
	case holder == nil || !same(holder, c):
		return refused(v1alpha1.ReasonConflict, fmt.Sprintf(
			"client id %q is held by the older OAuthClient %s; give this one another spec.clientID", ClientID(c), name(holder)))
	case c.Spec.Suspend:
		return refused(v1alpha1.ReasonSuspended, "spec.suspend is true: the client gets no tokens; set it to false to resume")
	case ns.Suspended:
		return refused(v1alpha1.ReasonNamespaceSuspended, fmt.Sprintf(
			"namespace %s has the annotation %s: \"true\": its clients get no tokens; remove it to resume", ns.Name, v1alpha1.AnnotationSuspend))
	default:
		return works("the client can ask for tokens") // without its id: this is asked for each token
	}
}

// CanonicalIdentifier says whether identifier is written canonically, so that one
// resource has one name: lower-case scheme and host, no user, query, fragment,
// percent-encoding, space or trailing slash.
func CanonicalIdentifier(identifier string) bool {
	u, err := url.Parse(identifier)
	switch {
	case err != nil, u.Scheme == "", u.User != nil, u.RawQuery != "", u.ForceQuery, u.Fragment != "":
		return false
	// What cannot stand in a scope (RFC 6749 section 3.3) could never be asked for.
	case !scopeToken(identifier), strings.ContainsAny(identifier, "#?%"), strings.HasSuffix(identifier, "/"):
		return false
	// What follows the last slash of a scope is a role: api://x/.default would be
	// read as every role of api://x.
	case strings.HasSuffix(identifier, "/"+oauth.DefaultScope), strings.Contains(identifier, "*"):
		return false
	case u.Opaque != "": // urn:…
		return strings.HasPrefix(identifier, u.Scheme+":")
	case !canonicalHost(u.Host):
		return false
	// url.Parse lowers the scheme, cleans nothing else; dot segments would let
	// one identifier be written in two ways.
	case slices.ContainsFunc(strings.Split(u.Path, "/"), func(s string) bool { return s == "." || s == ".." }):
		return false
	case strings.Contains(u.Path, "//"):
		return false
	default:
		return strings.HasPrefix(identifier, u.Scheme+"://")
	}
}

// canonicalHost says whether host is a DNS name in lower case or an IP address as
// net/netip writes it, with or without a port.
func canonicalHost(host string) bool {
	if h, port, err := net.SplitHostPort(host); err == nil {
		n, err := strconv.ParseUint(port, 10, 16)
		if err != nil || n == 0 || strconv.FormatUint(n, 10) != port {
			return false
		}
		host = h
	} else if inner, ok := strings.CutPrefix(host, "["); ok {
		host = strings.TrimSuffix(inner, "]")
	}
	if strings.Contains(host, ":") {
		a, err := netip.ParseAddr(host)
		return err == nil && a.Zone() == "" && a.String() == host
	}
	return len(validation.IsDNS1123Subdomain(host)) == 0
}

// IdentifierAllowed says whether a resource in ns may have identifier: it belongs
// to the namespace by its own form, or the platform allowed it. clusterDomain is
// the cluster's DNS domain, such as cluster.local.
func IdentifierAllowed(identifier string, ns *Namespace, clusterDomain string) bool {
	if ns == nil || !CanonicalIdentifier(identifier) {
		return false
	}
	return belongs(identifier, ns.Name, clusterDomain) || ns.allowsIdentifier(identifier)
}

// belongs says whether identifier is api://<namespace>, api://<namespace>/…, or a
// URL whose host is <service>.<namespace>.svc[.<cluster domain>].
func belongs(identifier, namespace, clusterDomain string) bool {
	u, err := url.Parse(identifier)
	if err != nil {
		return false
	}
	if u.Scheme == "api" {
		return u.Host == namespace
	}
	if u.Scheme != "https" && u.Scheme != "http" {
		return false
	}
	host := u.Host
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	host = strings.TrimSuffix(host, "."+clusterDomain)
	labels := strings.Split(host, ".")
	if namespace == "default" && labels[0] == "kubernetes" {
		// The audience of the API server itself is nobody's by its form.
		return false
	}
	return len(labels) == 3 && labels[0] != "" && labels[1] == namespace && labels[2] == "svc"
}

// Resource says whether r works. holder is the oldest allowed resource with the
// same identifier, nil if there is none.
func Resource(r *v1alpha1.ProtectedResource, ns *Namespace, clusterDomain string, holder *v1alpha1.ProtectedResource) Verdict {
	id := r.Spec.Identifier
	switch {
	case !CanonicalIdentifier(id):
		return refused(v1alpha1.ReasonIdentifierNotCanonical, fmt.Sprintf(
			"spec.identifier %q is not canonical; write a URI with lower-case scheme and host and without user, query, fragment, percent-encoding or trailing slash, for example api://%s", id, r.Namespace))
	case !IdentifierAllowed(id, ns, clusterDomain):
		return refused(v1alpha1.ReasonIdentifierNotAllowed, fmt.Sprintf(
			"spec.identifier %q does not belong to namespace %s; use api://%s or api://%s/<name>, or have whoever runs the platform allow it with the namespace's annotation %s: %s",
			id, r.Namespace, r.Namespace, r.Namespace, v1alpha1.AnnotationIdentifiers, id))
	default:
		return HeldResource(r, holder)
	}
}

// HeldResource says whether r works, of which it is known already that its namespace
// may have its identifier. It costs nearly nothing.
func HeldResource(r, holder *v1alpha1.ProtectedResource) Verdict {
	id := r.Spec.Identifier
	switch {
	case holder == nil || !same(holder, r):
		return refused(v1alpha1.ReasonConflict, fmt.Sprintf(
			"identifier %q is held by the older ProtectedResource %s; use another one", id, name(holder)))
	case r.Spec.Suspend:
		return refused(v1alpha1.ReasonSuspended, "spec.suspend is true: the resource gets no tokens; set it to false to resume")
	default:
		return works("tokens for " + id + " can be had")
	}
}

// IssuerAllowed says whether issuance in ns may name the cert-manager issuer ref.
// installation lists what the installation allows everywhere. Entries are
// Kind/name or Kind.group/name; without a group it is cert-manager.io.
func IssuerAllowed(ref v1alpha1.IssuerReference, ns *Namespace, installation []string) bool {
	want := IssuerName(ref)
	allowed := func(entry string) bool {
		kind, issuer, ok := strings.Cut(entry, "/")
		if !ok {
			return false
		}
		k, group, ok := strings.Cut(kind, ".")
		if !ok {
			group = certManagerGroup
		}
		return k+"."+group+"/"+issuer == want
	}
	return slices.ContainsFunc(installation, allowed) || ns != nil && slices.ContainsFunc(ns.issuers, allowed)
}

// Issuance says whether cc, in ns, may name the cert-manager issuer that it does in
// spec.issuance.
func Issuance(cc *v1alpha1.ClientCertificate, ns *Namespace, installation []string) Verdict {
	ref := cc.Spec.Issuance.IssuerRef
	if !IssuerAllowed(ref, ns, installation) {
		issuer := IssuerName(ref)
		return refused(v1alpha1.ReasonIssuerNotAllowed, fmt.Sprintf(
			"spec.issuance.issuerRef %s is not allowed in namespace %s; whoever runs the platform can allow it with the namespace's annotation %s: %s",
			issuer, cc.Namespace, v1alpha1.AnnotationIssuers, issuer))
	}
	return works("the issuer may be named")
}

const certManagerGroup = "cert-manager.io"

// IssuerName writes an issuer as Kind.group/name, with cert-manager's defaults.
func IssuerName(ref v1alpha1.IssuerReference) string {
	kind, group := ref.Kind, ref.Group
	if kind == "" {
		kind = "Issuer"
	}
	if group == "" {
		group = certManagerGroup
	}
	return kind + "." + group + "/" + ref.Name
}

// name writes an object as namespace/name, for messages.
func name[T interface {
	comparable
	GetNamespace() string
	GetName() string
}](o T) string {
	var none T
	if o == none {
		return "(unknown)"
	}
	return o.GetNamespace() + "/" + o.GetName()
}
