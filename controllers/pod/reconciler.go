package pod

import (
	"context"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/events"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/lanyard-dev/lanyard/controllers/index"
	"github.com/lanyard-dev/lanyard/controllers/injection"
	"github.com/lanyard-dev/lanyard/controllers/status"
)

type reconciler struct {
	find     index.Finder  // the manager's cache
	pods     client.Reader // metadata of the pods that ask for the sidecar
	live     client.Reader // the API server
	recorder events.EventRecorder
	memory   *memory
	now      func() time.Time
}

// Reconcile looks at one pod.
func (r *reconciler) Reconcile(ctx context.Context, req ctrl.Request) (ctrl.Result, error) {
	pod := metadata()
	err := r.pods.Get(ctx, req.NamespacedName, pod)
	if apierrors.IsNotFound(err) || err == nil && pod.DeletionTimestamp != nil {
		r.memory.drop(req.NamespacedName)
		return ctrl.Result{}, nil
	} else if err != nil {
		return ctrl.Result{}, err
	}
	f, err := r.observe(ctx, pod)
	if err != nil {
		return ctrl.Result{}, err
	}
	now := r.now()
	v := decide(f, now)
	known, mayTell := r.memory.of(req.NamespacedName, pod.UID)
	found := memo{uid: pod.UID, problem: v.problem}
	if v.guessed {
		if found.compared = f.stamp(); found.compared == known.compared {
			found.problem = known.problem
		} else if mayTell {
			if found.problem, err = r.compare(ctx, pod, f); err != nil {
				return ctrl.Result{}, err
			}
		} else {
			found.compared = ""
		}
	}
	if r.memory.put(req.NamespacedName, found) {
		r.recorder.Eventf(pod, nil, corev1.EventTypeWarning, found.reason, "Inject", "%s", status.Cut(found.note, status.MaxNote))
	}
	if v.again.IsZero() {
		return ctrl.Result{}, nil
	}
	return ctrl.Result{RequeueAfter: max(v.again.Sub(now), time.Second)}, nil
}

// compare reads the pod as a whole, and says whether it was injected as its client needs it.
func (r *reconciler) compare(ctx context.Context, known *metav1.PartialObjectMetadata, f facts) (problem, error) {
	pod := &corev1.Pod{}
	err := r.live.Get(ctx, client.ObjectKeyFromObject(known), pod)
	if apierrors.IsNotFound(err) || err == nil && pod.UID != known.UID {
		return problem{}, nil // the event of that comes
	} else if err != nil {
		return problem{}, err
	}
	return otherwise(injection.Wrong(pod, f.known)), nil
}
