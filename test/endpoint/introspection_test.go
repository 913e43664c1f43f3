package endpoint

import (
	"crypto/tls"
	"fmt"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/lanyard-dev/lanyard/api/v1alpha1"
)

// held is a token that somebody holds, and what it came from.
type held struct {
	*world
	t      *testing.T
	client *v1alpha1.OAuthClient
	pod    *corev1.Pod
	pair   *tls.Certificate
	token  string
	// api authenticates the API's own client.
	api string
}

// holds has a pod fetch a token, bound to a certificate if the test is about one.
func (s *stage) holds(t *testing.T, bound bool) *held {
	t.Helper()
	h := &held{world: s.newWorld(t, unbound), t: t}
	h.client = h.world.client(t, "checkout", byAccount("checkout"), func(c *v1alpha1.OAuthClient) {
		c.Spec.TokenBinding = v1alpha1.TokenBindingNone
		if bound {
			c.Spec.TokenBinding = v1alpha1.TokenBindingMTLS
		}
	})
	if bound {
		pair := h.certificate(t, "checkout")
		h.pair = &pair
	}
	h.pod = h.world.pod(t, h.shop, "checkout", "checkout-0")
	h.token = h.world.token(t, request{
		form:        with(federated(h.assertion(t, h.pod)), "grant_type", "client_credentials", "scope", h.scope()),
		certificate: h.pair,
	}).AccessToken
	h.api = h.introspector(t, h.orders)
	return h
}

// introspector declares a client that may ask about tokens for its namespace, and
// returns its assertion.
func (w *world) introspector(t *testing.T, namespace string) string {
	t.Helper()
	create(t, w.stage, &v1alpha1.OAuthClient{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "api"},
		Spec:       v1alpha1.OAuthClientSpec{Authentication: byAccount("api")},
	})
	return w.assertion(t, w.pod(t, namespace, "api", "api-0"))
}

// active asks one issuer about the token, and returns an error unless it says so.
func (h *held) active(t *testing.T, second, want bool) error {
	t.Helper()
	a := h.post(t, request{path: introspectPath, form: with(federated(h.api), "token", h.token), second: second})
	if a.status != 200 || a.Active != want {
		return fmt.Errorf("introspection answers %d %s; want active: %v", a.status, a.raw, want)
	}
	return nil
}

// both asks both issuers.
func (h *held) both(t *testing.T, want bool) error {
	t.Helper()
	for _, second := range []bool{false, true} {
		if err := h.active(t, second, want); err != nil {
			return fmt.Errorf("second issuer: %v: %w", second, err)
		}
	}
	return nil
}

