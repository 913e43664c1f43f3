package pod

import (
	"sync"

	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/apimachinery/pkg/types"
)

// most is how many pods of one namespace are told of at a time. Where there are more, they
// have one cause, and the metric counts them all.
const most = 50

// memo is what was found out of one pod.
type memo struct {
	uid types.UID
	problem
	told bool
	// compared is what the pod was compared with as a whole.
	compared string
}

// memory holds the pods that something is wrong with, and those that were compared.
type memory struct {
	notInjected *prometheus.GaugeVec

	mu   sync.Mutex
	pods map[types.NamespacedName]memo
	told map[string]int // pods of each namespace that were told
	none map[string]int // pods of each namespace without a sidecar
}

func newMemory(notInjected *prometheus.GaugeVec) *memory {
	return &memory{notInjected: notInjected, pods: map[types.NamespacedName]memo{}, told: map[string]int{}, none: map[string]int{}}
}

// of returns what is remembered of the pod of that UID, and whether another of its
// namespace may be told.
func (m *memory) of(key types.NamespacedName, uid types.UID) (known memo, mayTell bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if known = m.pods[key]; known.uid != uid {
		known = memo{uid: uid}
	}
	return known, known.told || m.told[key.Namespace] < most
}

// put replaces what is remembered of a pod, and says whether its problem is to be told now.
func (m *memory) put(key types.NamespacedName, now memo) (tell bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	before := m.pods[key]
	m.count(key.Namespace, before, -1)
	delete(m.pods, key)
	if now.problem != (problem{}) {
		again := before.told && before.uid == now.uid && before.problem == now.problem
		now.told = again || m.told[key.Namespace] < most
		tell = now.told && !again
	}
	if now.problem != (problem{}) || now.compared != "" {
		m.pods[key] = now
	}
	m.count(key.Namespace, now, 1)
	m.show(key.Namespace)
	return tell
}

func (m *memory) drop(key types.NamespacedName) { m.put(key, memo{}) }

func (m *memory) count(namespace string, of memo, by int) {
	if of.told {
		add(m.told, namespace, by)
	}
	if of.reason == EventNotInjected {
		add(m.none, namespace, by)
	}
}

func add(counts map[string]int, namespace string, by int) {
	if counts[namespace] += by; counts[namespace] == 0 {
		delete(counts, namespace)
	}
}

func (m *memory) show(namespace string) {
	if n := m.none[namespace]; n > 0 {
		m.notInjected.WithLabelValues(namespace).Set(float64(n))
	} else {
		m.notInjected.DeleteLabelValues(namespace)
	}
}
