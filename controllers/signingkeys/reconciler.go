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
		r.recorder.Eventf(secret, nil, corev1.EventTypeWarning, "SigningKeysUnreadable", "Read", "%s", status.Cut(err.Error(), maxNote))
	}
	if err != nil {
		return ctrl.Result{}, err
	}
	now := r.now()
	if steps := keyring.Plan(ring, r.schedule, keyring.Commands{}, now); len(steps) > 0 {
		after, done, err := r.apply(ring, steps, now)
		if err != nil {
			return ctrl.Result{}, err
		}
		secret, err = r.write(ctx, secret, after)
		if apierrors.IsAlreadyExists(err) || apierrors.IsConflict(err) {
			// Another leader was faster; its keys count, and ours were never seen.
			return ctrl.Result{RequeueAfter: soon}, nil
		}
		if err != nil {
			return ctrl.Result{}, fmt.Errorf("writing Secret %s: %w", r.key, err)
		}
		for _, what := range done {
			r.recorder.Eventf(secret, nil, corev1.EventTypeNormal, "SigningKeysRotated", "Rotate", "%s", what)
		}
		ring = after
	}
	r.metrics.observe(ring, r.schedule, now)
	return ctrl.Result{RequeueAfter: min(keyring.Next(ring, r.schedule, now).Sub(now)+time.Millisecond, maxSleep)}, nil
}

// maxNote is the API's limit for an event's note, in bytes.
const maxNote = 1024