// introspection: a token is inactive everywhere within a second of whatever ends it.
func (s *stage) introspection(t *testing.T) {
	for name, c := range map[string]struct {
		bound bool
		end   func(*held)
	}{
		"its client is suspended": {end: func(h *held) {
			change(h.t, s, h.client, func(c *v1alpha1.OAuthClient) { c.Spec.Suspend = true })
		}},
		"its client is deleted": {end: func(h *held) { s.remove(h.t, h.client) }},
		"the client's namespace is suspended": {end: func(h *held) {
			change(h.t, s, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: h.shop}}, func(n *corev1.Namespace) {
				n.Annotations = map[string]string{v1alpha1.AnnotationSuspend: "true"}
			})
		}},
		"its pod is deleted": {end: func(h *held) { s.remove(h.t, h.pod) }},
		"its service account is deleted": {end: func(h *held) {
			s.remove(h.t, &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: h.shop, Name: "checkout"}})
		}},
		"its certificate is distrusted": {bound: true, end: func(h *held) {
			cc := &v1alpha1.ClientCertificate{ObjectMeta: metav1.ObjectMeta{Namespace: h.shop, Name: "checkout"}}
			change(h.t, s, cc, func(cc *v1alpha1.ClientCertificate) {
				cc.Spec.Distrust = []v1alpha1.Thumbprint{v1alpha1.Thumbprint(thumbprint(h.pair))}
			})
		}},
		"its ClientCertificate is deleted": {bound: true, end: func(h *held) {
			s.remove(h.t, &v1alpha1.ClientCertificate{ObjectMeta: metav1.ObjectMeta{Namespace: h.shop, Name: "checkout"}})
		}},
		"the assignment is deleted": {end: func(h *held) {
			s.remove(h.t, &v1alpha1.AppRoleAssignment{ObjectMeta: metav1.ObjectMeta{Namespace: h.orders, Name: "checkout"}})
		}},
		"the role is denied": {end: func(h *held) {
			create(h.t, s, &v1alpha1.AppRoleAssignment{
				ObjectMeta: metav1.ObjectMeta{Namespace: h.orders, Name: "no"},
				Spec: v1alpha1.AppRoleAssignmentSpec{
					RoleRef: v1alpha1.LocalReference{Name: "read"}, Decision: v1alpha1.DecisionDenied,
					ClientRef: &v1alpha1.ClientReference{Namespace: h.shop, Name: "checkout"},
				},
			})
		}},
		"the role is deleted": {end: func(h *held) {
			s.remove(h.t, &v1alpha1.AppRole{ObjectMeta: metav1.ObjectMeta{Namespace: h.orders, Name: "read"}})
		}},
		"the resource is suspended": {end: func(h *held) {
			r := &v1alpha1.ProtectedResource{ObjectMeta: metav1.ObjectMeta{Namespace: h.orders, Name: "orders"}}
			change(h.t, s, r, func(r *v1alpha1.ProtectedResource) { r.Spec.Suspend = true })
		}},
		"the resource is deleted": {end: func(h *held) {
			s.remove(h.t, &v1alpha1.ProtectedResource{ObjectMeta: metav1.ObjectMeta{Namespace: h.orders, Name: "orders"}})
		}},
	} {
		t.Run(name, func(t *testing.T) {
			within(t, name, func() func() error {
				h := s.holds(t, c.bound)
				h.eventually(t, func() error { return h.both(t, true) })
				c.end(h)
				return func() error { return h.both(t, false) }
			})
		})
	}
}

// introspectors: who may ask about a token.
func (s *stage) introspectors(t *testing.T) {
	h := s.holds(t, true)
	h.eventually(t, func() error { return h.both(t, true) })

	t.Run("the API is told what the token says", func(t *testing.T) {
		a := h.post(t, request{path: introspectPath, form: with(federated(h.api), "token", h.token)})
		if a.Sub != h.id("checkout") || string(a.Cnf) != fmt.Sprintf(`{"x5t#S256":%q}`, thumbprint(h.pair)) {
			t.Errorf("got %s", a.raw)
		}
	})
	t.Run("a client is told of its own token", func(t *testing.T) {
		a := h.post(t, request{path: introspectPath, form: with(federated(h.assertion(t, h.pod)), "token", h.token)})
		if !a.Active {
			t.Errorf("got %d %s", a.status, a.raw)
		}
	})
	t.Run("another namespace is told nothing", func(t *testing.T) {
		stranger := s.newWorld(t)
		api := stranger.introspector(t, stranger.orders)
		h.eventually(t, func() error {
			a := h.post(t, request{path: introspectPath, form: with(federated(api), "token", h.token)})
			if a.raw != "{\"active\":false}\n" && a.raw != `{"active":false}` {
				return fmt.Errorf("got %d %s", a.status, a.raw)
			}
			return nil
		})
	})
	t.Run("what is no token is inactive", func(t *testing.T) {
		for _, token := range []string{"x", h.api, h.token + "A", h.token[:len(h.token)-2]} {
			a := h.post(t, request{path: introspectPath, form: with(federated(h.api), "token", token)})
			if a.status != 200 || a.Active {
				t.Errorf("got %d %s", a.status, a.raw)
			}
		}
	})
	t.Run("a stranger is refused", func(t *testing.T) {
		a := h.post(t, request{path: introspectPath, form: with(federated("x.y.z"), "token", h.token)})
		if a.status != 401 {
			t.Errorf("got %d %s", a.status, a.raw)
		}
	})
}
