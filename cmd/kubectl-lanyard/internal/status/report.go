package status

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/lanyard-dev/lanyard/api/v1alpha1"
	"github.com/lanyard-dev/lanyard/cmd/kubectl-lanyard/internal/cli"
)

// object names what a report is about.
type object struct {
	Kind        string `json:"kind"`
	Namespace   string `json:"namespace"`
	Name        string `json:"name"`
	DisplayName string `json:"displayName,omitempty"`
}

// condition is a condition of the object.
type condition struct {
	Status  metav1.ConditionStatus `json:"status"`
	Reason  string                 `json:"reason,omitempty"`
	Message string                 `json:"message,omitempty"`
	Since   *metav1.Time           `json:"since,omitempty"`
}

// text is True, or False (Reason).
func (c condition) text() string {
	if c.Status == metav1.ConditionTrue || c.Reason == "" {
		return string(c.Status)
	}
	return fmt.Sprintf("%s (%s)", c.Status, c.Reason)
}

// unseen is the Ready condition of an object that the controller has not seen.
func unseen() condition {
	return condition{Status: metav1.ConditionUnknown, Message: "Lanyard's controller has not seen the object yet; if this stays so, see kubectl lanyard check"}
}

func readyOf(conditions []metav1.Condition) condition {
	c := meta.FindStatusCondition(conditions, v1alpha1.ConditionReady)
	if c == nil {
		return unseen()
	}
	return condition{Status: c.Status, Reason: c.Reason, Message: c.Message, Since: c.LastTransitionTime.DeepCopy()}
}

// problem is something that is not as it should be.
type problem struct {
	// Object as Kind/name; empty: the one that the report is about.
	Object  string `json:"object,omitempty"`
	Message string `json:"message"`
}

// event is something that went wrong lately.
type event struct {
	Object  string      `json:"object"`
	Reason  string      `json:"reason"`
	Message string      `json:"message"`
	Count   int32       `json:"count"`
	Last    metav1.Time `json:"last"`
}

// amiss are the conditions of one object that are not as they should be. Issuing says
// that something is under way, which is neither good nor bad.
func amiss(of string, o client.Object, observed int64, conditions []metav1.Condition) []problem {
	var problems []problem
	for _, c := range conditions {
		if c.Status != metav1.ConditionTrue && c.Type != v1alpha1.ConditionIssuing {
			problems = append(problems, problem{of, fmt.Sprintf("%s is %s (%s): %s", c.Type, c.Status, c.Reason, c.Message)})
		}
	}
	switch {
	case len(conditions) == 0:
		problems = append(problems, problem{of, unseen().Message})
	case observed < o.GetGeneration():
		problems = append(problems, problem{of, "Lanyard's controller has not seen the newest change yet; what is shown is older"})
	}
	return problems
}

// maxEvents is how many events a person still reads.
const maxEvents = 5

// eventsOf are the newest warnings about objects, the newest first. about are their UIDs
// by Kind/name: what was said of one that is gone, and had the same name, is not theirs.
func eventsOf(all []corev1.Event, about map[string]types.UID) []event {
	var out []event
	for i := range all {
		e := &all[i]
		uid, ours := about[e.InvolvedObject.Kind+"/"+e.InvolvedObject.Name]
		if e.Type != corev1.EventTypeWarning || !ours || uid != e.InvolvedObject.UID {
			continue
		}
		out = append(out, event{
			Object: e.InvolvedObject.Kind + "/" + e.InvolvedObject.Name, Reason: e.Reason, Message: e.Message,
			Count: times(e), Last: metav1.Time{Time: last(e)},
		})
	}
	slices.SortStableFunc(out, func(a, b event) int {
		return cmp.Or(b.Last.Compare(a.Last.Time), cmp.Compare(a.Object, b.Object), cmp.Compare(a.Reason, b.Reason))
	})
	return list(out[:min(len(out), maxEvents)])
}

// last is when an event was last seen: the API has four places for it.
func last(e *corev1.Event) time.Time {
	at := e.CreationTimestamp.Time
	for _, t := range []time.Time{e.FirstTimestamp.Time, e.LastTimestamp.Time, e.EventTime.Time} {
		if t.After(at) {
			at = t
		}
	}
	if e.Series != nil && e.Series.LastObservedTime.After(at) {
		at = e.Series.LastObservedTime.Time
	}
	return at
}

func times(e *corev1.Event) int32 {
	if e.Series != nil {
		return max(e.Series.Count, 1)
	}
	return max(e.Count, 1)
}

// life is how long something lives; empty: nobody said.
func life(d *metav1.Duration) string {
	if d == nil {
		return ""
	}
	return cli.Lifetime(d.Duration)
}

// list is s, and in JSON [] where it is empty: programs loop over it.
func list[T any](s []T) []T {
	if s == nil {
		return []T{}
	}
	return s
}
