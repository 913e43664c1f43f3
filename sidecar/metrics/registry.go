package metrics

import (
	"maps"
	"slices"
	"strings"
	"sync"
)

// Registry is what a page of metrics is written from. A nil Registry takes everything and
// writes nothing.
type Registry struct {
	mu    sync.Mutex
	parts []func(*Page)
}

// Add has write called for each page.
func (r *Registry) Add(write func(*Page)) {
	if r == nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.parts = append(r.parts, write)
}

// Page writes everything.
func (r *Registry) Page() *Page {
	var p Page
	if r == nil {
		return &p
	}
	r.mu.Lock()
	parts := slices.Clone(r.parts)
	r.mu.Unlock()
	for _, write := range parts {
		write(&p)
	}
	return &p
}

// Counter returns a counter whose name ends in _total.
func (r *Registry) Counter(name, help string, labels ...string) *Values {
	return r.values(name, "counter", help, labels)
}

// Gauge returns a value that goes up and down.
func (r *Registry) Gauge(name, help string, labels ...string) *Values {
	return r.values(name, "gauge", help, labels)
}

func (r *Registry) values(name, kind, help string, labels []string) *Values {
	v := &Values{name: name, kind: kind, help: help, labels: labels, values: map[string]float64{}}
	r.Add(v.write)
	return v
}

// Values are a counter's or a gauge's, one for each combination of its labels' values, of
// which there must be few.
type Values struct {
	name, kind, help string
	labels           []string

	mu     sync.Mutex
	values map[string]float64
}

// Add adds n, which may be less than zero for a gauge. of are the labels' values, in the
// order of the labels.
func (v *Values) Add(n float64, of ...string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.values[join(of)] += n
}

// Get returns a value, for tests.
func (v *Values) Get(of ...string) float64 {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.values[join(of)]
}

func (v *Values) write(p *Page) {
	v.mu.Lock()
	defer v.mu.Unlock()
	p.Family(v.name, v.kind, v.help)
	for _, key := range slices.Sorted(maps.Keys(v.values)) {
		p.Sample(v.name, v.values[key], pairs(v.labels, key)...)
	}
}

func join(values []string) string { return strings.Join(values, "\x00") }

// pairs are the labels with the values that were joined to key.
func pairs(labels []string, key string) []string {
	if len(labels) == 0 {
		return nil
	}
	all := make([]string, 0, 2*len(labels)+2) // a histogram adds le
	for i, value := range strings.SplitN(key, "\x00", len(labels)) {
		all = append(all, labels[i], value)
	}
	return all
}
