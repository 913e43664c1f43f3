package status

import (
	"slices"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/lanyard-dev/lanyard/api/v1alpha1"
)

// EventRecorder takes events of events.k8s.io. It returns nothing: an event that
// cannot be written is lost, which is why status, and not an event, is the record.
type EventRecorder interface {
	Eventf(regarding, related runtime.Object, eventtype, reason, action, note string, args ...any)
}

// action of every event that Record makes.
const action = "SetCondition"

// MaxNote is the API's limit for an event's note, in bytes.
const MaxNote = 1024

// Record tells on object which conditions have changed from before to after: one
// event each, with the condition's reason and message. It is a Warning if Ready
// becomes False, unless something is merely under way (a reason of usual).
func Record(recorder EventRecorder, object runtime.Object, before, after []metav1.Condition, usual ...string) {
	for _, c := range Changed(before, after) {
		eventType := corev1.EventTypeNormal
		if c.Type == v1alpha1.ConditionReady && c.Status == metav1.ConditionFalse && !slices.Contains(usual, c.Reason) {
			eventType = corev1.EventTypeWarning
		}
		recorder.Eventf(object, nil, eventType, c.Reason, action, "%s", Cut(c.Message, MaxNote))
	}
}
