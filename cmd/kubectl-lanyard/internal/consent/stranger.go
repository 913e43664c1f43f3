package consent

import (
	"fmt"
	"slices"
	"strings"

	"k8s.io/utils/ptr"

	"github.com/lanyard-dev/lanyard/api/v1alpha1"
	"github.com/lanyard-dev/lanyard/cmd/kubectl-lanyard/internal/cli"
)

// stranger says that nobody knows the client of w, whose name may be misspelt, and what
// may have been meant; empty: it is known, or nobody can tell. It is no refusal: a
// decision may come before its client.
func stranger(w wish, seen observed) string {
	switch {
	case seen.missing != nil:
		text := seen.missing.Error()
		if !strings.HasSuffix(text, "?") {
			text += "."
		}
		return text
	case !seen.unread, seen.names(w):
		return ""
	}
	waiting := near([]v1alpha1.AppRole{*seen.role})
	if slices.Contains(waiting, w.client.String()) || int(ptr.Deref(seen.role.Status.PendingCount, 0)) > len(waiting) {
		return "" // of many that wait the role lists some
	}
	text := fmt.Sprintf("no client %s is known here: none waits for role %s, no decision in namespace %s names it, and you may not read namespace %s",
		w.client, w.role, w.role.Namespace, w.client.Namespace)
	if meant := cli.Near(w.client.String(), waiting); len(meant) > 0 {
		return text + "; did you mean " + strings.Join(meant, ", ") + "?"
	}
	if len(waiting) > 0 {
		const most = 6
		text += "; there wait " + strings.Join(waiting[:min(len(waiting), most)], ", ")
	}
	return text + "."
}

// names says whether any decision of the role's namespace names the client.
func (o observed) names(w wish) bool {
	return slices.ContainsFunc(o.assignments, func(a *v1alpha1.AppRoleAssignment) bool {
		ref := a.Spec.ClientRef
		return ref != nil && ref.Namespace == w.client.Namespace && ref.Name == w.client.Name
	})
}
