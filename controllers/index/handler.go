package index

import (
	"context"
	"time"

	"k8s.io/client-go/util/workqueue"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	logf "sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
)

// Breath is how long a status that counts others waits before it is looked at again.
// Thousands of clients that ask for one role thus cost its owner's object a few writes,
// and one of them is still seen on both sides within a second.
const Breath = 400 * time.Millisecond

type queue = workqueue.TypedRateLimitingInterface[reconcile.Request]

// Handler queues those whom a change concerns, at once.
func Handler(concerned Concerned) handler.EventHandler {
	return handlerOf(concerned, queue.Add)
}

// Others is Handler for changes of the reconciled kind itself: the object that changed
// is in the queue already, and once is enough.
func Others(concerned Concerned) handler.EventHandler {
	return Handler(func(ctx context.Context, o client.Object) (Keys, error) {
		keys, err := concerned(ctx, o)
		delete(keys, client.ObjectKeyFromObject(o))
		return keys, err
	})
}

// Gathering queues those whom a change concerns after Breath: what comes meanwhile is
// looked at together.
func Gathering(concerned Concerned) handler.EventHandler {
	return handlerOf(concerned, func(q queue, r reconcile.Request) { q.AddAfter(r, Breath) })
}

// Itself says that a change concerns the object that has changed.
func Itself(_ context.Context, o client.Object) (Keys, error) {
	return Keys{client.ObjectKeyFromObject(o): {}}, nil
}

// handlerOf asks for the old and the new form of what changed whom it concerns, and adds
// each of them once.
func handlerOf(concerned Concerned, add func(queue, reconcile.Request)) handler.EventHandler {
	tell := func(ctx context.Context, q queue, objects ...client.Object) {
		all := Keys{}
		for _, o := range objects {
			keys, err := concerned(ctx, o)
			if err != nil {
				// A read of the cache fails only when the manager stops.
				logf.FromContext(ctx).Error(err, "cannot tell whom a change concerns", "namespace", o.GetNamespace(), "name", o.GetName())
			}
			for key := range keys {
				all[key] = struct{}{}
			}
		}
		for key := range all {
			add(q, reconcile.Request{NamespacedName: key})
		}
	}
	return handler.Funcs{
		CreateFunc:  func(ctx context.Context, e event.CreateEvent, q queue) { tell(ctx, q, e.Object) },
		UpdateFunc:  func(ctx context.Context, e event.UpdateEvent, q queue) { tell(ctx, q, e.ObjectOld, e.ObjectNew) },
		DeleteFunc:  func(ctx context.Context, e event.DeleteEvent, q queue) { tell(ctx, q, e.Object) },
		GenericFunc: func(ctx context.Context, e event.GenericEvent, q queue) { tell(ctx, q, e.Object) },
	}
}
