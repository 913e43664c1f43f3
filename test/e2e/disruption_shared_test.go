//go:build e2e

package e2e

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// sidecars is how many pods a load has that is there for a disruption of Lanyard.
const sidecars = 15

// shared is a load that several tests use, one after the other: it takes longer to start so many pods than to see what a
// disruption does to them.
type shared struct {
	mu   sync.Mutex
	load *load // nil: there is none
}

// disturbed is a load for a test that disturbs Lanyard, with tokens of a minute, and counts from now on. In `make e2e` it
// is that of the test before, if nothing was wrong with it; `make soak` begins each test with one of its own.
func disturbed(t *testing.T) *load {
	t.Helper()
	if soak() {
		return newShop(t).startLoad(t, sidecars, tokensOfAMinute...)
	}
	w := lanyard
	w.shared.mu.Lock()
	defer w.shared.mu.Unlock()
	if w.shared.load == nil {
		s := openShop(t)
		w.shared.load = &load{shop: s} // what is there of it is removed if it does not start
	}
	l := w.shared.load
	t.Cleanup(func() {
		if t.Failed() {
			l.describe(t)
			w.endSharedLoad(t)
		}
	})
	if len(l.pods) == 0 {
		*l = *l.startLoad(t, sidecars, tokensOfAMinute...)
	}
	l.awaitTokens(t)
	l.begin(t)
	return l
}

// awaitTokens waits until each sidecar has a token, and nothing to complain of.
func (l *load) awaitTokens(t *testing.T) {
	t.Helper()
	eventually(t, patience, func() error {
		for _, pod := range l.pods {
			if failing := l.sidecarMetrics(t, pod).sum("lanyard_sidecar_token_failing", nil); failing != 0 {
				return fmt.Errorf("%s gets no token", pod.Name)
			}
			if left := time.Until(l.tokenEnds(t, pod)); left <= 0 {
				return fmt.Errorf("the token of %s ended %s ago", pod.Name, -left)
			}
		}
		return nil
	})
}

// endSharedLoad removes the load that is shared, if there is one: the node is another test's.
func (w *world) endSharedLoad(t *testing.T) {
	t.Helper()
	w.shared.mu.Lock()
	defer w.shared.mu.Unlock()
	if w.shared.load != nil {
		w.shared.load.close(t)
		w.shared.load = nil
	}
}

// leaveNothing removes it after all tests, from a node that stays.
func (w *world) leaveNothing(ctx context.Context) error {
	if w.shared.load == nil {
		return nil
	}
	return w.kube.Delete(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: w.shared.load.namespace}})
}
