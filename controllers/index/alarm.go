package index

import (
	"context"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/source"
)

// alarmTick is how often an Alarm looks at the clock.
const alarmTick = 200 * time.Millisecond

// Alarm queues an object when time alone changes the verdict on it. It looks at the
// clock instead of trusting a timer: a machine that was asleep, or whose clock was set,
// forwards or back, is noticed within a moment.
type Alarm struct {
	now func() time.Time

	mu    sync.Mutex
	next  map[types.NamespacedName]time.Time // zero: all that it had is past
	first time.Time                          // the least of next; zero: there is none
	last  time.Time                          // when the clock was looked at
}

// NewAlarm returns an Alarm by a clock.
func NewAlarm(now func() time.Time) *Alarm {
	return &Alarm{now: now, next: map[types.NamespacedName]time.Time{}}
}

// Set replaces the moments at which the verdict on an object changes, as it was judged
// at now. Zero moments are none.
func (a *Alarm) Set(key types.NamespacedName, now time.Time, moments ...time.Time) {
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.next, key)
	for _, m := range moments {
		if m.IsZero() {
			continue
		}
		if next := a.next[key]; m.After(now) && (next.IsZero() || m.Before(next)) {
			a.next[key] = m
			a.sooner(m)
		} else if next.IsZero() {
			a.next[key] = time.Time{} // the clock may be set back
		}
	}
}

func (a *Alarm) sooner(m time.Time) {
	if a.first.IsZero() || m.Before(a.first) {
		a.first = m
	}
}

// due returns the objects whose moment has come: all of them if the clock was set back.
func (a *Alarm) due(now time.Time) []types.NamespacedName {
	now = now.Round(0) // what the calendar says: a monotonic reading never goes back
	a.mu.Lock()
	defer a.mu.Unlock()
	back := now.Before(a.last)
	a.last = now
	if !back && (a.first.IsZero() || now.Before(a.first)) {
		return nil
	}
	var due []types.NamespacedName
	a.first = time.Time{}
	for key, next := range a.next {
		switch {
		case back || !next.IsZero() && !now.Before(next):
			due = append(due, key)
			a.next[key] = time.Time{} // until it is judged again
		case !next.IsZero():
			a.sooner(next)
		}
	}
	return due
}

// Source queues what is due until the controller stops.
func (a *Alarm) Source() source.Source {
	return source.Func(func(ctx context.Context, q queue) error {
		go a.run(ctx, q)
		return nil
	})
}

func (a *Alarm) run(ctx context.Context, q queue) {
	tick := time.NewTicker(alarmTick)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		for _, key := range a.due(a.now()) {
			q.Add(reconcile.Request{NamespacedName: key})
		}
	}
}
