package webhook

import (
	"context"
	"slices"
	"time"

	admissionv1 "k8s.io/api/admission/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"

	"github.com/lanyard-dev/lanyard/api/v1alpha1"
	"github.com/lanyard-dev/lanyard/controllers/index"
	"github.com/lanyard-dev/lanyard/issuer/rules"
)

// early are the reasons for which a declaration is refused before it is stored. What
// time or another object may still heal is shown in the status instead: objects may
// come in any order.
func early() []string {
	return []string{
		v1alpha1.ReasonClientIDNotAllowed,
		v1alpha1.ReasonIdentifierNotCanonical,
		v1alpha1.ReasonIdentifierNotAllowed,
		v1alpha1.ReasonIssuerNotAllowed,
		v1alpha1.ReasonSelectorInvalid,
		v1alpha1.ReasonConflict,
	}
}

// refused says whether v refuses a declaration that is not stored yet.
func refused(v rules.Verdict) bool { return !v.OK && slices.Contains(early(), v.Reason) }

// judgeClient judges a client that is to be created. holder is who has its client id,
// nil if nobody has: then it will be the client itself. The others are alike.
func judgeClient(c *v1alpha1.OAuthClient, ns *rules.Namespace, holder *v1alpha1.OAuthClient) rules.Verdict {
	if holder == nil {
		holder = c
	}
	return rules.Client(c, ns, holder)
}

func judgeResource(r *v1alpha1.ProtectedResource, ns *rules.Namespace, clusterDomain string, holder *v1alpha1.ProtectedResource) rules.Verdict {
	if holder == nil {
		holder = r
	}
	return rules.Resource(r, ns, clusterDomain, holder)
}

// judgeRole does not look at the resource, which may come later.
func judgeRole(r, holder *v1alpha1.AppRole) rules.Verdict {
	if holder == nil {
		holder = r
	}
	return rules.Role(r, &v1alpha1.ProtectedResource{}, rules.Verdict{OK: true}, holder)
}

// judgeAssignment does not look at the role, which may come later.
func judgeAssignment(a *v1alpha1.AppRoleAssignment, now time.Time) rules.Verdict {
	return rules.Assignment(a, &v1alpha1.AppRole{}, now)
}

// judgeCertificate judges the issuer that cc names, unless it is the one that before
// named. before is nil for a new object.
func judgeCertificate(cc, before *v1alpha1.ClientCertificate, ns *rules.Namespace, installation []string) rules.Verdict {
	is := cc.Spec.Issuance
	if is == nil || before != nil && before.Spec.Issuance != nil && before.Spec.Issuance.IssuerRef == is.IssuerRef {
		return rules.Verdict{OK: true}
	}
	return rules.Issuance(cc, ns, installation)
}

// declarations refuses early what could never work.
func (h *handlers) declarations(ctx context.Context, req admission.Request) (admission.Response, error) {
	verdict, err := h.judge(ctx, req)
	switch {
	case err != nil:
		return admission.Response{}, err
	case refused(verdict):
		return admission.Denied(verdict.Message), nil
	default:
		return admission.Allowed(""), nil
	}
}

// judge reads the object, and judges it by the cache. What is refused is judged again by
// what the API server says now: a namespace that was annotated a moment ago, and a name
// whose holder was just deleted, are not held against anybody.
func (h *handlers) judge(ctx context.Context, req admission.Request) (rules.Verdict, error) {
	object, err := h.decode(req, req.Object)
	if err != nil {
		return rules.Verdict{}, err
	}
	var before client.Object
	if req.Operation == admissionv1.Update {
		if before, err = h.decode(req, req.OldObject); err != nil {
			return rules.Verdict{}, err
		}
	}
	if cc, ok := object.(*v1alpha1.ClientCertificate); ok {
		old, _ := before.(*v1alpha1.ClientCertificate)
		return h.certificate(ctx, cc, old)
	}
	if before != nil {
		return rules.Verdict{OK: true}, nil // what is judged below cannot be changed
	}
	switch o := object.(type) {
	case *v1alpha1.OAuthClient:
		return h.client(ctx, o)
	case *v1alpha1.ProtectedResource:
		return h.resource(ctx, o)
	case *v1alpha1.AppRole:
		return h.role(ctx, o)
	case *v1alpha1.AppRoleAssignment:
		return judgeAssignment(o, h.now()), nil
	default:
		return rules.Verdict{OK: true}, nil
	}
}

func (h *handlers) certificate(ctx context.Context, cc, before *v1alpha1.ClientCertificate) (rules.Verdict, error) {
	ns, err := h.find.Namespace(ctx, cc.Namespace)
	if v := judgeCertificate(cc, before, ns, h.issuers); err != nil || !refused(v) {
		return v, err
	}
	ns, err = h.live.Namespace(ctx, cc.Namespace)
	return judgeCertificate(cc, before, ns, h.issuers), err
}

func (h *handlers) client(ctx context.Context, c *v1alpha1.OAuthClient) (v rules.Verdict, err error) {
	ns, err := h.find.Namespace(ctx, c.Namespace)
	if err != nil {
		return v, err
	}
	holder, err := h.find.ClientHolder(ctx, c)
	if v = judgeClient(c, ns, holder); err != nil || !refused(v) {
		return v, err
	}
	if ns, err = h.live.Namespace(ctx, c.Namespace); err != nil {
		return v, err
	}
	holder, err = still(ctx, h.live, holder, func(ns *rules.Namespace) bool { return rules.ClientIDAllowed(holder, ns) })
	return judgeClient(c, ns, holder), err
}

func (h *handlers) resource(ctx context.Context, r *v1alpha1.ProtectedResource) (v rules.Verdict, err error) {
	domain := h.find.ClusterDomain
	ns, err := h.find.Namespace(ctx, r.Namespace)
	if err != nil {
		return v, err
	}
	holder, err := h.find.ResourceHolder(ctx, r)
	if v = judgeResource(r, ns, domain, holder); err != nil || !refused(v) {
		return v, err
	}
	if ns, err = h.live.Namespace(ctx, r.Namespace); err != nil {
		return v, err
	}
	holder, err = still(ctx, h.live, holder, func(ns *rules.Namespace) bool { return rules.IdentifierAllowed(r.Spec.Identifier, ns, domain) })
	return judgeResource(r, ns, domain, holder), err
}

func (h *handlers) role(ctx context.Context, r *v1alpha1.AppRole) (v rules.Verdict, err error) {
	holder, err := h.find.RoleHolder(ctx, r)
	if v = judgeRole(r, holder); err != nil || !refused(v) {
		return v, err
	}
	holder, err = still(ctx, h.live, holder, func(*rules.Namespace) bool { return true })
	return judgeRole(r, holder), err
}

// still returns a name's holder if it is there, by the API server, and may have the
// name still; else nil. Names cannot be changed, so that it is the same name.
func still[T any, P interface {
	*T
	client.Object
}](ctx context.Context, live index.Finder, holder P, allowed func(*rules.Namespace) bool) (P, error) {
	if holder == nil {
		return nil, nil
	}
	now := P(new(T))
	there, err := live.Get(ctx, client.ObjectKeyFromObject(holder), now)
	if err != nil || !there || now.GetUID() != holder.GetUID() {
		return nil, err
	}
	ns, err := live.Namespace(ctx, holder.GetNamespace())
	if err != nil || !allowed(ns) {
		return nil, err
	}
	return holder, nil
}
