package signingkeys

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"

	"github.com/lanyard-dev/lanyard/api/v1alpha1"
	"github.com/lanyard-dev/lanyard/issuer/keyring"
)

type metrics struct {
	keys, since, next prometheus.Gauge
	failures          prometheus.Counter
	commands          *prometheus.CounterVec
}

func newMetrics(registry prometheus.Registerer) metrics {
	with := promauto.With(registry)
	return metrics{
		keys: with.NewGauge(prometheus.GaugeOpts{
			Name: "lanyard_controller_signing_keys",
			Help: "Signing keys in the ring: those that sign, will sign, or have signed tokens that may still be valid.",
		}),
		since: with.NewGauge(prometheus.GaugeOpts{
			Name: "lanyard_controller_signing_key_signs_from_timestamp_seconds",
			Help: "When the key that signs now began to sign, as Unix time; its age is time() minus this.",
		}),
		next: with.NewGauge(prometheus.GaugeOpts{
			Name: "lanyard_controller_signing_key_next_rotation_timestamp_seconds",
			Help: "When the next key begins to sign, as Unix time.",
		}),
		failures: with.NewCounter(prometheus.CounterOpts{
			Name: "lanyard_controller_signing_key_failures_total",
			Help: "Times that the signing keys could not be read, made or stored, or that a command names no key.",
		}),
		commands: with.NewCounterVec(prometheus.CounterOpts{
			Name: "lanyard_controller_signing_key_commands_total",
			Help: "Commands that were carried out, by command: rotate or drop.",
		}, []string{"command"}),
	}
}

// carriedOut counts the commands that are done.
func (m metrics) carriedOut(o orders) {
	names := map[string]string{v1alpha1.AnnotationRotate: "rotate", v1alpha1.AnnotationDropKey: "drop"}
	for _, annotation := range o.done {
		m.commands.WithLabelValues(names[annotation]).Inc()
	}
}

func (m metrics) observe(ring keyring.Ring, s keyring.Schedule, now time.Time) {
	m.keys.Set(float64(len(ring.Keys)))
	signing, ok := ring.Signing(now)
	if !ok {
		return
	}
	m.since.Set(float64(signing.SignsFrom.Unix()))
	m.next.Set(float64(nextRotation(signing, s).Unix()))
}

// nextRotation is when another key signs in place of the one that does.
func nextRotation(signing keyring.Key, s keyring.Schedule) time.Time {
	if !signing.SignsUntil.IsZero() {
		return signing.SignsUntil
	}
	return signing.SignsFrom.Add(s.RotateEvery)
}
