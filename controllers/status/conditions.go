package status

import (
	"slices"
	"time"
	"unicode/utf8"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/lanyard-dev/lanyard/api/v1alpha1"
	"github.com/lanyard-dev/lanyard/issuer/rules"
)

// Ready returns existing with the condition Ready as verdict says. generation is
// the one that the verdict speaks of.
func Ready(existing []metav1.Condition, verdict rules.Verdict, generation int64, now time.Time) []metav1.Condition {
	condition := metav1.Condition{
		Type:               v1alpha1.ConditionReady,
		Status:             metav1.ConditionFalse,
		Reason:             verdict.Reason,
		Message:            verdict.Message,
		ObservedGeneration: generation,
	}
	if verdict.OK {
		condition.Status = metav1.ConditionTrue
	}
	return Set(existing, condition, now)
}

// Set returns existing with condition in the place of the one of its type, or at
// the end. lastTransitionTime becomes now if the status changes, and else stays.
// existing is not changed.
func Set(existing []metav1.Condition, condition metav1.Condition, now time.Time) []metav1.Condition {
	conditions := slices.Clone(existing)
	condition.Message = Cut(condition.Message, maxMessage)
	condition.LastTransitionTime = metav1.NewTime(now.Truncate(time.Second)) // as fine as the API keeps it
	meta.SetStatusCondition(&conditions, condition)
	return conditions
}

// Without returns existing without the condition of that type. existing is not changed.
func Without(existing []metav1.Condition, conditionType string) []metav1.Condition {
	return slices.DeleteFunc(slices.Clone(existing), func(c metav1.Condition) bool { return c.Type == conditionType })
}

// Changed returns the conditions of after whose status or reason is not that of
// before. A new message alone, such as a count, is no change.
func Changed(before, after []metav1.Condition) []metav1.Condition {
	var changed []metav1.Condition
	for _, c := range after {
		was := meta.FindStatusCondition(before, c.Type)
		if was == nil || was.Status != c.Status || was.Reason != c.Reason {
			changed = append(changed, c)
		}
	}
	return changed
}

// maxMessage is the length of a message that people still read, in bytes. Messages
// of others, such as cert-manager's, may be longer.
const maxMessage = 2048

// Cut returns s, shortened to at most limit bytes without cutting a character.
func Cut(s string, limit int) string {
	if len(s) <= limit {
		return s
	}
	const ellipsis = "…"
	end := max(limit-len(ellipsis), 0)
	for end > 0 && !utf8.RuneStart(s[end]) {
		end--
	}
	return s[:end] + ellipsis
}
