package httpapi

import (
	"container/list"
	"iter"
	"net/netip"
)

// crowd is those who hold a place, in the order in which they came. If there are too
// many, the network that holds the most gives one up, its oldest: a stranger who
// takes many places takes them from itself, and who came just now stays.
type crowd[T any] struct {
	members list.List // of *member[T]
	of      map[netip.Addr]int
}

type member[T any] struct {
	network netip.Addr
	value   T
}

// add gives a place to a member of the network.
func (c *crowd[T]) add(network netip.Addr, value T) (place *list.Element) {
	if c.of == nil {
		c.of = map[netip.Addr]int{}
	}
	c.of[network]++
	return c.members.PushBack(&member[T]{network, value})
}

// remove ends a place that add gave.
func (c *crowd[T]) remove(place *list.Element) {
	m, ok := c.members.Remove(place).(*member[T])
	if !ok {
		return
	}
	if c.of[m.network]--; c.of[m.network] == 0 {
		delete(c.of, m.network)
	}
}

func (c *crowd[T]) size() int { return c.members.Len() }

// all are the members, the oldest first.
func (c *crowd[T]) all() iter.Seq[T] {
	return func(yield func(T) bool) {
		for e := c.members.Front(); e != nil; e = e.Next() {
			if m, ok := e.Value.(*member[T]); ok && !yield(m.value) {
				return
			}
		}
	}
}

// surplus is who should go: false if nobody is here.
func (c *crowd[T]) surplus() (who T, ok bool) {
	most := 0
	for e := c.members.Front(); e != nil; e = e.Next() {
		if m, is := e.Value.(*member[T]); is && c.of[m.network] > most {
			most, who, ok = c.of[m.network], m.value, true
		}
	}
	return who, ok
}
