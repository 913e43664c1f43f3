package httpapi

import (
	"container/list"
	"iter"
	"net/netip"
)

// crowd is those who hold a place, in the order in which they came. If there are too
// many, the network that holds the most gives one up, its oldest: a stranger who
// takes many places takes them from itself, and who came just now stays. Nothing
// here takes longer the more there are.
type crowd[T any] struct {
	members list.List // of *member[T]
	of      map[netip.Addr]*group
	// bySize[n] are the groups of n members; most is the largest n that there is.
	bySize []*list.List
	most   int
}

// group is the members of one network.
type group struct {
	network netip.Addr
	places  list.List // of *list.Element in members, the oldest first
	at      *list.Element
}

type member[T any] struct {
	group *group
	at    *list.Element
	value T
}

// add gives a place to a member of the network.
func (c *crowd[T]) add(network netip.Addr, value T) (place *list.Element) {
	if c.of == nil {
		c.of, c.bySize = map[netip.Addr]*group{}, []*list.List{list.New()}
	}
	g, ok := c.of[network]
	if !ok {
		g = &group{network: network}
		c.of[network] = g
		g.at = c.bySize[0].PushBack(g)
	}
	m := &member[T]{group: g, value: value}
	place = c.members.PushBack(m)
	n := g.places.Len()
	m.at = g.places.PushBack(place)
	c.resized(g, n)
	return place
}

// remove ends a place that add gave.
func (c *crowd[T]) remove(place *list.Element) {
	m, ok := c.members.Remove(place).(*member[T])
	if !ok {
		return
	}
	n := m.group.places.Len()
	m.group.places.Remove(m.at)
	c.resized(m.group, n)
}

// resized moves a group that had n members to those of its size.
func (c *crowd[T]) resized(g *group, n int) {
	c.bySize[n].Remove(g.at)
	size := g.places.Len()
	if size == len(c.bySize) {
		c.bySize = append(c.bySize, list.New())
	}
	if size == 0 {
		delete(c.of, g.network)
	} else {
		g.at = c.bySize[size].PushBack(g)
	}
	c.most = max(c.most, size)
	for c.most > 0 && c.bySize[c.most].Len() == 0 {
		c.most--
	}
}

func (c *crowd[T]) size() int { return c.members.Len() }

// all are the members, the oldest first.
func (c *crowd[T]) all() iter.Seq[T] {
	return func(yield func(T) bool) {
		for e := c.members.Front(); e != nil; {
			next := e.Next() // e may be removed meanwhile
			if m, ok := e.Value.(*member[T]); ok && !yield(m.value) {
				return
			}
			e = next
		}
	}
}

// surplus is who should go: false if nobody is here.
func (c *crowd[T]) surplus() (who T, ok bool) {
	if c.most == 0 {
		return who, false
	}
	g, _ := c.bySize[c.most].Front().Value.(*group)
	return c.oldest(g)
}

// first is the oldest of a network: false if none is here.
func (c *crowd[T]) first(network netip.Addr) (who T, ok bool) {
	g, ok := c.of[network]
	if !ok {
		return who, false
	}
	return c.oldest(g)
}

func (c *crowd[T]) oldest(g *group) (who T, ok bool) {
	place, _ := g.places.Front().Value.(*list.Element)
	m, ok := place.Value.(*member[T])
	return m.value, ok
}
