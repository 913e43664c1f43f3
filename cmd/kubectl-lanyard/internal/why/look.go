package why

import (
	"context"
	"fmt"
	"strings"
	"sync"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/lanyard-dev/lanyard/api/v1alpha1"
	"github.com/lanyard-dev/lanyard/cmd/kubectl-lanyard/internal/cli"
	"github.com/lanyard-dev/lanyard/issuer/rules"
)

// looker reads with the person's own permissions, many things at once.
type looker struct {
	client client.Reader
	q      *question

	mu sync.Mutex
	w  *world
	// claimants are all ProtectedResources that could be seen.
	claimants []*v1alpha1.ProtectedResource
}

// look reads what the decision rests on. An error means that the API server could not be
// asked; what may not be read is in the world's unseen.
func look(ctx context.Context, c client.Reader, q *question, clusterDomain string) (*world, error) {
	l := &looker{client: c, q: q, w: &world{
		key: q.client, accounts: map[string]*corev1.ServiceAccount{}, unseen: map[part]string{}, clusterDomain: clusterDomain,
	}}
	// The resource is looked for while the client is read: it costs one round less.
	if err := cli.Together(ctx, l.theClient, l.theClientsNamespace, l.theCertificates, l.allResources); err != nil {
		return nil, err
	}
	if l.w.client == nil && l.w.unseen[theClient] == "" {
		return l.w, nil
	}
	if err := l.resourcesNearby(ctx); err != nil {
		return nil, err
	}
	if err := l.settle(); err != nil {
		return nil, err
	}
	rest := []func(context.Context) error{l.theirNamespaces, l.theRoles, l.theAssignments}
	if l.w.client != nil {
		rest = append(rest, l.otherClients, l.theAccounts)
	}
	if err := cli.Together(ctx, rest...); err != nil {
		return nil, err
	}
	return l.w, nil
}

// get reads one object. False: there is none, or it may not be read.
func (l *looker) get(ctx context.Context, p part, o client.Object, what string, key types.NamespacedName) (bool, error) {
	err := l.client.Get(ctx, key, o)
	if apierrors.IsNotFound(err) {
		return false, nil
	}
	return l.seen(p, err, "get "+what+" "+key.Name, key.Namespace)
}

// list reads the objects of a namespace, or of all.
func (l *looker) list(ctx context.Context, p part, o client.ObjectList, what, namespace string, options ...client.ListOption) (bool, error) {
	err := l.client.List(ctx, o, append(options, client.InNamespace(namespace))...)
	return l.seen(p, err, "list "+what, namespace)
}

func (l *looker) seen(p part, err error, what, namespace string) (bool, error) {
	switch {
	case err == nil:
		return true, nil
	case apierrors.IsForbidden(err):
		l.miss(p, what, namespace)
		return false, nil
	default:
		return false, fmt.Errorf("%s: %w", what, err)
	}
}

func (l *looker) miss(p part, what, namespace string) {
	if namespace != "" {
		what += " in namespace " + namespace
	} else if strings.HasPrefix(what, "list ") {
		what += " in all namespaces"
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.w.unseen[p] = "needs permission to " + what
}

func (l *looker) theClient(ctx context.Context) error {
	c := &v1alpha1.OAuthClient{}
	found, err := l.get(ctx, theClient, c, "oauthclients.lanyard.dev", l.q.client)
	if found && !rules.Gone(c) {
		l.w.client = c
	}
	return err
}

func (l *looker) theClientsNamespace(ctx context.Context) error {
	return l.namespace(ctx, theClientsNamespace, l.q.client.Namespace)
}

func (l *looker) namespace(ctx context.Context, p part, name string) error {
	ns := &metav1.PartialObjectMetadata{}
	ns.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("Namespace"))
	found, err := l.get(ctx, p, ns, "namespaces", types.NamespacedName{Name: name})
	if found {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.w.namespaces = append(l.w.namespaces, rules.ParseNamespace(name, ns.Labels, ns.Annotations))
	}
	return err
}

func (l *looker) theCertificates(ctx context.Context) error {
	var list v1alpha1.ClientCertificateList
	if ok, err := l.list(ctx, theCertificates, &list, "clientcertificates.lanyard.dev", l.q.client.Namespace); !ok {
		return err
	}
	for _, cc := range living(pointers(list.Items)) {
		if cc.Spec.ClientRef.Name == l.q.client.Name {
			l.w.certificates = append(l.w.certificates, cc)
		}
	}
	return nil
}

const resources = "protectedresources.lanyard.dev"

func (l *looker) allResources(ctx context.Context) error {
	var list v1alpha1.ProtectedResourceList
	if ok, err := l.list(ctx, otherResources, &list, resources, ""); !ok {
		return err
	}
	l.claimants = living(pointers(list.Items))
	return nil
}

