package ops

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// Page is a page of metrics in Prometheus' text format.
type Page struct{ b bytes.Buffer }

// Family begins a metric. kind is counter or gauge.
func (p *Page) Family(name, kind, help string) {
	fmt.Fprintf(&p.b, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, kind)
}

// Sample adds a value. labels are pairs of name and value.
func (p *Page) Sample(name string, value float64, labels ...string) {
	p.b.WriteString(name)
	for pair := range slices.Chunk(labels, 2) {
		separator := byte(',')
		if &pair[0] == &labels[0] {
			separator = '{'
		}
		p.b.WriteByte(separator)
		p.b.WriteString(pair[0] + `="` + escape(pair[1]) + `"`)
	}
	if len(labels) > 0 {
		p.b.WriteByte('}')
	}
	p.b.WriteByte(' ')
	p.b.WriteString(strconv.FormatFloat(value, 'f', -1, 64))
	p.b.WriteByte('\n')
}

// escape writes a label's value as the text format asks for.
func escape(s string) string {
	return strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`).Replace(s)
}

// Counter counts by the values of its labels, of which there must be few.
type Counter struct {
	name, help string
	labels     []string

	mu     sync.Mutex
	counts map[string]float64 // by the values, joined
}

// NewCounter returns a counter whose name ends in _total.
func NewCounter(name, help string, labels ...string) *Counter {
	return &Counter{name: name, help: help, labels: labels, counts: map[string]float64{}}
}

// Add counts one. values are those of the labels, in their order.
func (c *Counter) Add(values ...string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.counts[strings.Join(values, "\x00")]++
}

// Write writes the counter.
func (c *Counter) Write(p *Page) {
	c.mu.Lock()
	defer c.mu.Unlock()
	p.Family(c.name, "counter", c.help)
	for _, key := range slices.Sorted(maps.Keys(c.counts)) {
		var pairs []string
		for i, value := range strings.Split(key, "\x00") {
			pairs = append(pairs, c.labels[i], value)
		}
		p.Sample(c.name, c.counts[key], pairs...)
	}
}
