package webhook

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"reflect"
	"time"

	admissionv1 "k8s.io/api/admission/v1"
	kjson "k8s.io/apimachinery/pkg/util/json"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"
)

// The fields of an AppRoleAssignment's spec that say who decided, and those that they
// speak of.
const (
	decidedBy = "decidedBy"
	decidedAt = "decidedAt"
	decision  = "decision"
	expiresAt = "expiresAt"
	reason    = "reason"
)

// spec is an AppRoleAssignment's spec as it came. It is not read into Go types: the
// schema judges it only after this webhook, with a better message than a decoder has.
type spec map[string]any

// operation is one of a JSON Patch (RFC 6902).
type operation struct {
	Op    string `json:"op"`
	Path  string `json:"path"`
	Value any    `json:"value,omitempty"`
}

// whoDecided says what is to change in after, so that decidedBy and decidedAt are the
// user and the time that something was decided anew, and those of before otherwise. It
// warns of values that somebody else thought up. before is nil for a new object.
func whoDecided(before, after spec, user string, now time.Time) (patch []operation, warnings []string) {
	record, anew := spec{}, decidedAnew(before, after)
	if anew {
		record[decidedBy], record[decidedAt] = user, now.UTC().Format(time.RFC3339)
	} else {
		for _, field := range []string{decidedBy, decidedAt} {
			if value, ok := before[field]; ok {
				record[field] = value
			}
		}
	}
	for _, field := range []string{decidedBy, decidedAt} {
		given, isGiven := after[field]
		wanted, isWanted := record[field]
		switch {
		case isGiven == isWanted && reflect.DeepEqual(given, wanted):
			continue
		case isWanted:
			patch = append(patch, operation{Op: "add", Path: "/spec/" + field, Value: wanted}) // add replaces, too
		default:
			patch = append(patch, operation{Op: "remove", Path: "/spec/" + field})
		}
		ours := anew && earlier(after, user, now)
		if isGiven && !ours && !copied(given, before, field) {
			warnings = append(warnings, fmt.Sprintf("spec.%s: %s is not kept: it is written by Lanyard's admission, and is %s", field, shown(given), shown(wanted)))
		}
	}
	return patch, warnings
}

// decidedAnew says whether decision, expiresAt or reason is another.
func decidedAnew(before, after spec) bool {
	return before == nil || !reflect.DeepEqual(before[decision], after[decision]) ||
		!sameInstant(before[expiresAt], after[expiresAt]) || !reflect.DeepEqual(text(before[reason]), text(after[reason]))
}

// sameInstant says whether two times are one, however they are written.
func sameInstant(a, b any) bool {
	at, aErr := instant(a)
	bt, bErr := instant(b)
	if aErr != nil || bErr != nil {
		return reflect.DeepEqual(a, b)
	}
	return at.Equal(bt)
}

func instant(value any) (time.Time, error) {
	s, ok := value.(string)
	if !ok {
		return time.Time{}, fmt.Errorf("a time is a string, and not a %T", value)
	}
	return time.Parse(time.RFC3339, s)
}

// text has an absent text and an empty one be the same.
func text(value any) any {
	if value == nil {
		return ""
	}
	return value
}

// copied says whether a value is the old object's: whoever reads an object, changes
// something else and writes it back forges nothing.
func copied(given any, before spec, field string) bool {
	old, ok := before[field]
	return ok && reflect.DeepEqual(given, old)
}

// reinvoked is how long one request is under way at most: another webhook's change
// brings it here a second time (reinvocationPolicy IfNeeded), with what was written at
// the first.
const reinvoked = time.Minute

// earlier says whether after holds what this webhook wrote a moment ago itself.
func earlier(after spec, user string, now time.Time) bool {
	by, _ := after[decidedBy].(string)
	at, err := instant(after[decidedAt])
	return err == nil && by == user && !at.After(now) && now.Sub(at) < reinvoked
}

// shown writes a value into a warning. It may be as long as a request can be, and need
// not be what the schema wants.
func shown(value any) string {
	const most = 100
	s, ok := value.(string)
	switch {
	case value == nil:
		return "absent"
	case !ok:
		return "what was given"
	case len(s) > most:
		return fmt.Sprintf("%.*q…", most, s)
	default:
		return fmt.Sprintf("%q", s)
	}
}

// handleWhoDecided answers for AppRoleAssignments that are created or updated.
func (h *handlers) handleWhoDecided(_ context.Context, req admission.Request) admission.Response {
	after, err := specOf(req.Object.Raw)
	if err != nil {
		return admission.Errored(http.StatusBadRequest, err)
	}
	var before spec
	if req.Operation == admissionv1.Update {
		if before, err = specOf(req.OldObject.Raw); err != nil {
			return admission.Errored(http.StatusBadRequest, err)
		}
		if before == nil {
			before = spec{}
		}
	}
	if after == nil {
		return admission.Allowed("") // the schema says that there must be one
	}
	operations, warnings := whoDecided(before, after, req.UserInfo.Username, h.now())
	response := admission.Allowed("").WithWarnings(warnings...)
	if len(operations) == 0 {
		return response
	}
	if response.Patch, err = json.Marshal(operations); err != nil {
		return admission.Errored(http.StatusInternalServerError, err)
	}
	response.PatchType = new(admissionv1.PatchTypeJSONPatch)
	return response
}

// specOf reads the spec of an object as the API server does: names of fields count as
// they are written.
func specOf(object []byte) (spec, error) {
	var o struct {
		Spec spec `json:"spec"`
	}
	if err := kjson.Unmarshal(object, &o); err != nil {
		return nil, fmt.Errorf("the object cannot be read: %w", err)
	}
	return o.Spec, nil
}
