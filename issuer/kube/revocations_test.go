package kube

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/lanyard-dev/lanyard/api/v1alpha1"
	"github.com/lanyard-dev/lanyard/issuer/registry"
	"github.com/lanyard-dev/lanyard/issuer/tokenservice"
)

var _ tokenservice.Revocations = (*Revocations)(nil)

// archive is an API server that stores TokenRevocations, and takes its time.
type archive struct {
	takes  time.Duration
	err    error
	stored []*v1alpha1.TokenRevocation
	heard  int
	known  *registry.Registry
}

func (a *archive) create(ctx context.Context, o *v1alpha1.TokenRevocation) (object, error) {
	select {
	case <-time.After(a.takes):
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	if a.err != nil {
		return nil, a.err
	}
	a.stored = append(a.stored, o)
	return o, nil
}

func (a *archive) sizes() (n []int) {
	for _, o := range a.stored {
		n = append(n, len(o.Spec.Tokens))
	}
	return n
}

// start runs a writer to the archive until the test ends.
func (a *archive) start(t *testing.T) (r *Revocations, stop func()) {
	t.Helper()
	a.known = registry.New("cluster.local")
	r = writing(a.create, a.known, func(o object) {
		a.heard++
		stored := o.(*v1alpha1.TokenRevocation).DeepCopy()
		stored.Name = fmt.Sprint("revoked-", a.heard)
		a.known.ApplyRevocation(stored)
	})
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	wg.Go(func() { r.run(ctx) })
	return r, func() { cancel(); wg.Wait() }
}

// plenty is a quota that nobody reaches.
const plenty = 1 << 20

// tokenToRevoke is one of eight clients', each of a namespace of its own.
func tokenToRevoke(i int) tokenservice.RevokedToken {
	return tokenOf(fmt.Sprint("shop-", i%8), "checkout", i)
}

func tokenOf(namespace, client string, i int) tokenservice.RevokedToken {
	return tokenservice.RevokedToken{
		ClientID: namespace + "/" + client, Namespace: namespace,
		ID: fmt.Sprint("jti-", i), ExpiresAt: noon.Add(time.Duration(i) * time.Second),
	}
}

var errQuota = errors.New("the quota is full")

// revoke revokes n tokens at once, and returns what each caller was told.
func revoke(t *testing.T, r *Revocations, n, quota int, token func(int) tokenservice.RevokedToken) []error {
	t.Helper()
	errs := make([]error, n)
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() {
			stored, err := r.Revoke(t.Context(), token(i), quota)
			if errs[i] = err; err == nil && !stored {
				errs[i] = errQuota
			}
		})
	}
	wg.Wait()
	return errs
}

// howMany counts the errors that are e; nil: what was stored.
func howMany(errs []error, e error) (n int) {
	for _, err := range errs {
		if errors.Is(err, e) {
			n++
		}
	}
	return n
}

func TestRevocationsShareObjects(t *testing.T) {
	for name, c := range map[string]struct {
		tokens int
		sizes  []int
		within time.Duration
	}{
		"one token":              {1, []int{1}, 60 * time.Millisecond},
		"as many as one holds":   {512, []int{512}, 10 * time.Millisecond},
		"one more":               {513, []int{512, 1}, 70 * time.Millisecond},
		"as many as may wait":    {4096, []int{512, 512, 512, 512, 512, 512, 512, 512}, 80 * time.Millisecond},
		"a few at the same time": {3, []int{3}, 60 * time.Millisecond},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a := &archive{takes: 10 * time.Millisecond}
				r, stop := a.start(t)
				defer stop()
				began := time.Now()
				for i, err := range revoke(t, r, c.tokens, plenty, tokenToRevoke) {
					if err != nil {
						t.Fatalf("token %d: %v", i, err)
					}
				}
				if took := time.Since(began); took > c.within {
					t.Errorf("it took %s; want %s at most", took, c.within)
				}
				if diff := cmp.Diff(c.sizes, a.sizes()); diff != "" || a.heard != len(c.sizes) {
					t.Errorf("tokens in each object (-want +got):\n%s; %d were applied here", diff, a.heard)
				}
			})
		})
	}
}