// resourcesNearby looks where the resource is likely to be, if not all can be seen.
func (l *looker) resourcesNearby(ctx context.Context) error {
	if l.w.unseen[otherResources] == "" {
		return nil
	}
	var looks []func(context.Context) error
	for _, namespace := range homes(l.q, l.w.asker(l.q)) {
		looks = append(looks, func(ctx context.Context) error {
			var list v1alpha1.ProtectedResourceList
			ok, err := l.list(ctx, theResource, &list, resources, namespace)
			if ok {
				l.mu.Lock()
				defer l.mu.Unlock()
				l.claimants = append(l.claimants, living(pointers(list.Items))...)
			}
			return err
		})
	}
	return cli.Together(ctx, looks...)
}

// settle decides which resource is meant, and who else claims its identifier.
func (l *looker) settle() error {
	w := l.w
	asker := w.asker(l.q)
	found := find(l.q.resource, asker, l.claimants)
	switch {
	case l.q.byIdentifier():
		w.identifier = l.q.resource
	case len(found) > 1:
		return fmt.Errorf("%d ProtectedResources are called %s, such as %s/%s and %s/%s; write NAMESPACE/NAME, or the identifier",
			len(found), l.q.resource, found[0].Namespace, found[0].Name, found[1].Namespace, found[1].Name)
	case len(found) == 0 && (l.q.resource == "" || w.unseen[theResource] != ""):
		w.identifier = reportedIdentifier(l.q, asker)
		found = find(w.identifier, asker, l.claimants)
	}
	if len(found) > 0 {
		w.resource = oldest(found)
		w.identifier = w.resource.Spec.Identifier
		delete(w.unseen, theResource) // elsewhere, where it is not
	}
	for _, p := range l.claimants {
		w.identifiers = append(w.identifiers, p.Spec.Identifier)
		if p.Spec.Identifier == w.identifier {
			w.resources = append(w.resources, p)
		}
	}
	w.clients = []*v1alpha1.OAuthClient{asker}
	if w.unseen[theClientsNamespace] != "" {
		w.namespaces = append(w.namespaces, rules.ParseNamespace(w.key.Namespace, nil, map[string]string{v1alpha1.AnnotationClientIDs: asker.Spec.ClientID}))
	}
	return nil
}

// reportedIdentifier is the one identifier in the namespace of a resource, which was named
// namespace/name and may not be read, that the client's status knows.
func reportedIdentifier(q *question, c *v1alpha1.OAuthClient) string {
	identifier := ""
	for _, r := range c.Status.Roles {
		for _, namespace := range homes(q, c) {
			if r.Namespace != namespace || r.Identifier == "" {
				continue
			}
			if identifier != "" && identifier != r.Identifier {
				return ""
			}
			identifier = r.Identifier
		}
	}
	return identifier
}

// otherClients looks for those that claim the same client id: only one that was chosen can
// be claimed twice.
func (l *looker) otherClients(ctx context.Context) error {
	id := l.w.client.Spec.ClientID
	if id == "" {
		return nil
	}
	var list v1alpha1.OAuthClientList
	if ok, err := l.list(ctx, otherClients, &list, "oauthclients.lanyard.dev", ""); !ok {
		return err
	}
	var looks []func(context.Context) error
	known := map[string]bool{l.w.key.Namespace: true}
	for _, c := range living(pointers(list.Items)) {
		if c.Spec.ClientID != id || client.ObjectKeyFromObject(c) == l.w.key {
			continue
		}
		l.w.clients = append(l.w.clients, c)
		if !known[c.Namespace] {
			known[c.Namespace] = true
			looks = append(looks, func(ctx context.Context) error { return l.namespace(ctx, otherClients, c.Namespace) })
		}
	}
	return cli.Together(ctx, looks...)
}

// theirNamespaces reads the policies of the namespaces whose resources claim the identifier.
func (l *looker) theirNamespaces(ctx context.Context) error {
	var looks []func(context.Context) error
	known := map[string]bool{l.w.key.Namespace: true}
	for _, p := range l.w.resources {
		if !known[p.Namespace] {
			known[p.Namespace] = true
			looks = append(looks, func(ctx context.Context) error { return l.namespace(ctx, otherResources, p.Namespace) })
		}
	}
	return cli.Together(ctx, looks...)
}

func (l *looker) theRoles(ctx context.Context) error {
	if l.w.resource == nil {
		return nil
	}
	var list v1alpha1.AppRoleList
	_, err := l.list(ctx, theRoles, &list, "approles.lanyard.dev", l.w.resource.Namespace)
	l.w.roles = living(pointers(list.Items))
	return err
}

func (l *looker) theAssignments(ctx context.Context) error {
	if l.w.resource == nil {
		return nil
	}
	var list v1alpha1.AppRoleAssignmentList
	_, err := l.list(ctx, theAssignments, &list, "approleassignments.lanyard.dev", l.w.resource.Namespace)
	l.w.assignments = living(pointers(list.Items))
	return err
}

func pointers[T any](items []T) []*T {
	out := make([]*T, len(items))
	for i := range items {
		out[i] = &items[i]
	}
	return out
}
