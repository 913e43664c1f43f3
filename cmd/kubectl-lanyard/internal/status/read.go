package status

import (
	"context"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/lanyard-dev/lanyard/api/v1alpha1"
	"github.com/lanyard-dev/lanyard/cmd/kubectl-lanyard/internal/cli"
)

// reader reads what reports are made of: all of a report at once.
type reader struct{ client.Reader }

// maxRead is how many warnings of a namespace are looked at.
const maxRead = 500

// warnings reads the namespace's warnings about Lanyard's kinds. Who may not read events
// gets the rest of the report.
func (r reader) warnings(namespace string, into *[]corev1.Event) func(context.Context) error {
	return cli.Optional(func(ctx context.Context) error {
		var list corev1.EventList
		err := r.List(ctx, &list, client.InNamespace(namespace), client.Limit(maxRead), client.MatchingFieldsSelector{
			Selector: fields.SelectorFromSet(fields.Set{
				"type": corev1.EventTypeWarning, "involvedObject.apiVersion": v1alpha1.SchemeGroupVersion.String(),
			}),
		})
		*into = list.Items
		return err
	})
}

func (r reader) client(ctx context.Context, key types.NamespacedName) (clientFacts, error) {
	f := clientFacts{client: &v1alpha1.OAuthClient{}}
	err := cli.Together(ctx,
		func(ctx context.Context) error { return cli.Get(ctx, r, "OAuthClient", key, f.client) },
		func(ctx context.Context) error {
			var list v1alpha1.ClientCertificateList
			err := r.List(ctx, &list, client.InNamespace(key.Namespace))
			f.certificates = list.Items
			return err
		},
		r.warnings(key.Namespace, &f.events),
		r.notInjected(key.Namespace, &f.pods),
	)
	if err != nil {
		return f, err
	}
	f.assignments, err = r.deciding(ctx, f.client)
	return f, err
}

// deciding reads the assignments that decided on a client's roles. They are the other
// side's: what may not be read is left out.
func (r reader) deciding(ctx context.Context, c *v1alpha1.OAuthClient) (map[types.NamespacedName]*v1alpha1.AppRoleAssignment, error) {
	found := map[types.NamespacedName]*v1alpha1.AppRoleAssignment{}
	var reads []func(context.Context) error
	for _, role := range c.Status.Roles {
		key := types.NamespacedName{Namespace: role.Namespace, Name: role.Assignment}
		if role.Assignment == "" || found[key] != nil {
			continue
		}
		a := &v1alpha1.AppRoleAssignment{}
		found[key] = a
		reads = append(reads, cli.Optional(func(ctx context.Context) error { return r.Get(ctx, key, a) }))
	}
	return found, cli.Together(ctx, reads...)
}

// api reads what a namespace has of the API's side.
func (r reader) api(ctx context.Context, namespace string, also ...func(context.Context) error) (apiFacts, error) {
	var f apiFacts
	err := cli.Together(ctx, append(also,
		func(ctx context.Context) error {
			var list v1alpha1.AppRoleList
			err := r.List(ctx, &list, client.InNamespace(namespace))
			f.roles = list.Items
			return err
		},
		func(ctx context.Context) error {
			var list v1alpha1.AppRoleAssignmentList
			err := r.List(ctx, &list, client.InNamespace(namespace))
			f.assignments = list.Items
			return err
		},
		r.warnings(namespace, &f.events),
	)...)
	return f, err
}

func (r reader) resource(ctx context.Context, key types.NamespacedName) (apiFacts, error) {
	p := &v1alpha1.ProtectedResource{}
	f, err := r.api(ctx, key.Namespace, func(ctx context.Context) error { return cli.Get(ctx, r, "ProtectedResource", key, p) })
	f.resource = p
	return f, err
}

func (r reader) role(ctx context.Context, key types.NamespacedName) (*v1alpha1.AppRole, apiFacts, error) {
	role := &v1alpha1.AppRole{}
	f, err := r.api(ctx, key.Namespace, func(ctx context.Context) error { return cli.Get(ctx, r, "AppRole", key, role) })
	if err != nil {
		return role, f, err
	}
	p := &v1alpha1.ProtectedResource{}
	err = cli.Optional(func(ctx context.Context) error {
		return r.Get(ctx, types.NamespacedName{Namespace: key.Namespace, Name: role.Spec.ResourceRef.Name}, p)
	})(ctx)
	if p.Name != "" {
		f.resource = p
	}
	return role, f, err
}

// kindNamed says of which kind the object of that name is: a client, else a resource,
// else a role.
func (r reader) kindNamed(ctx context.Context, key types.NamespacedName) (string, error) {
	candidates := []client.Object{&v1alpha1.OAuthClient{}, &v1alpha1.ProtectedResource{}, &v1alpha1.AppRole{}}
	var reads []func(context.Context) error
	for _, o := range candidates {
		reads = append(reads, cli.Optional(func(ctx context.Context) error { return r.Get(ctx, key, o) }))
	}
	if err := cli.Together(ctx, reads...); err != nil {
		return "", err
	}
	for i, o := range candidates {
		if o.GetName() != "" {
			return kinds[i].kind, nil
		}
	}
	var names []string
	for _, k := range kinds {
		some, err := cli.Names(ctx, r, k.kind, key.Namespace)
		if err != nil {
			return "", err
		}
		names = append(names, some...)
	}
	return "", cli.Missing("client, resource or role", key.Namespace, key.Name, names)
}

// overview reads a namespace; empty: all of them.
func (r reader) overview(ctx context.Context, namespace string) (overviewFacts, error) {
	var clients v1alpha1.OAuthClientList
	var certificates v1alpha1.ClientCertificateList
	var resources v1alpha1.ProtectedResourceList
	var roles v1alpha1.AppRoleList
	list := func(into client.ObjectList) func(context.Context) error {
		return func(ctx context.Context) error { return r.List(ctx, into, client.InNamespace(namespace)) }
	}
	var pods []metav1.PartialObjectMetadata
	err := cli.Together(ctx, list(&clients), list(&certificates), list(&resources), list(&roles), r.notInjected(namespace, &pods))
	return overviewFacts{clients.Items, certificates.Items, resources.Items, roles.Items, pods}, err
}
