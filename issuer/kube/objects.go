package kube

import (
	"log/slog"
	"sync"

	"github.com/prometheus/client_golang/prometheus"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"

	"github.com/lanyard-dev/lanyard/api/v1alpha1"
	"github.com/lanyard-dev/lanyard/issuer/registry"
	"github.com/lanyard-dev/lanyard/issuer/rules"
)

// objects is the sink of a kind that the registry keeps. It remembers only which
// there are, to find out what a new list leaves out.
type objects struct {
	kind    string
	apply   apply
	remove  func(namespace, name string)
	skipped prometheus.Counter
	log     *slog.Logger

	mu    sync.Mutex // revocations come from two sides: by watch, and from who stores them
	known map[types.NamespacedName]struct{}
}

// apply hands an object to the registry. False: it was deleted, and counts as absent
// although a finalizer holds it. An error: it cannot be read.
type apply func(o object) (present bool, err error)

func nameOf(o metav1.Object) types.NamespacedName {
	return types.NamespacedName{Namespace: o.GetNamespace(), Name: o.GetName()}
}

func (s *objects) put(o object) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.hand(o)
}

func (s *objects) drop(o object) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.forget(nameOf(o))
}

// hand hands one object over. One that cannot be read counts as absent, so that it
// neither stops the others nor goes on under what it said before.
func (s *objects) hand(o object) {
	present, err := s.apply(o)
	if err != nil {
		s.skipped.Inc()
		s.log.Error("an object cannot be read and counts as absent", "kind", s.kind, "namespace", o.GetNamespace(), "name", o.GetName(), "error", err)
	}
	if !present {
		s.forget(nameOf(o))
		return
	}
	s.known[nameOf(o)] = struct{}{}
}

func (s *objects) forget(k types.NamespacedName) {
	if _, ok := s.known[k]; ok {
		delete(s.known, k)
		s.remove(k.Namespace, k.Name)
	}
}

func (s *objects) replace(all []object) {
	s.mu.Lock()
	defer s.mu.Unlock()
	listed := make(map[types.NamespacedName]struct{}, len(all))
	for _, o := range all {
		listed[nameOf(o)] = struct{}{}
	}
	for k := range s.known {
		if _, ok := listed[k]; !ok {
			s.forget(k)
		}
	}
	for _, o := range all {
		s.hand(o)
	}
}

// decode returns an apply for objects of Go type T: each object is decoded on its
// own, made small, and handed over, unless it was deleted.
func decode[T any, P interface {
	*T
	metav1.Object
}](hand func(P), shrink func(P)) apply {
	return func(o object) (bool, error) {
		u, ok := o.(*unstructured.Unstructured)
		if !ok {
			return false, errUnexpectedType
		}
		p := P(new(T))
		if err := runtime.DefaultUnstructuredConverter.FromUnstructured(u.Object, p); err != nil {
			return false, err
		}
		if rules.Gone(p) {
			return false, nil
		}
		p.SetManagedFields(nil)
		p.SetAnnotations(nil)
		p.SetOwnerReferences(nil)
		p.SetFinalizers(nil)
		shrink(p)
		hand(p)
		return true, nil
	}
}

func applyClient(r *registry.Registry) apply {
	return decode(r.ApplyClient, func(c *v1alpha1.OAuthClient) {
		// From status only the hashes of secrets are trusted. Those that have ended are
		// kept: whether they have is judged at each request.
		c.Status = v1alpha1.OAuthClientStatus{ClientSecrets: c.Status.ClientSecrets}
	})
}

func applyCertificate(r *registry.Registry) apply {
	return decode(r.ApplyCertificate, func(c *v1alpha1.ClientCertificate) {
		// From status only the pins are trusted. Their certificates are many times as
		// large as what a request needs of them; the registry reads them, and keeps that.
		c.Status = v1alpha1.ClientCertificateStatus{Pins: c.Status.Pins}
	})
}

func applyResource(r *registry.Registry) apply {
	return decode(r.ApplyResource, func(p *v1alpha1.ProtectedResource) { p.Status = v1alpha1.ProtectedResourceStatus{} })
}

func applyRole(r *registry.Registry) apply {
	return decode(r.ApplyRole, func(role *v1alpha1.AppRole) {
		role.Status = v1alpha1.AppRoleStatus{}
		role.Spec.Description = ""
	})
}

func applyAssignment(r *registry.Registry) apply {
	return decode(r.ApplyAssignment, func(a *v1alpha1.AppRoleAssignment) {
		a.Status = v1alpha1.AppRoleAssignmentStatus{}
		a.Spec.Reason = ""
	})
}

func applyRevocation(r *registry.Registry) apply {
	return decode(r.ApplyRevocation, func(*v1alpha1.TokenRevocation) {})
}

// applyNamespace reads a namespace's policy from its metadata. While a namespace is
// being deleted its policy holds for what is still in it.
func applyNamespace(r *registry.Registry) apply {
	return func(o object) (bool, error) {
		r.ApplyNamespace(rules.ParseNamespace(o.GetName(), o.GetLabels(), o.GetAnnotations()))
		return true, nil
	}
}
