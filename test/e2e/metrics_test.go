//go:build e2e

package e2e

import (
	"net"
	"net/http"
	"slices"
	"strconv"
	"testing"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	corev1 "k8s.io/api/core/v1"
)

// sidecarMetrics are what the sidecar of a pod says of itself.
func (s *shop) sidecarMetrics(t *testing.T, pod *corev1.Pod) metrics {
	t.Helper()
	read, err := readMetrics(t, metricsURL(pod, "lanyard-metrics"))
	if err != nil {
		t.Fatal(err)
	}
	return read
}

type metrics map[string]*dto.MetricFamily

// metricsURL is where a pod has its metrics: at the container port of that name.
func metricsURL(pod *corev1.Pod, portName string) string {
	for _, container := range slices.Concat(pod.Spec.InitContainers, pod.Spec.Containers) {
		for _, port := range container.Ports {
			if port.Name == portName {
				return "http://" + net.JoinHostPort(pod.Status.PodIP, strconv.Itoa(int(port.ContainerPort))) + "/metrics"
			}
		}
	}
	return "" // fails where it is read
}

func readMetrics(t *testing.T, url string) (metrics, error) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		return nil, err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, err
	}
	defer func() { _ = response.Body.Close() }()
	parser := expfmt.NewTextParser(model.UTF8Validation)
	return parser.TextToMetricFamilies(response.Body)
}

// sum adds up a counter or gauge over the samples that have all of these labels.
func (m metrics) sum(name string, labels map[string]string) (sum float64) {
	family := m[name]
	if family == nil {
		return 0
	}
	for _, sample := range family.Metric {
		if has(sample, labels) {
			sum += sample.GetCounter().GetValue() + sample.GetGauge().GetValue() + sample.GetUntyped().GetValue()
		}
	}
	return sum
}

func has(sample *dto.Metric, labels map[string]string) bool {
	found := 0
	for _, pair := range sample.Label {
		if value, asked := labels[pair.GetName()]; asked && value == pair.GetValue() {
			found++
		}
	}
	return found == len(labels)
}
