package kube

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/tools/cache"
)

// object is what every sink is given: an *unstructured.Unstructured or a
// *metav1.PartialObjectMetadata.
type object interface {
	runtime.Object
	metav1.Object
}

// sink takes the objects of one kind. It is called by one goroutine.
type sink interface {
	put(o object)
	drop(o object)
	// replace takes all objects there are; what is not among them is gone.
	replace(all []object)
}

// feed carries one kind from the API server to a sink. It is the reflector's store,
// so that nothing is kept twice.
type feed struct {
	kind    string
	sink    sink
	list    func(ctx context.Context, o metav1.ListOptions) (runtime.Object, error)
	watch   func(ctx context.Context, o metav1.ListOptions) (watch.Interface, error)
	now     func() time.Time
	delay   prometheus.Observer
	contact contact
	synced  atomic.Bool
}

// contact remembers when something was last heard of.
type contact struct{ at atomic.Int64 }

func (c *contact) mark(now time.Time) { c.at.Store(now.UnixNano()) }

// ago is how long it is since the last mark; false if there was none.
func (c *contact) ago(now time.Time) (time.Duration, bool) {
	at := c.at.Load()
	return now.Sub(time.Unix(0, at)), at != 0
}

// run lists and watches until ctx ends. It comes back quickly after an outage of
// the API server: what was revoked meanwhile is in force only then.
func (f *feed) run(ctx context.Context) {
	lw := &cache.ListWatch{
		ListWithContextFunc: func(ctx context.Context, o metav1.ListOptions) (runtime.Object, error) { return f.list(ctx, o) },
		WatchFuncWithContext: func(ctx context.Context, o metav1.ListOptions) (watch.Interface, error) {
			w, err := f.watch(ctx, o)
			if err == nil && f.synced.Load() {
				f.contact.mark(f.now())
			}
			return w, err
		},
	}
	r := cache.NewReflectorWithOptions(lw, nil, f, cache.ReflectorOptions{
		Name:            f.kind,
		TypeDescription: f.kind,
		Backoff:         &wait.Backoff{Duration: 200 * time.Millisecond, Factor: 2, Jitter: 0.5, Steps: 6, Cap: 5 * time.Second},
	})
	r.RunWithContext(ctx)
}

// Add implements cache.ReflectorStore.
func (f *feed) Add(o any) error { return f.changed(o) }

// Update implements cache.ReflectorStore.
func (f *feed) Update(o any) error { return f.changed(o) }

func (f *feed) changed(o any) error {
	now := f.now()
	f.contact.mark(now)
	if x, ok := o.(object); ok {
		f.sink.put(x)
		if at, ok := lastChange(x); ok && f.delay != nil {
			f.delay.Observe(max(0, f.now().Sub(at).Seconds()))
		}
	}
	return nil
}

// Delete implements cache.ReflectorStore.
func (f *feed) Delete(o any) error {
	f.contact.mark(f.now())
	if x, ok := o.(object); ok {
		f.sink.drop(x)
	}
	return nil
}

// Replace implements cache.ReflectorStore: the initial list, and each later one.
func (f *feed) Replace(list []any, _ string) error {
	all := make([]object, 0, len(list))
	for _, o := range list {
		if x, ok := o.(object); ok {
			all = append(all, x)
		}
	}
	f.sink.replace(all)
	f.contact.mark(f.now())
	f.synced.Store(true)
	return nil
}

// Bookmark implements cache.ReflectorBookmarkStore. The API server sends one about
// every minute where nothing else happens.
func (f *feed) Bookmark(string) error {
	f.contact.mark(f.now())
	return nil
}

// Resync implements cache.ReflectorStore.
func (f *feed) Resync() error { return nil }

// Transformer implements cache.TransformingStore. It is applied to the initial list
// alone, which is held as a whole for a moment: what nobody reads goes first.
func (f *feed) Transformer() cache.TransformFunc {
	return func(o any) (any, error) {
		if x, ok := o.(object); ok {
			x.SetManagedFields(nil)
		}
		return o, nil
	}
}

// lastChange is the newest time in an object's managed fields. Being deleted is a
// change that leaves no trace there.
func lastChange(o metav1.Object) (at time.Time, ok bool) {
	if o.GetDeletionTimestamp() != nil {
		return at, false
	}
	for _, m := range o.GetManagedFields() {
		if m.Time != nil && m.Time.After(at) {
			at, ok = m.Time.Time, true
		}
	}
	return at, ok
}
