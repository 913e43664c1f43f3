package kube

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"
	"time"
	"unsafe"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	dto "github.com/prometheus/client_model/go"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"

	"github.com/lanyard-dev/lanyard/api/v1alpha1"
	"github.com/lanyard-dev/lanyard/issuer/clientauth"
	"github.com/lanyard-dev/lanyard/issuer/keyring"
	"github.com/lanyard-dev/lanyard/issuer/oauth"
	"github.com/lanyard-dev/lanyard/issuer/registry"
)

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

type clock struct{ at atomic.Int64 }

func newClock() *clock {
	c := &clock{}
	c.at.Store(noon.UnixNano())
	return c
}

func (c *clock) now() time.Time          { return time.Unix(0, c.at.Load()).UTC() }
func (c *clock) advance(d time.Duration) { c.at.Add(int64(d)) }

func discard() *slog.Logger { return slog.New(slog.DiscardHandler) }

func testMetrics() *metrics {
	return newMetrics(prometheus.NewRegistry(), func() time.Duration { return 0 })
}

func podObject(uid string, ends *metav1.Time) object {
	return &metav1.PartialObjectMetadata{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "checkout-1", UID: types.UID(uid), DeletionTimestamp: ends}}
}

const (
	uid1 = "0bd5b1d9-6a5b-4a5f-8f0b-6d1f6c3f3a11"
	uid2 = "0bd5b1d9-6a5b-4a5f-8f0b-6d1f6c3f3a12"
)

// newTestWorkloads answers look-ups with pod and account.
func newTestWorkloads(c *clock, pod func() (*unstructured.Unstructured, error), account func() (*metav1.PartialObjectMetadata, error)) *Workloads {
	return &Workloads{
		pods: newPods(c.now), accounts: newAccounts(c.now), limiter: newLimiter(lookUpBounds), metrics: testMetrics(), now: c.now,
		pod: func(context.Context, types.NamespacedName) (*unstructured.Unstructured, error) { return pod() },
		account: func(context.Context, types.NamespacedName) (*metav1.PartialObjectMetadata, error) {
			return account()
		},
	}
}

func livePod(uid, phase string) *unstructured.Unstructured {
	return &unstructured.Unstructured{Object: map[string]any{
		"metadata": map[string]any{"namespace": "shop", "name": "checkout-1", "uid": uid},
		"spec":     map[string]any{"serviceAccountName": "checkout"},
		"status":   map[string]any{"phase": phase},
	}}
}

func marked[T metav1.Object](o T) T {
	o.SetLabels(map[string]string{v1alpha1.LabelAdmitted: "checkout"})
	return o
}

// One entry for each pod of the cluster: what is added here is paid a hundred thousand times.
func TestAPodTakesTwentyFourBytes(t *testing.T) {
	if size := unsafe.Sizeof(podUID{}) + unsafe.Sizeof(livingPod{}); size != 24 {
		t.Errorf("%d bytes", size)
	}
}

var errNotFound = apierrors.NewNotFound(schema.GroupResource{Resource: "pods"}, "checkout-1")

