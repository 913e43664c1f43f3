package plugin

import (
	"slices"
	"testing"
	"time"
)

const (
	// quick is how soon a command answers, warm.
	quick = 300 * time.Millisecond
	// busy is for how long the machine may be so, at most, before a command has answered so soon.
	busy = 2 * time.Minute
)

// What a command costs is the fastest of a few runs: the slower ones were kept waiting by
// something else on the machine.
func TestAnswersQuickly(t *testing.T) {
	w := newWorld(t, "speed")
	checkout, role := w.shop+"/checkout", w.orders+"/orders-read"
	run(t, w.alice, "approve", checkout, role).succeeds(t)
	run(t, w.carol, "suspend", checkout).succeeds(t)
	run(t, w.carol, "resume", checkout).succeeds(t)
	commands := map[string]struct {
		kubeconfig string
		args       []string
	}{
		"status of a client":            {w.vera, []string{"status", "client/" + checkout}},
		"status of a name":              {w.vera, []string{"status", checkout}},
		"status of a resource":          {w.vera, []string{"status", "resource/" + w.orders + "/orders"}},
		"status of a role":              {w.vera, []string{"status", "role/" + role}},
		"status of a namespace":         {w.vera, []string{"status", "-n", w.shop}},
		"pending":                       {w.alice, []string{"pending", "-n", w.orders}},
		"approve, with the status":      {w.alice, []string{"approve", checkout, role}},
		"approve, judged by the server": {w.alice, []string{"approve", checkout, role, "--expires=90d", "--dry-run=server"}},
		"suspend, judged by the server": {w.carol, []string{"suspend", checkout, "--dry-run=server"}},
		"resume, with the status":       {w.carol, []string{"resume", checkout}},
	}
	until := time.Now().Add(busy)
	for name, command := range commands {
		t.Run(name, func(t *testing.T) {
			var took []time.Duration
			for len(took) < 9 || slices.Min(took) > quick && time.Now().Before(until) {
				began := time.Now()
				run(t, command.kubeconfig, command.args...).succeeds(t)
				took = append(took, time.Since(began))
			}
			slices.Sort(took)
			t.Logf("%s: %s at best, %s in the middle, %s at worst", name, took[0].Round(time.Millisecond), took[len(took)/2].Round(time.Millisecond), took[len(took)-1].Round(time.Millisecond))
			if took[0] > quick {
				t.Errorf("it takes %s, more than %s", took[0], quick)
			}
		})
	}
}
