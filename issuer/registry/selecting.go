package registry

import (
	"slices"
	"sync"

	"github.com/lanyard-dev/lanyard/api/v1alpha1"
	"github.com/lanyard-dev/lanyard/issuer/rules"
)

// selecting are the assignments of one role that select clients by labels. It is never
// changed but for its memory: a writer makes a new one.
type selecting struct {
	all []*v1alpha1.AppRoleAssignment
	// in remembers by *rules.Namespace those of all that speak of clients in it: a role
	// with an approval for each of a hundred teams costs a client of one team one look.
	// Namespaces are never changed either, so that nothing that is remembered can be wrong.
	in sync.Map
}

// of returns the assignments that may speak of clients in ns. The caller must not change
// the list.
func (s *selecting) of(ns *rules.Namespace) []*v1alpha1.AppRoleAssignment {
	if ns == nil {
		return s.all
	}
	if known, ok := s.in.Load(ns); ok {
		return known.([]*v1alpha1.AppRoleAssignment) //nolint:forcetypeassert // nothing else is stored
	}
	var selected []*v1alpha1.AppRoleAssignment
	for _, a := range s.all {
		if rules.CoversIn(a, ns) {
			selected = append(selected, a)
		}
	}
	s.in.Store(ns, selected)
	return selected
}

// setSelecting puts a in the place of old among the assignments of a role that select
// clients: without old it comes, without a it goes. A reader sees what was before or what
// is after, and never neither.
func (r *Registry) setSelecting(role Key, old, a *v1alpha1.AppRoleAssignment) {
	var all []*v1alpha1.AppRoleAssignment
	if before, ok := r.assignmentsBySelector.get(role); ok {
		all = slices.Clone(before.all)
	}
	i := slices.Index(all, old)
	switch {
	case i >= 0 && a == nil:
		all = slices.Delete(all, i, i+1)
	case i >= 0:
		all[i] = a
	case a != nil:
		all = append(all, a)
	}
	if len(all) == 0 {
		r.assignmentsBySelector.del(role)
		return
	}
	r.assignmentsBySelector.set(role, &selecting{all: all})
}

// forgetSelected lets go of what is remembered of a namespace that was replaced, or is
// gone.
func (r *Registry) forgetSelected(ns *rules.Namespace) {
	if ns == nil {
		return
	}
	r.assignmentsBySelector.m.Range(func(_, s any) bool {
		if s, ok := s.(*selecting); ok {
			s.in.Delete(ns)
		}
		return true
	})
}
