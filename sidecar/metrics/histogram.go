package metrics

import (
	"maps"
	"slices"
	"strconv"
	"sync"
)

// Histogram counts how often a value was at most so much.
type Histogram struct {
	name, help string
	bounds     []float64
	labels     []string

	mu     sync.Mutex
	series map[string]*series
}

type series struct {
	counts []uint64 // by bucket; the last is beyond all bounds
	sum    float64
}

// Histogram returns a histogram with these upper bounds, in ascending order.
func (r *Registry) Histogram(name, help string, bounds []float64, labels ...string) *Histogram {
	h := &Histogram{name: name, help: help, bounds: bounds, labels: labels, series: map[string]*series{}}
	r.Add(h.write)
	return h
}

// Observe counts one value. of are the labels' values, in the order of the labels.
func (h *Histogram) Observe(value float64, of ...string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	s, ok := h.series[join(of)]
	if !ok {
		s = &series{counts: make([]uint64, len(h.bounds)+1)}
		h.series[join(of)] = s
	}
	i, _ := slices.BinarySearch(h.bounds, value)
	s.counts[i]++
	s.sum += value
}

func (h *Histogram) write(p *Page) {
	h.mu.Lock()
	defer h.mu.Unlock()
	p.Family(h.name, "histogram", h.help)
	for _, key := range slices.Sorted(maps.Keys(h.series)) {
		s, labels := h.series[key], pairs(h.labels, key)
		var total uint64
		for i, n := range s.counts {
			total += n
			le := "+Inf"
			if i < len(h.bounds) {
				le = strconv.FormatFloat(h.bounds[i], 'g', -1, 64)
			}
			p.Sample(h.name+"_bucket", float64(total), append(slices.Clip(labels), "le", le)...)
		}
		p.Sample(h.name+"_sum", s.sum, labels...)
		p.Sample(h.name+"_count", float64(total), labels...)
	}
}