func TestPod(t *testing.T) {
	ends := metav1.NewTime(noon.Add(30 * time.Second))
	for name, c := range map[string]struct {
		seen    func(*pods)
		found   *unstructured.Unstructured
		err     error
		living  bool
		wantErr bool
		ends    time.Time
		account string
		label   string
		asked   int
	}{
		"seen by the watch":               {seen: func(p *pods) { p.put(podObject(uid1, nil)) }, living: true},
		"the watch has seen its mark":     {seen: func(p *pods) { p.put(marked(podObject(uid1, &ends))) }, living: true, ends: ends.Time, label: "checkout"},
		"a list has its mark":             {seen: func(p *pods) { p.replace([]object{marked(podObject(uid1, nil))}) }, living: true, label: "checkout"},
		"not seen yet, and has the mark":  {found: marked(livePod(uid1, "Pending")), living: true, account: "checkout", label: "checkout", asked: 1},
		"being deleted":                   {seen: func(p *pods) { p.put(podObject(uid1, &ends)) }, living: true, ends: ends.Time},
		"deletion seen by the watch":      {seen: func(p *pods) { p.put(podObject(uid1, nil)); p.drop(podObject(uid1, nil)) }},
		"left out of a new list":          {seen: func(p *pods) { p.put(podObject(uid1, nil)); p.replace(nil) }},
		"another one of the same name":    {seen: func(p *pods) { p.put(podObject(uid2, nil)) }, found: livePod(uid2, "Running"), asked: 1},
		"not seen yet, and lives":         {found: livePod(uid1, "Pending"), living: true, account: "checkout", asked: 1},
		"not seen yet, and has Succeeded": {found: livePod(uid1, "Succeeded"), asked: 1},
		"not seen yet, and has Failed":    {found: livePod(uid1, "Failed"), asked: 1},
		"not there":                       {err: errNotFound, asked: 1},
		"the API server does not answer":  {err: errors.New("connection refused"), wantErr: true, asked: 2},
	} {
		t.Run(name, func(t *testing.T) {
			asked := 0
			w := newTestWorkloads(newClock(), func() (*unstructured.Unstructured, error) { asked++; return c.found, c.err }, nil)
			if c.seen != nil {
				c.seen(w.pods)
			}
			for range 2 { // what is gone is asked for once
				pod, ok, err := w.Pod(t.Context(), "shop", "checkout-1", uid1)
				if ok != c.living || (err != nil) != c.wantErr || !pod.DeletionTimestamp.Equal(c.ends) || pod.ServiceAccount != c.account || pod.Mark != clientauth.MarkOf(c.label) {
					t.Fatalf("Pod() = %+v, %v, %v", pod, ok, err)
				}
				if c.living {
					break
				}
			}
			if asked != c.asked {
				t.Errorf("the API server was asked %d times; want %d", asked, c.asked)
			}
		})
	}
}

func TestServiceAccount(t *testing.T) {
	c := newClock()
	asked := 0
	var answer *metav1.PartialObjectMetadata
	w := newTestWorkloads(c, nil, func() (*metav1.PartialObjectMetadata, error) {
		asked++
		if answer == nil {
			return nil, errNotFound
		}
		return answer, nil
	})
	sa := func(uid string) *metav1.PartialObjectMetadata {
		return &metav1.PartialObjectMetadata{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "checkout", UID: types.UID(uid)}}
	}
	want := func(step, uid string, ok bool, wantAsked int) {
		t.Helper()
		living, err := w.ServiceAccount(t.Context(), "shop", "checkout", uid)
		if living != ok || err != nil || asked != wantAsked {
			t.Fatalf("%s: got %v, %v after %d questions; want %v after %d", step, living, err, asked, ok, wantAsked)
		}
	}
	want("nobody has it", "x", false, 1)
	want("asked again: a UID never comes back", "x", false, 1)
	answer = sa("a")
	want("it lives, and the watch has not seen it", "a", true, 2)
	w.accounts.put(sa("a"))
	want("the watch has it", "a", true, 2)
	w.accounts.drop(sa("a"))
	want("the watch saw it go", "a", false, 2)
	w.accounts.put(sa("b"))
	want("made anew", "b", true, 2)
	want("the old one stays gone", "a", false, 2)
	answer = sa("c")
	want("made anew again, and the watch is behind", "c", true, 3)
	w.accounts.put(sa("c"))
	want("the one before is asked for once", "b", false, 4)
	want("and stays gone", "b", false, 4)

	held := func(uid string) *metav1.PartialObjectMetadata {
		o := sa(uid)
		o.DeletionTimestamp, o.Finalizers = &metav1.Time{Time: noon}, []string{"example.com/hold"}
		return o
	}
	w.accounts.put(held("c"))
	want("deleted, and held by a finalizer", "c", false, 4)
	w.accounts.replace([]object{held("d")})
	want("the same in a list", "d", false, 4)
	answer = held("e")
	want("the same when asked for", "e", false, 5)
}

