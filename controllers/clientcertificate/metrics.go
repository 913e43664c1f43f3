package clientcertificate

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

// metrics of certificates; a nil one measures nothing.
type metrics struct {
	untilPinned prometheus.Histogram
}

func newMetrics(registerer prometheus.Registerer) *metrics {
	if registerer == nil {
		return nil
	}
	return &metrics{untilPinned: promauto.With(registerer).NewHistogram(prometheus.HistogramOpts{
		Name: "lanyard_controller_certificate_pinned_seconds",
		Help: "Time from the creation of a CertificateRequest (kept in whole seconds) until its certificate was pinned.",
		// Seconds where all is well, minutes where people approve requests.
		Buckets: []float64{0.5, 1, 2, 5, 10, 30, 60, 300, 3600},
	})}
}

// pinned counts a certificate that was pinned at now.
func (m *metrics) pinned(now time.Time, s sightings, thumbprint string) {
	if m == nil {
		return
	}
	for _, seen := range []*sighting{s.current, s.next} {
		if seen != nil && seen.request != nil && seen.thumbprint == thumbprint {
			m.untilPinned.Observe(max(0, now.Sub(seen.request.CreationTimestamp.Time).Seconds()))
			return
		}
	}
}
