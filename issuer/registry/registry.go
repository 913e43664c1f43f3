package registry

import (
	"maps"
	"sync"

	"github.com/lanyard-dev/lanyard/api/v1alpha1"
	"github.com/lanyard-dev/lanyard/issuer/rules"
)

// Registry holds the objects. Use New.
type Registry struct {
	clusterDomain string

	// mu is for writers. What is read is in tables.
	mu sync.Mutex

	namespaces  table[string, *rules.Namespace]
	clients     table[Key, *v1alpha1.OAuthClient]
	certs       table[Key, *rules.Certificate]
	resources   table[Key, *v1alpha1.ProtectedResource]
	roles       table[Key, *v1alpha1.AppRole]
	assignments table[Key, *v1alpha1.AppRoleAssignment]

	clientIDs   claims[string, *v1alpha1.OAuthClient]
	identifiers claims[string, *v1alpha1.ProtectedResource]
	roleValues  claims[roleValue, *v1alpha1.AppRole]

	clientsByServiceAccount lists[Key, *v1alpha1.OAuthClient]
	certsByClient           lists[Key, *rules.Certificate]
	assignmentsByClient     lists[roleClient, *v1alpha1.AppRoleAssignment]
	assignmentsBySelector   table[Key, *selecting]

	revoked   table[string, int] // by jti: how many objects say so
	revokedBy table[string, int] // by client id: how many tokens

	// For writers only: the revocations, and what a change of a namespace touches, and how many there are.
	revocations map[Key]*v1alpha1.TokenRevocation
	clientsIn   map[string]map[Key]*v1alpha1.OAuthClient
	resourcesIn map[string]map[Key]*v1alpha1.ProtectedResource
	sizes       map[string]int
}

// roleValue is what must be unique on a resource.
type roleValue struct {
	resource Key
	value    string
}

// roleClient is a role and the one client that an assignment names.
type roleClient struct{ role, client Key }

// New returns an empty registry. clusterDomain is the cluster's DNS domain, which
// decides whose identifier the URL of a service is.
func New(clusterDomain string) *Registry {
	return &Registry{
		clusterDomain: clusterDomain,
		clientIDs:     newClaims[string, *v1alpha1.OAuthClient](),
		identifiers:   newClaims[string, *v1alpha1.ProtectedResource](),
		roleValues:    newClaims[roleValue, *v1alpha1.AppRole](),
		revocations:   map[Key]*v1alpha1.TokenRevocation{},
		clientsIn:     map[string]map[Key]*v1alpha1.OAuthClient{},
		resourcesIn:   map[string]map[Key]*v1alpha1.ProtectedResource{},
		sizes:         map[string]int{},
	}
}

// Sizes returns how many objects there are of each kind.
func (r *Registry) Sizes() map[string]int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return maps.Clone(r.sizes)
}

// ApplyNamespace adds or replaces what the platform decided about a namespace.
func (r *Registry) ApplyNamespace(ns *rules.Namespace) {
	r.mu.Lock()
	defer r.mu.Unlock()
	old, ok := r.namespaces.get(ns.Name)
	if !ok {
		r.sizes["Namespace"]++
	}
	r.namespaces.set(ns.Name, ns)
	r.forgetSelected(old)
	r.judgeNamespace(ns.Name)
}

// DeleteNamespace forgets a namespace; nothing in it is allowed any more.
func (r *Registry) DeleteNamespace(name string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	old, ok := r.namespaces.get(name)
	if !ok {
		return
	}
	r.sizes["Namespace"]--
	r.namespaces.del(name)
	r.forgetSelected(old)
	r.judgeNamespace(name)
}

// judgeNamespace asks again who may take part in conflicts.
func (r *Registry) judgeNamespace(name string) {
	for _, c := range r.clientsIn[name] {
		r.claimClient(c)
	}
	for _, p := range r.resourcesIn[name] {
		r.claimResource(p)
	}
}

