package index

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/types"
)

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func named(name string) types.NamespacedName { return types.NamespacedName{Namespace: "n", Name: name} }

func dueAt(a *Alarm, now time.Time) []string {
	var names []string
	for _, key := range a.due(now) {
		names = append(names, key.Name)
	}
	slices.Sort(names)
	return names
}

func TestAlarm(t *testing.T) {
	at := func(minutes int) time.Time { return noon.Add(time.Duration(minutes) * time.Minute) }
	a := NewAlarm(func() time.Time { return noon })
	a.Set(named("never"), noon, time.Time{})
	a.Set(named("past"), noon, at(-1))
	a.Set(named("first of two"), noon, at(20), time.Time{}, at(10))
	a.Set(named("last"), noon, at(30))
	a.Set(named("put off"), noon, at(5))
	a.Set(named("put off"), noon, at(40))
	a.Set(named("gone"), noon, at(5))
	a.Set(named("gone"), noon)
	for _, look := range []struct {
		says string
		now  time.Time
		want []string
	}{
		{"nothing is due yet", at(0), nil},
		{"a moment before", at(10).Add(-1), nil},
		{"at the moment", at(10), []string{"first of two"}},
		{"once", at(10), nil},
		{"the clock jumps ahead, as after a sleep", at(35), []string{"last"}},
		{"the clock is set back: whatever has, or had, a moment", at(8), []string{"first of two", "last", "past", "put off"}},
		{"once", at(8), nil},
	} {
		if diff := cmp.Diff(look.want, dueAt(a, look.now)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", look.says, diff)
		}
	}
	// Judged again, as the reconciler does with what is due.
	a.Set(named("first of two"), at(8), at(20), at(10))
	if diff := cmp.Diff([]string{"first of two"}, dueAt(a, at(11))); diff != "" {
		t.Errorf("judged again (-want +got):\n%s", diff)
	}
}

// Ten thousand grants that end one day cost nothing while none of them does.
func TestAlarmOfManyIsCheapToAsk(t *testing.T) {
	a := NewAlarm(func() time.Time { return noon })
	for i := range 10_000 {
		a.Set(named(fmt.Sprint(i)), noon, noon.Add(time.Hour+time.Duration(i)*time.Second))
	}
	now := noon
	if n := testing.AllocsPerRun(100, func() { now = now.Add(time.Second); a.due(now) }); n > 0 {
		t.Errorf("a look at the clock allocates %v times", n)
	}
	if due := a.due(noon.Add(2 * time.Hour)); len(due) != 3601 {
		t.Errorf("%d are due after two hours; want 3601", len(due))
	}
}
