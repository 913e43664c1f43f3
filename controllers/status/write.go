package status

import (
	"context"
	"sync"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// Write patches before's status to what it is in after, and says whether that was
// done. It is not done, and no error, where the object is gone or has changed since
// before was read: then the event of the newer one comes, and what was concluded
// from the older one must not stand.
func Write(ctx context.Context, to client.StatusClient, before, after client.Object) (bool, error) {
	err := to.Status().Patch(ctx, after, client.MergeFromWithOptions(before, client.MergeFromWithOptimisticLock{}))
	if apierrors.IsConflict(err) || apierrors.IsNotFound(err) {
		return false, nil
	}
	return err == nil, err
}

// Writer writes the statuses of one kind, and knows which of them the cache does not
// show yet.
type Writer struct {
	to client.StatusClient

	mu sync.Mutex
	// from is the resource version that a status was written upon.
	from map[types.NamespacedName]string
}

// NewWriter returns a Writer.
func NewWriter(to client.StatusClient) *Writer {
	return &Writer{to: to, from: map[types.NamespacedName]string{}}
}

// Outdated says whether a newer status of o was written than the one that o has. Its
// event is on its way: whatever were concluded from o now would be refused by the API
// server, and that write is spared.
func (w *Writer) Outdated(o client.Object) bool {
	key := client.ObjectKeyFromObject(o)
	w.mu.Lock()
	defer w.mu.Unlock()
	from, ok := w.from[key]
	if ok && from != o.GetResourceVersion() {
		delete(w.from, key) // it has come
		return false
	}
	return ok
}

// Forget is for objects that are gone.
func (w *Writer) Forget(key types.NamespacedName) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.from, key)
}

// Write is the function Write.
func (w *Writer) Write(ctx context.Context, before, after client.Object) (bool, error) {
	version := before.GetResourceVersion()
	written, err := Write(ctx, w.to, before, after)
	if written && after.GetResourceVersion() != version { // else nothing comes
		w.mu.Lock()
		defer w.mu.Unlock()
		w.from[client.ObjectKeyFromObject(after)] = version
	}
	return written, err
}
