package rules

import (
	"slices"
	"strings"

	"github.com/lanyard-dev/lanyard/api/v1alpha1"
)

// Namespace is what the platform decided about a namespace: its labels, and the
// policy in its annotations. A namespace that is not known allows nothing beyond
// what belongs to it by name.
type Namespace struct {
	Name   string
	Labels map[string]string
	// Suspended is the annotation lanyard.dev/suspend.
	Suspended bool

	clientIDs   []string
	identifiers []string
	issuers     []string
}

// ParseNamespace reads the policy of a namespace from its annotations. Entries
// that cannot be read allow nothing.
func ParseNamespace(name string, labels, annotations map[string]string) *Namespace {
	return &Namespace{
		Name:        name,
		Labels:      labels,
		Suspended:   suspends(annotations[v1alpha1.AnnotationSuspend]),
		clientIDs:   list(annotations[v1alpha1.AnnotationClientIDs]),
		identifiers: list(annotations[v1alpha1.AnnotationIdentifiers]),
		issuers:     list(annotations[v1alpha1.AnnotationIssuers]),
	}
}

// suspends reads lanyard.dev/suspend. Whoever writes "True" or "yes" wants to stop
// something at once: what is not plainly a no is a yes.
func suspends(value string) bool {
	switch strings.ToLower(strings.TrimSpace(value)) {
	case "", "false", "no", "0":
		return false
	default:
		return true
	}
}

// list splits a comma-separated annotation and drops blanks.
func list(s string) []string {
	var out []string
	for part := range strings.SplitSeq(s, ",") {
		if part = strings.TrimSpace(part); part != "" {
			out = append(out, part)
		}
	}
	return out
}

// allowsClientID says whether the annotation lists id: exactly, or by a prefix
// followed by "*". A bare "*" is a prefix of everything, and the platform's own choice.
func (n *Namespace) allowsClientID(id string) bool {
	return slices.ContainsFunc(n.clientIDs, func(entry string) bool {
		if prefix, ok := strings.CutSuffix(entry, "*"); ok {
			return strings.HasPrefix(id, prefix)
		}
		return id == entry
	})
}

// allowsIdentifier says whether the annotation lists identifier: exactly, or by a
// prefix ending in "/*". A bare "*" allows nothing: it would hand every audience
// of the cluster, the API server's own included, to one namespace.
func (n *Namespace) allowsIdentifier(identifier string) bool {
	return slices.ContainsFunc(n.identifiers, func(entry string) bool {
		if prefix, ok := strings.CutSuffix(entry, "/*"); ok {
			// A prefix must at least name a host, or https://* would be a bare star.
			_, rest, found := strings.Cut(prefix, ":")
			return found && strings.Trim(rest, "/") != "" && strings.HasPrefix(identifier, prefix+"/")
		}
		return identifier == entry && entry != "*"
	})
}