func TestRecentForgets(t *testing.T) {
	r := newRecent[int](3, time.Minute)
	for i := range 5 {
		r.add(i, noon)
	}
	for i := range 5 {
		if r.has(i, noon) != (i >= 2) {
			t.Errorf("has(%d) = %v", i, r.has(i, noon))
		}
	}
	if r.has(4, noon.Add(time.Minute)) || len(r.added) != 3 {
		t.Errorf("it remembers for too long, or too much: %d", len(r.added))
	}
}

func clientObject(name string, spec map[string]any) *unstructured.Unstructured {
	return &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "lanyard.dev/v1alpha1", "kind": "OAuthClient",
		"metadata": map[string]any{
			"namespace": "shop", "name": name, "creationTimestamp": "2026-02-28T12:00:00Z",
			"annotations":   map[string]any{"big": "x"},
			"managedFields": []any{map[string]any{"manager": "kubectl", "time": "2026-03-01T11:59:58Z"}},
		},
		"spec": spec, "status": map[string]any{"clientID": "shop/" + name},
	}}
}

func TestObjectsFeedTheRegistry(t *testing.T) {
	r := registry.New("cluster.local")
	stats := testMetrics()
	c := newClock()
	cluster := &Cluster{cfg: Config{Log: discard(), Now: c.now}}
	s := cluster.objects(stats, "OAuthClient", applyClient(r), r.DeleteClient)
	f := &feed{kind: "OAuthClient", sink: s, now: c.now, delay: stats.propagation.WithLabelValues("OAuthClient")}
	nsFeed := cluster.objects(stats, "Namespace", applyNamespace(r), func(_, name string) { r.DeleteNamespace(name) })
	nsFeed.put(&metav1.PartialObjectMetadata{ObjectMeta: metav1.ObjectMeta{Name: "shop"}})
	want := func(step string, names ...string) {
		t.Helper()
		if got := r.Sizes()["OAuthClient"]; got != len(names) {
			t.Errorf("%s: %d clients; want %v", step, got, names)
		}
		for _, name := range names {
			if _, ok := r.ClientByID("shop/" + name); !ok {
				t.Errorf("%s: %s is missing", step, name)
			}
		}
	}
	good := map[string]any{"suspend": false}
	broken := clientObject("broken", map[string]any{"roles": "not a list"})

	if f.synced.Load() {
		t.Error("synced before the first list")
	}
	_ = f.Replace([]any{clientObject("a", good), broken, clientObject("b", good)}, "1")
	want("a list with one that cannot be read", "a", "b")
	if got := testutil.ToFloat64(stats.skipped.WithLabelValues("OAuthClient")); got != 1 {
		t.Errorf("%v unreadable objects were counted", got)
	}
	_ = f.Add(clientObject("c", good))
	want("one more", "a", "b", "c")
	_ = f.Delete(clientObject("a", good))
	want("one less", "b", "c")
	_ = f.Update(clientObject("b", map[string]any{"roles": "not a list"}))
	want("one that cannot be read any more", "c")
	held := clientObject("d", good)
	held.SetFinalizers([]string{"example.com/hold"})
	_ = f.Add(held)
	want("one that a finalizer will hold", "c", "d")
	held = held.DeepCopy()
	held.SetDeletionTimestamp(&metav1.Time{Time: noon})
	_ = f.Update(held)
	want("deleted, and held", "c")
	_ = f.Replace([]any{clientObject("c", good), held}, "2")
	want("the same in a list", "c")
	_ = f.Delete(held)
	want("let go", "c")
	_ = f.Replace([]any{clientObject("d", good)}, "3")
	want("another list", "d")

	o, _ := r.ClientByID("shop/d")
	if o.ManagedFields != nil || o.Annotations != nil || o.Status.ClientID != "" || o.CreationTimestamp.IsZero() {
		t.Errorf("kept more, or less, than needed: %+v", o.ObjectMeta)
	}
	if got := testutil.CollectAndCount(stats.propagation, "lanyard_issuer_propagation_seconds"); got != 1 {
		t.Errorf("%d kinds have a propagation time", got)
	}
}

type fakeKeys struct {
	set   int
	err   error
	ready bool
}

func (k *fakeKeys) Set(keyring.Ring) error { k.set++; return k.err }
func (k *fakeKeys) Ready(time.Time) bool   { return k.ready }