func TestRevocationSaysWhatTheAPIServerNeedsToKnow(t *testing.T) {
	o := revocationOf([]*revocation{
		{token: tokenOf("shop", "checkout", 2)},
		{token: tokenOf("shop", "basket", 9)},
		{token: tokenOf("shop", "checkout", 5)},
	})
	want := &v1alpha1.TokenRevocation{
		TypeMeta:   metav1.TypeMeta{APIVersion: "lanyard.dev/v1alpha1", Kind: "TokenRevocation"},
		ObjectMeta: metav1.ObjectMeta{GenerateName: "revoked-"},
		Spec: v1alpha1.TokenRevocationSpec{
			ExpiresAt: stamp(9), // the end of its last token
			Tokens: []v1alpha1.RevokedToken{
				{ClientID: "shop/checkout", JTI: "jti-2", ExpiresAt: stamp(2)},
				{ClientID: "shop/basket", JTI: "jti-9", ExpiresAt: stamp(9)},
				{ClientID: "shop/checkout", JTI: "jti-5", ExpiresAt: stamp(5)},
			},
		},
	}
	if diff := cmp.Diff(want, o); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestRevocationsTellEveryCallerOfAFailure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := &archive{err: errors.New("etcd is full")}
		r, stop := a.start(t)
		defer stop()
		for i, err := range revoke(t, r, 3, plenty, tokenToRevoke) {
			if err == nil || !strings.Contains(err.Error(), "etcd is full") {
				t.Errorf("token %d: %v; want the API server's error", i, err)
			}
		}
		a.err = nil
		if stored, err := r.Revoke(t.Context(), tokenToRevoke(1), plenty); err != nil || !stored {
			t.Errorf("after the failure: %t, %v", stored, err)
		}
		if a.heard != 1 {
			t.Errorf("%d objects were applied here; want the one that was stored", a.heard)
		}
	})
}

func TestRevocationsHonourTheCallersContextAndStoreAllTheSame(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := &archive{takes: time.Second}
		r, stop := a.start(t)
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		if _, err := r.Revoke(ctx, tokenToRevoke(1), plenty); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v; want the end of the caller's patience", err)
		}
		time.Sleep(2 * time.Second)
		synctest.Wait()
		if len(a.stored) != 1 {
			t.Errorf("%d objects were stored; the token was accepted", len(a.stored))
		}
		stop()
	})
}

func TestRevocationsAreRefusedBeyondWhatMayWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := &archive{takes: time.Hour} // which ends after revocationsTimeout
		r, stop := a.start(t)
		defer stop()
		const more = 10
		began := time.Now()
		errs := revoke(t, r, revocationsEach+revocationsQueue+more, plenty, tokenToRevoke)
		refused, failed := howMany(errs, errTooManyRevocations), howMany(errs, context.DeadlineExceeded)
		if refused < more || refused+failed != revocationsEach+revocationsQueue+more {
			t.Errorf("%d were refused and %d failed", refused, failed)
		}
		if took, limit := time.Since(began), 10*revocationsTimeout; took > limit {
			t.Errorf("the last caller waited for %s; want %s at most", took, limit)
		}
	})
}

func TestRevocationsEndInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := &archive{takes: time.Millisecond}
		r, stop := a.start(t)
		answered := make(chan error, 1)
		go func() {
			_, err := r.Revoke(t.Context(), tokenToRevoke(1), plenty)
			answered <- err
		}()
		synctest.Wait() // it is gathered
		stop()
		if err := <-answered; err != nil || len(a.stored) != 1 {
			t.Errorf("what was accepted before the end: %v, %d objects", err, len(a.stored))
		}
	})
}

// What is stored here and what comes by watch are the same objects, so that none is
// forgotten by one and kept by the other.
func TestRevocationsOfBothSidesAreOne(t *testing.T) {
	r := registry.New("cluster.local")
	c := newClock()
	cluster := &Cluster{cfg: Config{Log: discard(), Now: c.now}}
	stats := testMetrics()
	sink := cluster.objects(stats, "TokenRevocation", applyRevocation(r), r.DeleteRevocation)
	stored := func(name, jti string) object {
		return &unstructured.Unstructured{Object: map[string]any{
			"metadata": map[string]any{"namespace": "lanyard-system", "name": name},
			"spec": map[string]any{
				"expiresAt": "2026-03-01T12:10:00Z",
				"tokens":    []any{map[string]any{"clientID": "shop/checkout", "jti": jti, "expiresAt": "2026-03-01T12:10:00Z"}},
			},
		}}
	}
	want := func(step string, revoked ...string) {
		t.Helper()
		if got := r.RevokedBy("shop/checkout"); got != len(revoked) {
			t.Errorf("%s: %d tokens are revoked; want %v", step, got, revoked)
		}
		for _, jti := range revoked {
			if !r.Revoked(jti) {
				t.Errorf("%s: %s is not revoked", step, jti)
			}
		}
	}
	sink.put(stored("revoked-1", "a"))
	want("stored here", "a")
	sink.put(stored("revoked-1", "a"))
	want("and heard of by watch", "a")
	sink.put(stored("revoked-2", "b"))
	want("stored elsewhere", "a", "b")
	sink.drop(stored("revoked-2", "b"))
	want("removed", "a")
	sink.replace(nil)
	want("removed while the watch was broken")
}

func stamp(seconds int) metav1.Time {
	return metav1.NewTime(noon.Add(time.Duration(seconds) * time.Second))
}
