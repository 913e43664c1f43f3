package consent

import (
	"crypto/sha256"
	"encoding/base32"
	"fmt"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/lanyard-dev/lanyard/api/v1alpha1"
	"github.com/lanyard-dev/lanyard/issuer/rules"
)

// wish is what a person wants to be so.
type wish struct {
	client   types.NamespacedName
	role     types.NamespacedName
	decision v1alpha1.Decision
	until    until   // not said: an approval that has not ended keeps its end
	reason   *string // nil: not said; it is kept as long as the decision is
}

// facts is what a plan rests on.
type facts struct {
	// assignments are all of the role's namespace.
	assignments []*v1alpha1.AppRoleAssignment
	// client is the OAuthClient; nil: there is none, or it may not be read.
	client *v1alpha1.OAuthClient
	// namespace is the client's; nil: it may not be read.
	namespace *rules.Namespace
}

// plan is what has to be written so that a wish holds.
type plan struct {
	// create is an assignment to make; nil: none.
	create *v1alpha1.AppRoleAssignment
	// change are the assignments that speak of this client and say something else.
	change []change
	// kept are those that say it already.
	kept []*v1alpha1.AppRoleAssignment
	// obstacle says why nothing that is written here would make the wish hold; empty:
	// nothing stands in the way.
	obstacle string
	// notes say what else decides, for the person to know.
	notes []string
}

type change struct{ before, after *v1alpha1.AppRoleAssignment }

// planFor brings every assignment that names the client and the role to what is
// wanted, and makes one if there is none: of several, one that was forgotten would
// decide instead. Assignments with a selector speak of other clients, too, and are
// never changed.
func planFor(w wish, f facts, now time.Time) plan {
	var p plan
	taken := map[string]bool{}
	for _, a := range f.assignments {
		taken[a.Name] = true
		if a.Spec.RoleRef.Name != w.role.Name {
			continue
		}
		ref := a.Spec.ClientRef
		switch {
		case ref == nil:
			p.weigh(a, w, f, now)
		case ref.Namespace == w.client.Namespace && ref.Name == w.client.Name:
			p.bring(a, w, now)
		}
	}
	if len(p.change)+len(p.kept) == 0 {
		a := &v1alpha1.AppRoleAssignment{ObjectMeta: metav1.ObjectMeta{Namespace: w.role.Namespace, Name: nameOf(w, taken)}}
		a.Spec.RoleRef.Name = w.role.Name
		a.Spec.ClientRef = &v1alpha1.ClientReference{Namespace: w.client.Namespace, Name: w.client.Name}
		set(&a.Spec, w, now)
		p.create = a
	}
	return p
}

// bring has assignment a say what is wanted.
func (p *plan) bring(a *v1alpha1.AppRoleAssignment, w wish, now time.Time) {
	after := a.DeepCopy()
	set(&after.Spec, w, now)
	same := a.Spec.Decision == after.Spec.Decision && a.Spec.Reason == after.Spec.Reason && a.Spec.ExpiresAt.Equal(after.Spec.ExpiresAt)
	if same {
		p.kept = append(p.kept, a)
		return
	}
	p.change = append(p.change, change{before: a, after: after})
}

// set writes what is wanted into an assignment.
func set(s *v1alpha1.AppRoleAssignmentSpec, w wish, now time.Time) {
	ended := s.ExpiresAt != nil && !now.Before(s.ExpiresAt.Time)
	switch {
	case w.decision != v1alpha1.DecisionApproved, !w.until.said && ended, w.until.said && w.until.at.IsZero():
		s.ExpiresAt = nil
	case w.until.said:
		s.ExpiresAt = &metav1.Time{Time: w.until.at}
	}
	switch {
	case w.reason != nil:
		s.Reason = *w.reason
	case s.Decision != w.decision:
		s.Reason = "" // it spoke of the other decision
	}
	s.Decision = w.decision
}

// weigh says what an assignment with a selector does to an approval. A denial needs no
// look: it outweighs everything.
func (p *plan) weigh(a *v1alpha1.AppRoleAssignment, w wish, f facts, now time.Time) {
	if w.decision != v1alpha1.DecisionApproved {
		return
	}
	name := a.Namespace + "/" + a.Name
	denies := a.Spec.Decision != v1alpha1.DecisionApproved
	if f.namespace == nil {
		if denies {
			p.notes = append(p.notes, fmt.Sprintf(
				"AppRoleAssignment %s denies the role to %s, and a denial outweighs every approval; whether namespace %s is one of them is not known here, as you may not read it",
				name, selected(a.Spec.ClientSelector), w.client.Namespace))
		}
		return
	}
	c := f.client
	if c == nil {
		c = &v1alpha1.OAuthClient{ObjectMeta: metav1.ObjectMeta{Namespace: w.client.Namespace, Name: w.client.Name}}
	}
	if !rules.Covers(a, c, f.namespace) {
		return
	}
	if denies {
		p.obstacle = fmt.Sprintf(
			"AppRoleAssignment %s denies the role to %s, and a denial outweighs every approval. Delete it, or replace it by one that selects fewer namespaces, then approve again",
			name, selected(a.Spec.ClientSelector))
		return
	}
	if ends := a.Spec.ExpiresAt; w.until.said && !w.until.at.IsZero() && (ends == nil || ends.After(w.until.at)) && (ends == nil || ends.After(now)) {
		p.notes = append(p.notes, fmt.Sprintf(
			"AppRoleAssignment %s approves the role for %s for longer; of several approvals the one that lasts longest counts", name, selected(a.Spec.ClientSelector)))
	}
}

// selected names the clients that a selector selects.
func selected(s *v1alpha1.ClientSelector) string {
	if s == nil {
		return "every client"
	}
	text := "the clients of namespaces with " + metav1.FormatLabelSelector(&s.NamespaceSelector)
	if s.LabelSelector != nil {
		text += " that have " + metav1.FormatLabelSelector(s.LabelSelector)
	}
	return text
}

// nameOf is the name of a new assignment: <client's namespace>-<client>-<role>, with
// the beginning of a hash of these behind it where that is too long, or taken by the
// assignment of another client, as a-b/c and a/b-c read the same.
func nameOf(w wish, taken map[string]bool) string {
	name := strings.Join([]string{w.client.Namespace, w.client.Name, w.role.Name}, "-")
	if len(name) <= validation.DNS1123SubdomainMaxLength && !taken[name] {
		return name
	}
	const hashed = 8
	sum := sha256.Sum256([]byte(w.client.String() + "/" + w.role.Name))
	suffix := "-" + strings.ToLower(base32.StdEncoding.EncodeToString(sum[:]))[:hashed]
	return strings.TrimRight(name[:min(len(name), validation.DNS1123SubdomainMaxLength-len(suffix))], "-.") + suffix
}