func TestSigningKeysThatCannotBeReadChangeNothing(t *testing.T) {
	keys := &fakeKeys{}
	var log strings.Builder
	s := &signingKeys{set: keys.Set, log: slog.New(slog.NewTextHandler(&log, nil))}
	secret := func(data map[string]any) object {
		return &unstructured.Unstructured{Object: map[string]any{"metadata": map[string]any{"name": "keys"}, "data": data}}
	}
	for _, data := range []map[string]any{nil, {}, {"ring.json": "c2VjcmV0LXZhbHVl"}, {"ring.json": "secret-value!"}, {"ring.json": 1}} {
		s.put(secret(data))
	}
	s.drop(secret(nil))
	s.replace(nil)
	if keys.set != 0 {
		t.Errorf("keys were set %d times", keys.set)
	}
	if strings.Contains(log.String(), "secret-value") || strings.Count(log.String(), "level=ERROR") != 6 {
		t.Errorf("logged:\n%s", log.String())
	}
}

func TestHeartbeatMeasuresRenewals(t *testing.T) {
	c := newClock()
	stats := testMetrics()
	h := &heartbeat{delay: stats.watchDelay, now: c.now}
	lease := func(at time.Time) object {
		return &unstructured.Unstructured{Object: map[string]any{"spec": map[string]any{"renewTime": at.Format(metav1.RFC3339Micro)}}}
	}
	h.replace([]object{lease(noon.Add(-time.Hour))}) // from the list: how old it is says nothing
	h.put(lease(noon.Add(-20 * time.Millisecond)))
	h.put(lease(noon.Add(-20 * time.Millisecond))) // the same renewal
	h.put(lease(noon.Add(time.Millisecond)))       // their clock is ahead
	var got dto.Metric
	if err := stats.watchDelay.Write(&got); err != nil {
		t.Fatal(err)
	}
	if n, sum := got.GetHistogram().GetSampleCount(), got.GetHistogram().GetSampleSum(); n != 2 || sum < 0.019 || sum > 0.021 {
		t.Errorf("%d renewals that took %v s in all; want 2 in 0.02 s", n, sum)
	}
}

func TestReady(t *testing.T) {
	c := newClock()
	keys := &fakeKeys{}
	a, b := &feed{kind: "A", now: c.now, sink: newPods(c.now)}, &feed{kind: "B", now: c.now, sink: newPods(c.now)}
	k := &Cluster{cfg: Config{Now: c.now, Keys: keys, MaxStaleness: 15 * time.Minute}, feeds: []*feed{a, b}, Keys: &ClusterKeys{now: c.now}}
	want := func(step string, number oauth.Number, reason string) {
		t.Helper()
		e := k.Ready()
		switch {
		case e == nil && number == 0:
		case e == nil || e.Number != number || e.Reason != reason:
			t.Errorf("%s: Ready() = %v; want %d (%s)", step, e, number, reason)
		}
	}
	want("nothing was read", oauth.ErrNotReady, "cache_not_synced")
	_ = a.Replace(nil, "1")
	want("one cache is filled", oauth.ErrNotReady, "cache_not_synced")
	_ = b.Replace(nil, "1")
	want("both are", oauth.ErrNotReady, "service_account_keys_missing")
	k.Keys.state.Store(&clusterState{})
	k.Keys.contact.mark(c.now())
	want("the cluster's keys are there", oauth.ErrNotReady, "signing_key_missing")
	keys.ready = true
	want("everything is there", 0, "")

	c.advance(15 * time.Minute)
	want("15 minutes of silence", 0, "")
	c.advance(time.Second)
	want("a second more", oauth.ErrStale, "stale")
	_ = a.Bookmark("2")
	want("one watch is back", oauth.ErrStale, "stale")
	_ = b.Bookmark("2")
	want("all are, but the keys are as old", oauth.ErrStale, "stale")
	if got := k.staleness(); got != 0 {
		t.Errorf("staleness() = %s; the age of the keys is none", got)
	}
	k.Keys.contact.mark(c.now())
	want("the keys were fetched", 0, "")
}
