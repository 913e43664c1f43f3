package metrics_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lanyard-dev/lanyard/sidecar/metrics"
)

func TestThePageIsPrometheusText(t *testing.T) {
	var r metrics.Registry
	c := r.Counter("a_total", "Things.", "kind", "who")
	c.Add(1, "x", `q"\`+"\n")
	c.Add(2, "x", "y")
	g := r.Gauge("b", "Now.")
	g.Add(2)
	g.Add(-0.5)
	h := r.Histogram("c_seconds", "Took.", []float64{0.1, 1}, "of")
	for _, v := range []float64{0.1, 0.2, 3} {
		h.Observe(v, "z")
	}
	want := `# HELP a_total Things.
# TYPE a_total counter
a_total{kind="x",who="q\"\\\n"} 1
a_total{kind="x",who="y"} 2
# HELP b Now.
# TYPE b gauge
b 1.5
# HELP c_seconds Took.
# TYPE c_seconds histogram
c_seconds_bucket{of="z",le="0.1"} 1
c_seconds_bucket{of="z",le="1"} 2
c_seconds_bucket{of="z",le="+Inf"} 3
c_seconds_sum{of="z"} 3.3
c_seconds_count{of="z"} 3
`
	if diff := cmp.Diff(want, string(r.Page().Bytes())); diff != "" {
		t.Error(diff)
	}
}

func TestNoRegistryIsFine(t *testing.T) {
	var r *metrics.Registry
	r.Counter("a_total", "Things.").Add(1)
	if text := r.Page().Bytes(); len(text) > 0 {
		t.Errorf("wrote %q", text)
	}
}
