package registry

import (
	"slices"
	"sync"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/lanyard-dev/lanyard/issuer/rules"
)

// Key names an object of a namespace.
type Key struct{ Namespace, Name string }

func keyOf(o metav1.Object) Key { return Key{o.GetNamespace(), o.GetName()} }

// table is a map that is read without a lock.
type table[K comparable, V any] struct{ m sync.Map }

func (t *table[K, V]) get(k K) (v V, ok bool) {
	if x, found := t.m.Load(k); found {
		v, ok = x.(V)
	}
	return v, ok
}

func (t *table[K, V]) set(k K, v V) { t.m.Store(k, v) }
func (t *table[K, V]) del(k K)      { t.m.Delete(k) }

// object is a kind of this registry.
type object interface {
	comparable
	metav1.Object
}

// lists maps a key to the objects that have it. A list that was handed out is
// never changed: a writer makes a new one.
type lists[K comparable, V object] struct{ table[K, []V] }

// put puts v in the list of k, in the place of old if it is there. A reader sees
// one or the other, never neither: a change of an object must not look as if the
// object were gone for a moment.
func (l *lists[K, V]) put(k K, old, v V) {
	before, _ := l.get(k)
	after := slices.Clone(before)
	if i := slices.Index(after, old); i >= 0 {
		after[i] = v
	} else {
		after = append(after, v)
	}
	l.set(k, after)
}

func (l *lists[K, V]) remove(k K, v V) {
	before, _ := l.get(k)
	after := slices.DeleteFunc(slices.Clone(before), func(o V) bool { return o == v })
	if len(after) == 0 {
		l.del(k)
		return
	}
	l.set(k, after)
}

// claims maps a name to the object that holds it: the oldest of those that claim
// it. The claimants are the writer's alone; only the holder is read.
type claims[K comparable, V object] struct {
	holders   table[K, V]
	claimants map[K]map[Key]V
}

func newClaims[K comparable, V object]() claims[K, V] {
	return claims[K, V]{claimants: map[K]map[Key]V{}}
}

// claim enters v among those that claim k, in the place of an earlier form of it.
func (c *claims[K, V]) claim(k K, v V) {
	if c.claimants[k] == nil {
		c.claimants[k] = map[Key]V{}
	}
	before := c.claimants[k][keyOf(v)]
	c.claimants[k][keyOf(v)] = v
	holder, held := c.holders.get(k)
	switch {
	case !held || rules.Older(v, holder):
		c.holders.set(k, v)
	case holder != before: // somebody else's, and older
	case sameAge(before, v):
		c.holders.set(k, v)
	default: // deleted and made anew in one step: another may be older now
		c.elect(k)
	}
}

func sameAge(a, b metav1.Object) bool {
	at, bt := a.GetCreationTimestamp(), b.GetCreationTimestamp()
	return at.Equal(&bt)
}

// release withdraws the object's claim to k, if it has one.
func (c *claims[K, V]) release(k K, o Key) {
	v, ok := c.claimants[k][o]
	if !ok {
		return
	}
	delete(c.claimants[k], o)
	if holder, _ := c.holders.get(k); holder == v {
		c.elect(k)
	}
}

// elect makes the oldest claimant the holder.
func (c *claims[K, V]) elect(k K) {
	var oldest, none V
	for _, o := range c.claimants[k] {
		if oldest == none || rules.Older(o, oldest) {
			oldest = o
		}
	}
	if oldest == none {
		delete(c.claimants, k)
		c.holders.del(k)
		return
	}
	c.holders.set(k, oldest)
}
