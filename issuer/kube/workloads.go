package kube

import (
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sync/singleflight"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/metadata"

	"github.com/lanyard-dev/lanyard/api/v1alpha1"
	"github.com/lanyard-dev/lanyard/issuer/clientauth"
	"github.com/lanyard-dev/lanyard/issuer/rules"
)

// lookUpTimeout bounds one question that a miss puts to the API server.
const lookUpTimeout = 3 * time.Second

var errTooManyLookUps = errors.New("too many look-ups; the API server was not asked")

// Workloads tells which service accounts and pods live: from the watches, and on a
// miss by asking the API server. It implements clientauth.Workloads.
type Workloads struct {
	pods     *pods
	accounts *accounts
	pod      func(ctx context.Context, k types.NamespacedName) (*unstructured.Unstructured, error)
	account  func(ctx context.Context, k types.NamespacedName) (*metav1.PartialObjectMetadata, error)
	limiter  *limiter
	flight   singleflight.Group
	metrics  *metrics
	now      func() time.Time
}

func newWorkloads(d dynamic.Interface, m metadata.Interface, stats *metrics, now func() time.Time) *Workloads {
	return &Workloads{
		pods:     newPods(now),
		accounts: newAccounts(now),
		pod: func(ctx context.Context, k types.NamespacedName) (*unstructured.Unstructured, error) {
			return d.Resource(podsResource).Namespace(k.Namespace).Get(ctx, k.Name, metav1.GetOptions{})
		},
		account: func(ctx context.Context, k types.NamespacedName) (*metav1.PartialObjectMetadata, error) {
			return m.Resource(serviceAccountsResource).Namespace(k.Namespace).Get(ctx, k.Name, metav1.GetOptions{})
		},
		limiter: newLimiter(lookUpBounds),
		metrics: stats,
		now:     now,
	}
}

// ServiceAccount implements clientauth.Workloads. One that was made anew a moment
// ago may not have come by watch yet, so another UID is a miss, too.
func (w *Workloads) ServiceAccount(ctx context.Context, namespace, name, uid string) (bool, error) {
	k := types.NamespacedName{Namespace: namespace, Name: name}
	living, gone := w.accounts.find(k, types.UID(uid))
	if living || gone {
		return living, nil
	}
	o, ok, err := lookUp(ctx, w, "ServiceAccount", k, func(ctx context.Context) (*metav1.PartialObjectMetadata, error) { return w.account(ctx, k) })
	if err != nil {
		return false, err
	}
	if !ok || o.UID != types.UID(uid) || rules.Gone(o) {
		w.accounts.gone.add(types.UID(uid), w.now())
		return false, nil
	}
	return true, nil
}

// Pod implements clientauth.Workloads. A UID belongs to one name for ever, and the
// token that names both is signed by the API server: the UID is enough.
func (w *Workloads) Pod(ctx context.Context, namespace, name, uid string) (clientauth.Pod, bool, error) {
	known, living, gone := w.pods.find(types.UID(uid))
	if living || gone {
		return known, living, nil
	}
	k := types.NamespacedName{Namespace: namespace, Name: name}
	o, ok, err := lookUp(ctx, w, "Pod", k, func(ctx context.Context) (*unstructured.Unstructured, error) { return w.pod(ctx, k) })
	if err != nil {
		return clientauth.Pod{}, false, err
	}
	if !ok || o.GetUID() != types.UID(uid) || finished(o) {
		w.pods.gone.add(podUIDOf(types.UID(uid)), w.now())
		return clientauth.Pod{}, false, nil
	}
	pod := clientauth.Pod{Mark: clientauth.MarkOf(o.GetLabels()[v1alpha1.LabelAdmitted])}
	pod.ServiceAccount, _, _ = unstructured.NestedString(o.Object, "spec", "serviceAccountName")
	if at := o.GetDeletionTimestamp(); at != nil {
		pod.DeletionTimestamp = at.Time
	}
	return pod, true, nil
}

// finished says whether a pod has Succeeded or Failed.
func finished(o *unstructured.Unstructured) bool {
	phase, _, _ := unstructured.NestedString(o.Object, "status", "phase")
	return phase == "Succeeded" || phase == "Failed"
}

// lookUp asks the API server, once for all requests that want to know the same at
// the same time. False: there is no such object. An error: could not tell.
func lookUp[T any](ctx context.Context, w *Workloads, kind string, k types.NamespacedName, get func(context.Context) (T, error)) (found T, ok bool, err error) {
	outcome := lookUpFound
	defer func() { w.metrics.lookUps.WithLabelValues(kind, outcome).Inc() }()
	result, err, _ := w.flight.Do(kind+"/"+k.String(), func() (any, error) {
		if !w.limiter.allow(k.Namespace, w.now()) {
			return nil, errTooManyLookUps
		}
		// Others wait for the same answer: that the first one goes away is no reason to stop.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), lookUpTimeout)
		defer cancel()
		return get(ctx)
	})
	switch {
	case apierrors.IsNotFound(err):
		outcome = lookUpGone
		return found, false, nil
	case errors.Is(err, errTooManyLookUps):
		outcome = lookUpLimited
		return found, false, err
	case err != nil:
		outcome = lookUpFailed
		return found, false, fmt.Errorf("asking the API server for %s %s: %w", kind, k, err)
	}
	found, ok = result.(T)
	return found, ok, nil
}
