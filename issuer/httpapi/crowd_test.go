package httpapi

import (
	"container/list"
	"math/rand/v2"
	"net/netip"
	"testing"
)

// After whatever came and went, the one who should go is the oldest of a network that
// holds as many places as any.
func TestTheOldestOfTheGreatestNetworkGoes(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	networks := make([]netip.Addr, 7)
	for i := range networks {
		networks[i] = netip.AddrFrom4([4]byte{10, 0, 0, byte(i)})
	}
	type guest struct {
		network netip.Addr
		place   *list.Element
		number  int
	}
	var c crowd[*guest]
	var here []*guest // the oldest first
	for n := range 5000 {
		if len(here) == 0 || r.IntN(2) == 0 {
			g := &guest{network: networks[r.IntN(len(networks))], number: n}
			g.place = c.add(g.network, g)
			here = append(here, g)
		} else {
			i := r.IntN(len(here))
			c.remove(here[i].place)
			here = append(here[:i], here[i+1:]...)
		}
		held, most := map[netip.Addr]int{}, 0
		oldest := map[netip.Addr]*guest{}
		for _, g := range here {
			held[g.network]++
			most = max(most, held[g.network])
			if oldest[g.network] == nil {
				oldest[g.network] = g
			}
		}
		goes, ok := c.surplus()
		if ok != (len(here) > 0) || c.size() != len(here) {
			t.Fatalf("%d are here; the crowd has %d, and says %v", len(here), c.size(), ok)
		}
		if ok && (held[goes.network] != most || oldest[goes.network] != goes) {
			t.Fatalf("number %d of %v goes, which holds %d of at most %d; its oldest is number %d",
				goes.number, goes.network, held[goes.network], most, oldest[goes.network].number)
		}
		if len(c.of) != len(held) {
			t.Fatalf("%d networks are remembered, of which %d hold a place", len(c.of), len(held))
		}
		for _, network := range networks {
			if first, ok := c.first(network); ok != (held[network] > 0) || first != oldest[network] {
				t.Fatalf("the first of %v is %v", network, first)
			}
		}
	}
}
