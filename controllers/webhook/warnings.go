package webhook

import (
	"context"
	"fmt"

	admissionv1 "k8s.io/api/admission/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	logf "sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"

	"github.com/lanyard-dev/lanyard/api/v1alpha1"
	"github.com/lanyard-dev/lanyard/controllers/index"
	"github.com/lanyard-dev/lanyard/issuer/rules"
)

// cannotTell is the warning where there was no time to find out.
const cannotTell = "Lanyard could not tell in time which clients this concerns; kubectl lanyard status shows who has what"

// handleWarnings never refuses: it says what a write does beyond the object itself.
func (h *handlers) handleWarnings(ctx context.Context, req admission.Request) admission.Response {
	ctx, cancel := context.WithTimeout(ctx, warningsPatience)
	defer cancel()
	warnings, err := h.warnings(ctx, req)
	if err != nil {
		logf.FromContext(ctx).Error(err, "no warnings could be given")
		warnings = []string{cannotTell}
	}
	return admission.Allowed("").WithWarnings(warnings...)
}

func (h *handlers) warnings(ctx context.Context, req admission.Request) ([]string, error) {
	if err := h.warning.take(ctx); err != nil {
		return nil, err
	}
	defer h.warning.giveBack()
	if err := h.guard.filled(ctx); err != nil {
		return nil, err
	}
	var before, after client.Object
	var err error
	if req.Operation != admissionv1.Create {
		if before, err = h.decode(req, req.OldObject); err != nil {
			return nil, err
		}
	}
	if req.Operation != admissionv1.Delete {
		if after, err = h.decode(req, req.Object); err != nil {
			return nil, err
		}
		return h.written(ctx, before, after)
	}
	ending, err := h.ending(ctx, req.Namespace)
	if err != nil || ending {
		return nil, err // who deletes a namespace is not asked about each object in it
	}
	return h.deleted(ctx, before)
}

// deleted says what the end of an object takes from whom.
func (h *handlers) deleted(ctx context.Context, o client.Object) ([]string, error) {
	key := client.ObjectKeyFromObject(o)
	switch o := o.(type) {
	case *v1alpha1.AppRole:
		lost, err := h.holders(ctx, key)
		return losing(fmt.Sprintf("deleting AppRole %s takes it from", key), lost), err
	case *v1alpha1.ProtectedResource:
		lost, err := h.holdersOn(ctx, key)
		return append(losing(fmt.Sprintf("deleting ProtectedResource %s takes its roles from", key), lost), unlisted(o)...), err
	case *v1alpha1.AppRoleAssignment:
		lost, err := h.lost(ctx, o, nil)
		return losing(fmt.Sprintf("deleting AppRoleAssignment %s takes role %s/%s from", key, o.Namespace, o.Spec.RoleRef.Name), lost), err
	default:
		return nil, nil
	}
}

// written says what is odd about a new or changed object, and what it takes from whom.
func (h *handlers) written(ctx context.Context, before, after client.Object) ([]string, error) {
	switch o := after.(type) {
	case *v1alpha1.OAuthClient:
		old, _ := before.(*v1alpha1.OAuthClient)
		missing, err := h.missing(ctx, newlyAsked(old, o))
		return unknownRoles(missing), err
	case *v1alpha1.ProtectedResource:
		if old, ok := before.(*v1alpha1.ProtectedResource); !ok || old.Spec.Suspend || !o.Spec.Suspend {
			return nil, nil
		}
		key := client.ObjectKeyFromObject(o)
		lost, err := h.holdersOn(ctx, key)
		return append(losing(fmt.Sprintf("suspending ProtectedResource %s ends new tokens for it for", key), lost), unlisted(o)...), err
	case *v1alpha1.AppRoleAssignment:
		old, _ := before.(*v1alpha1.AppRoleAssignment)
		return h.decided(ctx, old, o)
	default:
		return nil, nil
	}
}

// decided warns of an assignment that is not in force, and of what one takes away.
func (h *handlers) decided(ctx context.Context, before, after *v1alpha1.AppRoleAssignment) ([]string, error) {
	role, err := h.roleOf(ctx, after)
	if err != nil {
		return nil, err
	}
	var warnings []string
	if v := rules.Assignment(after, role, h.now()); !v.OK {
		warnings = append(warnings, v.Message)
	}
	if before == nil && after.Spec.Decision == v1alpha1.DecisionApproved {
		return warnings, nil // takes nothing from anybody
	}
	lost, err := h.lost(ctx, before, after)
	return append(warnings, losing(fmt.Sprintf("this decision takes role %s/%s from", after.Namespace, after.Spec.RoleRef.Name), lost)...), err
}

// roleOf reads the role that an assignment names: from the API server if the cache has
// none, because it may have been created a moment ago. nil if there is none.
func (h *handlers) roleOf(ctx context.Context, a *v1alpha1.AppRoleAssignment) (*v1alpha1.AppRole, error) {
	role := &v1alpha1.AppRole{}
	key := types.NamespacedName{Namespace: a.Namespace, Name: a.Spec.RoleRef.Name}
	for _, find := range []index.Finder{h.find, h.live} {
		if ok, err := find.Get(ctx, key, role); err != nil || ok {
			return role, err
		}
	}
	return nil, nil
}

// missing returns those of roles that do not exist, by the cache, and of the first few
// also by the API server.
func (h *handlers) missing(ctx context.Context, roles []v1alpha1.RoleReference) ([]v1alpha1.RoleReference, error) {
	var missing []v1alpha1.RoleReference
	for _, r := range roles {
		key := types.NamespacedName{Namespace: r.Namespace, Name: r.Name}
		ok, err := h.find.Get(ctx, key, &v1alpha1.AppRole{})
		if err == nil && !ok && len(missing) < mostNamed {
			ok, err = h.live.Get(ctx, key, &v1alpha1.AppRole{})
		}
		if err != nil {
			return nil, err
		}
		if !ok {
			missing = append(missing, r)
		}
	}
	return missing, nil
}

// ending says whether a namespace is being deleted.
func (h *handlers) ending(ctx context.Context, name string) (bool, error) {
	ns := &metav1.PartialObjectMetadata{}
	ns.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("Namespace"))
	err := h.find.Reader.Get(ctx, types.NamespacedName{Name: name}, ns)
	return err == nil && ns.DeletionTimestamp != nil, client.IgnoreNotFound(err)
}
