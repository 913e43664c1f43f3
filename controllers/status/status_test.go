package status_test

import (
	"fmt"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/lanyard-dev/lanyard/api/v1alpha1"
	"github.com/lanyard-dev/lanyard/controllers/status"
	"github.com/lanyard-dev/lanyard/issuer/rules"
)

var noon = time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)

func ready(ok metav1.ConditionStatus, reason string, at time.Time) metav1.Condition {
	return metav1.Condition{
		Type: v1alpha1.ConditionReady, Status: ok, Reason: reason, Message: "m",
		ObservedGeneration: 1, LastTransitionTime: metav1.NewTime(at),
	}
}

func TestReadyKeepsTheMomentOfTheLastChange(t *testing.T) {
	before := []metav1.Condition{ready(metav1.ConditionFalse, "Conflict", noon)}
	later := noon.Add(time.Hour + time.Millisecond)
	tests := map[string]struct {
		verdict rules.Verdict
		want    metav1.Condition
	}{
		"another reason with the same status keeps the time": {
			rules.Verdict{Reason: "Suspended", Message: "m"}, ready(metav1.ConditionFalse, "Suspended", noon),
		},
		"another status takes the new time, in whole seconds": {
			rules.Verdict{OK: true, Reason: "Ready", Message: "m"}, ready(metav1.ConditionTrue, "Ready", noon.Add(time.Hour)),
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			got := status.Ready(before, test.verdict, 1, later)
			if diff := cmp.Diff([]metav1.Condition{test.want}, got); diff != "" {
				t.Errorf("conditions (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff([]metav1.Condition{ready(metav1.ConditionFalse, "Conflict", noon)}, before); diff != "" {
				t.Errorf("the existing conditions were changed:\n%s", diff)
			}
		})
	}
}

func TestWithoutRemovesOneType(t *testing.T) {
	before := []metav1.Condition{{Type: "Issuing"}, {Type: "Ready"}}
	if diff := cmp.Diff([]metav1.Condition{{Type: "Ready"}}, status.Without(before, "Issuing")); diff != "" {
		t.Error(diff)
	}
	if before[0].Type != "Issuing" {
		t.Error("the existing conditions were changed")
	}
}

// told collects events as lines.
type told struct{ lines []string }

func (r *told) Eventf(_, _ runtime.Object, eventType, reason, _, note string, args ...any) {
	r.lines = append(r.lines, eventType+" "+reason+" "+fmt.Sprintf(note, args...))
}

func TestRecordTellsChangesOnly(t *testing.T) {
	works := ready(metav1.ConditionTrue, "Ready", noon)
	broken := ready(metav1.ConditionFalse, "Conflict", noon)
	underWay := ready(metav1.ConditionFalse, "Issuing", noon)
	percent := broken
	percent.Message = "100%d of api://a%2fb"
	counted := works
	counted.Message = "another count"
	tests := map[string]struct {
		before, after []metav1.Condition
		want          []string
	}{
		"nothing changed":               {[]metav1.Condition{works}, []metav1.Condition{works}, nil},
		"a message alone is no change":  {[]metav1.Condition{works}, []metav1.Condition{counted}, nil},
		"the first condition is told":   {nil, []metav1.Condition{works}, []string{"Normal Ready m"}},
		"what breaks is a warning":      {[]metav1.Condition{works}, []metav1.Condition{broken}, []string{"Warning Conflict m"}},
		"what is under way is none":     {[]metav1.Condition{works}, []metav1.Condition{underWay}, []string{"Normal Issuing m"}},
		"what heals is told":            {[]metav1.Condition{broken}, []metav1.Condition{works}, []string{"Normal Ready m"}},
		"a message is never a template": {nil, []metav1.Condition{percent}, []string{"Warning Conflict 100%d of api://a%2fb"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			var recorder told
			status.Record(&recorder, &v1alpha1.OAuthClient{}, test.before, test.after, "Issuing")
			if diff := cmp.Diff(test.want, recorder.lines); diff != "" {
				t.Errorf("events (-want +got):\n%s", diff)
			}
		})
	}
}

func TestCutKeepsCharactersWhole(t *testing.T) {
	for limit := range 40 {
		got := status.Cut(strings.Repeat("é", 40), limit+3)
		if len(got) > limit+3 || !utf8.ValidString(got) || !strings.HasSuffix(got, "…") {
			t.Errorf("Cut to %d = %q", limit+3, got)
		}
	}
	if got := status.Cut("short", 5); got != "short" {
		t.Errorf("Cut = %q; what fits stays", got)
	}
}
