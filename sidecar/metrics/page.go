package metrics

import (
	"bytes"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Page is a page of metrics in Prometheus' text format.
type Page struct{ b bytes.Buffer }

// Bytes is what was written.
func (p *Page) Bytes() []byte { return p.b.Bytes() }

// Family begins a metric. kind is counter, gauge or histogram.
func (p *Page) Family(name, kind, help string) {
	fmt.Fprintf(&p.b, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, kind)
}

// Sample adds a value. labels are pairs of name and value.
func (p *Page) Sample(name string, value float64, labels ...string) {
	p.b.WriteString(name)
	separator := byte('{')
	for pair := range slices.Chunk(labels, 2) {
		p.b.WriteByte(separator)
		p.b.WriteString(pair[0] + `="` + escape(pair[1]) + `"`)
		separator = ','
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
