package check

import (
	"context"
	"fmt"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"

	"github.com/lanyard-dev/lanyard/cmd/kubectl-lanyard/internal/cli"
)

const (
	controllerName = "lanyard-controller"
	issuerName     = "lanyard-issuer"
)

func (p *probe) processes() section {
	return section{"Processes", []check{
		{"controller", func(ctx context.Context) Result { return p.deployment(ctx, controllerName) }},
		{"issuer", func(ctx context.Context) Result { return p.deployment(ctx, issuerName) }},
		{"leader", p.leader},
	}}
}

func (p *probe) deployment(ctx context.Context, name string) Result {
	var d appsv1.Deployment
	err := p.Get(ctx, types.NamespacedName{Namespace: p.lanyard, Name: name}, &d)
	if apierrors.IsNotFound(err) {
		return warn("If Lanyard is installed in another namespace, name it with --lanyard-namespace.", "it is not run as a Deployment here: there is no %s/%s", p.lanyard, name)
	}
	if r, done := unseen(err, "Deployments of namespace "+p.lanyard); done {
		return r
	}
	return judgeDeployment(&d)
}

func judgeDeployment(d *appsv1.Deployment) Result {
	want := int32(1)
	if d.Spec.Replicas != nil {
		want = *d.Spec.Replicas
	}
	hint := fmt.Sprintf("Look at its pods: kubectl -n %s describe deployment %s", d.Namespace, d.Name)
	switch have := d.Status.AvailableReplicas; {
	case want == 0:
		return fail(hint, "it is scaled to 0")
	case have == 0:
		return fail(hint, "none of %d pods is available", want)
	case have < want:
		return warn(hint, "%d of %d pods are available", have, want)
	case d.Status.ObservedGeneration < d.Generation || d.Status.UpdatedReplicas < want:
		return warn(hint, "%d of %d pods are available, and a new version is on its way", have, want)
	default:
		return ok("%d of %d pods are available", have, want)
	}
}

func (p *probe) leader(ctx context.Context) Result {
	var l coordinationv1.Lease
	err := p.Get(ctx, types.NamespacedName{Namespace: p.lanyard, Name: controllerName}, &l)
	if apierrors.IsNotFound(err) {
		return warn("A controller that runs with --leader-elect=false has none.", "there is no Lease %s/%s: no controller has been elected", p.lanyard, controllerName)
	}
	if r, done := unseen(err, "Leases of namespace "+p.lanyard); done {
		return r
	}
	return judgeLease(&l, p.now())
}

func judgeLease(l *coordinationv1.Lease, now time.Time) Result {
	const hint = "No controller works: pins, grants and signing keys are not brought up to date. Look at its pods and their log."
	holder := ""
	if l.Spec.HolderIdentity != nil {
		holder = *l.Spec.HolderIdentity
	}
	if holder == "" || l.Spec.RenewTime == nil {
		return fail(hint, "nobody holds the Lease")
	}
	life := 15 * time.Second
	if l.Spec.LeaseDurationSeconds != nil {
		life = time.Duration(*l.Spec.LeaseDurationSeconds) * time.Second
	}
	renewed := l.Spec.RenewTime.Time
	// Clocks may be apart; see the checks for that.
	if now.Sub(renewed) > life+warnSkew {
		return fail(hint, "%s held the Lease, and has not renewed it since %s", holder, cli.When(renewed, now))
	}
	return ok("%s is the leader", holder)
}
