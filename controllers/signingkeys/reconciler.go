package signingkeys

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/lanyard-dev/lanyard/controllers/status"
	"github.com/lanyard-dev/lanyard/issuer/keyring"
)

const (
	// maxSleep is how long the timer is trusted: a clock that was set is noticed
	// after that.
	maxSleep = time.Hour
	// soon is when to look again after somebody else wrote first.
	soon = 100 * time.Millisecond
)

type reconciler struct {
	key      types.NamespacedName
	reader   client.Reader // the API server, not a cache
	writer   client.Writer
	recorder status.EventRecorder
	schedule keyring.Schedule
	now      func() time.Time
	random   io.Reader
	metrics  metrics
}

// Reconcile does what is due with the signing keys.
func (r *reconciler) Reconcile(ctx context.Context, _ ctrl.Request) (ctrl.Result, error) {
	result, err := r.rotate(ctx)
	if err != nil {
		r.metrics.failures.Inc()
	}
	return result, err
}

func (r *reconciler) rotate(ctx context.Context) (ctrl.Result, error) {
	secret, ring, err := r.observe(ctx)
	if errors.Is(err, errUnreadable) {
		r.tell(secret, told{corev1.EventTypeWarning, EventUnreadable, err.Error()})
	}
	if err != nil {
		return ctrl.Result{}, err
	}
	now := r.now()
	orders := ordersOn(secret, ring, now)
	if orders.refusal != "" {
		r.metrics.failures.Inc()
		r.tell(secret, told{corev1.EventTypeWarning, EventNotDropped, orders.refusal})
	}
	if steps := keyring.Plan(ring, r.schedule, orders.Commands, now); len(steps)+len(orders.done) > 0 || !r.foretold(secret, ring, now) {
		after, done, err := r.apply(ring, steps, now)
		if err != nil {
			return ctrl.Result{}, err
		}
		if orders.Rotate && len(steps) == 0 {
			done = append(done, rotated("the next key waits already; nothing was made"))
		}
		secret, err = r.write(ctx, secret, after, orders.done, now)
		if apierrors.IsAlreadyExists(err) || apierrors.IsConflict(err) {
			// Another leader was faster, or somebody annotated the Secret; what was
			// made here was never seen.
			return ctrl.Result{RequeueAfter: soon}, nil
		}
		if err != nil {
			return ctrl.Result{}, fmt.Errorf("writing Secret %s: %w", r.key, err)
		}
		r.tell(secret, done...)
		r.metrics.carriedOut(orders)
		ring = after
	}
	r.metrics.observe(ring, r.schedule, now)
	return ctrl.Result{RequeueAfter: min(keyring.Next(ring, r.schedule, now).Sub(now)+time.Millisecond, maxSleep)}, nil
}

// tell makes an event of each.
func (r *reconciler) tell(secret *corev1.Secret, all ...told) {
	for _, t := range all {
		r.recorder.Eventf(secret, nil, t.kind, t.reason, "Rotate", "%s", status.Cut(t.note, status.MaxNote))
	}
}

// Reasons of events on the Secret with the signing keys.
const (
	// EventRotated: a key was made, began to sign early, or was removed at its end.
	EventRotated = "SigningKeysRotated"
	// EventDropped: a compromised key was dropped on command.
	EventDropped = "SigningKeyDropped"
	// EventNotDropped: the command to drop a key names none.
	EventNotDropped = "SigningKeyNotDropped"
	// EventUnreadable: the Secret holds no ring that can be read.
	EventUnreadable = "SigningKeysUnreadable"
)
