//go:build e2e

package e2e

import (
	"strings"
	"testing"
)

// What only a change of the pod heals is refused when it is created, with a sentence that says
// what to change.
func TestRefusesPodsThatCanNeverWork(t *testing.T) {
	beside(t)
	s := newShop(t)
	s.declareClient(t)
	inject := []string{"labels: {app: by-hand}", "labels: {app: by-hand, lanyard.dev/inject: \"true\"}\n  annotations: {lanyard.dev/client: checkout}"}
	for name, test := range map[string]struct {
		edits []string
		want  []string // parts of the sentence
	}{
		"it does not say which client it is": {
			edits: []string{"  annotations: {lanyard.dev/client: checkout}\n", ""}, want: []string{"lanyard.dev/client"},
		},
		"it names what can be no client": {
			edits: []string{"lanyard.dev/client: checkout", "lanyard.dev/client: Check_out"}, want: []string{"lanyard.dev/client", "Check_out"},
		},
		"its service account is not the client's": {
			edits: []string{"serviceAccountName: checkout", "serviceAccountName: default"}, want: []string{"serviceAccountName", "default", "checkout"},
		},
		"it has a container of the sidecar's name": {
			edits: []string{"- name: app", "- name: lanyard-sidecar"}, want: []string{"lanyard-sidecar"},
		},
		"it listens on the sidecar's port": {
			edits: []string{"command: [/caller, --control=:8080]", "command: [/caller, --control=:9466]\n    ports: [{containerPort: 9466}]"}, want: []string{"9466"},
		},
		"it sets the mark itself": {
			edits: []string{"lanyard.dev/inject: \"true\"", "lanyard.dev/admitted: checkout"}, want: []string{"lanyard.dev/admitted"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := s.try(t, edit(t, manifest(t, "pod.yaml", inject...), test.edits...))
			if err == nil {
				s.do(t, "delete", "pod", "by-hand", "--now")
				t.Fatal("it was admitted")
			}
			if !containsAll(err.Error(), test.want) {
				t.Errorf("the refusal does not name %q:\n%v", test.want, err)
			}
			t.Log(err)
		})
	}

	t.Run("and a Deployment's owner reads it in the events of its ReplicaSet", func(t *testing.T) {
		s.apply(t, manifest(t, "deployment.yaml", "serviceAccountName: checkout", "serviceAccountName: default"))
		s.awaitEvent(t, "checkout-", "serviceAccountName")
	})
}

func containsAll(text string, parts []string) bool {
	for _, part := range parts {
		if !strings.Contains(text, part) {
			return false
		}
	}
	return true
}