func (r *Registry) claimClient(c *v1alpha1.OAuthClient) {
	if rules.ClientIDAllowed(c, r.namespace(c.Namespace)) {
		r.clientIDs.claim(rules.ClientID(c), c)
	} else {
		r.clientIDs.release(rules.ClientID(c), keyOf(c))
	}
}

func (r *Registry) claimResource(p *v1alpha1.ProtectedResource) {
	if rules.IdentifierAllowed(p.Spec.Identifier, r.namespace(p.Namespace), r.clusterDomain) {
		r.identifiers.claim(p.Spec.Identifier, p)
	} else {
		r.identifiers.release(p.Spec.Identifier, keyOf(p))
	}
}

func (r *Registry) namespace(name string) *rules.Namespace {
	ns, _ := r.namespaces.get(name)
	return ns
}

// ApplyClient adds or replaces a client.
func (r *Registry) ApplyClient(c *v1alpha1.OAuthClient) {
	r.mu.Lock()
	defer r.mu.Unlock()
	k := keyOf(c)
	old, had := r.clients.get(k)
	r.count("OAuthClient", had)
	r.clients.set(k, c)
	for _, sa := range c.Spec.Authentication.ServiceAccounts {
		r.clientsByServiceAccount.put(Key{k.Namespace, sa.Name}, old, c)
	}
	remember(r.clientsIn, k, c)
	r.claimClient(c)
	if !had {
		return
	}
	for _, sa := range old.Spec.Authentication.ServiceAccounts {
		r.clientsByServiceAccount.remove(Key{k.Namespace, sa.Name}, old)
	}
	if rules.ClientID(old) != rules.ClientID(c) {
		r.clientIDs.release(rules.ClientID(old), k)
	}
}

// count counts one more object of a kind, unless there was one already.
func (r *Registry) count(kind string, had bool) {
	if !had {
		r.sizes[kind]++
	}
}

// remember and forget keep the objects of a namespace.
func remember[V any](in map[string]map[Key]V, k Key, v V) {
	if in[k.Namespace] == nil {
		in[k.Namespace] = map[Key]V{}
	}
	in[k.Namespace][k] = v
}

func forget[V any](in map[string]map[Key]V, k Key) {
	delete(in[k.Namespace], k)
	if len(in[k.Namespace]) == 0 {
		delete(in, k.Namespace)
	}
}

// DeleteClient forgets a client.
func (r *Registry) DeleteClient(namespace, name string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	k := Key{namespace, name}
	old, ok := r.clients.get(k)
	if !ok {
		return
	}
	r.sizes["OAuthClient"]--
	r.clients.del(k)
	for _, sa := range old.Spec.Authentication.ServiceAccounts {
		r.clientsByServiceAccount.remove(Key{namespace, sa.Name}, old)
	}
	forget(r.clientsIn, k)
	r.clientIDs.release(rules.ClientID(old), k)
}

// ApplyCertificate adds or replaces a client certificate, of which it keeps what
// rules.ReadCertificate reads.
func (r *Registry) ApplyCertificate(cc *v1alpha1.ClientCertificate) {
	c := rules.ReadCertificate(cc)
	r.mu.Lock()
	defer r.mu.Unlock()
	old, had := r.certs.get(keyOf(c))
	r.count("ClientCertificate", had)
	r.certs.set(keyOf(c), c)
	r.certsByClient.put(clientOf(c), old, c)
	if had && clientOf(old) != clientOf(c) {
		r.certsByClient.remove(clientOf(old), old)
	}
}

func clientOf(c *rules.Certificate) Key { return Key{c.Namespace, c.Spec.ClientRef.Name} }

// DeleteCertificate forgets a client certificate and its pins.
func (r *Registry) DeleteCertificate(namespace, name string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	k := Key{namespace, name}
	if old, ok := r.certs.get(k); ok {
		r.sizes["ClientCertificate"]--
		r.certs.del(k)
		r.certsByClient.remove(clientOf(old), old)
	}
}

