package kube

import (
	"fmt"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

func TestLookUpsAreBounded(t *testing.T) {
	c := newClock()
	asked := 0
	w := newTestWorkloads(c, func() (*unstructured.Unstructured, error) { asked++; return nil, errNotFound }, nil)
	w.limiter = newLimiter(bounds{perSecond: 1, burst: 3, perNamespace: 1, namespaceBurst: 2})
	i := 0
	ask := func(namespace string, told bool) {
		t.Helper()
		i++
		_, ok, err := w.Pod(t.Context(), namespace, "checkout-1", fmt.Sprintf("0bd5b1d9-6a5b-4a5f-8f0b-%012d", i))
		if ok || (err == nil) != told {
			t.Errorf("question %d, of %s: %v, %v; beyond the bound the answer is: could not tell", i, namespace, ok, err)
		}
	}
	ask("shop", true)
	ask("shop", true)
	for range 10 {
		ask("shop", false) // its own share
	}
	ask("orders", true) // has lost nothing by it
	ask("orders", false)
	if asked != 3 {
		t.Errorf("the API server was asked %d times", asked)
	}
	c.advance(time.Second)
	ask("orders", true)
}

func TestRefusesOneTenantsLookUpsWithoutHarmToOthers(t *testing.T) {
	l := newLimiter(lookUpBounds)
	now := noon
	for second := range 10 {
		for range 1000 {
			l.allow("evil", now)
		}
		for i := range 40 {
			if !l.allow("shop", now) {
				t.Fatalf("second %d: question %d of another namespace was refused", second, i)
			}
		}
		now = now.Add(2 * time.Second)
	}
}

// However many namespaces ask, those that have less than their burst are few.
func TestLimiterForgets(t *testing.T) {
	l := newLimiter(lookUpBounds)
	now, allowed := noon, 0
	for i := range 20 * keptNamespaces {
		if l.allow(fmt.Sprint("namespace-", i), now) {
			allowed++
		}
		now = now.Add(10 * time.Millisecond)
		if len(l.namespaces) > keptNamespaces {
			t.Fatalf("%d namespaces are remembered", len(l.namespaces))
		}
	}
	if allowed < 20*keptNamespaces-1 {
		t.Errorf("%d were allowed", allowed)
	}
}