// ApplyResource adds or replaces a resource.
func (r *Registry) ApplyResource(p *v1alpha1.ProtectedResource) {
	r.mu.Lock()
	defer r.mu.Unlock()
	k := keyOf(p)
	old, had := r.resources.get(k)
	r.count("ProtectedResource", had)
	r.resources.set(k, p)
	remember(r.resourcesIn, k, p)
	r.claimResource(p)
	if had && old.Spec.Identifier != p.Spec.Identifier {
		r.identifiers.release(old.Spec.Identifier, k)
	}
}

// DeleteResource forgets a resource.
func (r *Registry) DeleteResource(namespace, name string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	k := Key{namespace, name}
	if old, ok := r.resources.get(k); ok {
		r.sizes["ProtectedResource"]--
		r.resources.del(k)
		forget(r.resourcesIn, k)
		r.identifiers.release(old.Spec.Identifier, k)
	}
}

// ApplyRole adds or replaces a role.
func (r *Registry) ApplyRole(role *v1alpha1.AppRole) {
	r.mu.Lock()
	defer r.mu.Unlock()
	k := keyOf(role)
	old, had := r.roles.get(k)
	r.count("AppRole", had)
	r.roles.set(k, role)
	r.roleValues.claim(valueOf(role), role)
	if had && valueOf(old) != valueOf(role) {
		r.roleValues.release(valueOf(old), k)
	}
}

// DeleteRole forgets a role.
func (r *Registry) DeleteRole(namespace, name string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	k := Key{namespace, name}
	if old, ok := r.roles.get(k); ok {
		r.sizes["AppRole"]--
		r.roles.del(k)
		r.roleValues.release(valueOf(old), k)
	}
}

func valueOf(role *v1alpha1.AppRole) roleValue {
	return roleValue{Key{role.Namespace, role.Spec.ResourceRef.Name}, role.Spec.Value}
}

// ApplyAssignment adds or replaces an assignment.
func (r *Registry) ApplyAssignment(a *v1alpha1.AppRoleAssignment) {
	r.mu.Lock()
	defer r.mu.Unlock()
	old, had := r.assignments.get(keyOf(a))
	r.count("AppRoleAssignment", had)
	r.assignments.set(keyOf(a), a)
	r.listAssignment(old, a)
	if had && (roleOf(old) != roleOf(a) || namedClient(old) != namedClient(a)) {
		r.unlistAssignment(old)
	}
}

// DeleteAssignment forgets an assignment.
func (r *Registry) DeleteAssignment(namespace, name string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	k := Key{namespace, name}
	if old, ok := r.assignments.get(k); ok {
		r.sizes["AppRoleAssignment"]--
		r.assignments.del(k)
		r.unlistAssignment(old)
	}
}

func (r *Registry) listAssignment(old, a *v1alpha1.AppRoleAssignment) {
	if client := namedClient(a); client != (Key{}) {
		r.assignmentsByClient.put(roleClient{roleOf(a), client}, old, a)
		return
	}
	r.setSelecting(roleOf(a), old, a)
}

func (r *Registry) unlistAssignment(old *v1alpha1.AppRoleAssignment) {
	if client := namedClient(old); client != (Key{}) {
		r.assignmentsByClient.remove(roleClient{roleOf(old), client}, old)
		return
	}
	r.setSelecting(roleOf(old), old, nil)
}

func roleOf(a *v1alpha1.AppRoleAssignment) Key { return Key{a.Namespace, a.Spec.RoleRef.Name} }

// namedClient is the one client that a names; the zero Key if it selects clients.
func namedClient(a *v1alpha1.AppRoleAssignment) Key {
	if ref := a.Spec.ClientRef; ref != nil {
		return Key{ref.Namespace, ref.Name}
	}
	return Key{}
}
