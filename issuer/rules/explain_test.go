package rules_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lanyard-dev/lanyard/api/v1alpha1"
	"github.com/lanyard-dev/lanyard/issuer/oauth"
	"github.com/lanyard-dev/lanyard/issuer/rules"
)

func TestExplainTakesEveryStep(t *testing.T) {
	tests := map[string]struct {
		change func(*scene)
		want   map[rules.StepName]oauth.Number // 0: not reached
	}{
		"a token": {func(*scene) {}, map[rules.StepName]oauth.Number{}},
		"two things stand in the way, and both are told": {
			func(s *scene) { s.Roles, s.Peer = nil, rules.Peer{} },
			map[rules.StepName]oauth.Number{rules.StepRoles: oauth.ErrNoSuchScope, rules.StepBinding: oauth.ErrBindingRequired},
		},
		"a bearer client of an API that wants bound tokens": {
			func(s *scene) { s.Client.Spec.TokenBinding, s.Peer = v1alpha1.TokenBindingNone, rules.Peer{} },
			map[rules.StepName]oauth.Number{rules.StepBinding: oauth.ErrResourceNeedsBinding},
		},
		"without a resource what is asked of it is not reached": {
			func(s *scene) { s.Resource, s.Roles = nil, nil },
			map[rules.StepName]oauth.Number{
				rules.StepResource: oauth.ErrNoSuchScope,
				rules.StepRoles:    0, rules.StepSuspension: 0, rules.StepBinding: 0, rules.StepLifetime: 0,
			},
		},
	}
	for sentence, test := range tests {
		t.Run(sentence, func(t *testing.T) {
			s := newScene(test.change)
			steps, approval := rules.Explain(s.Facts, s.Request, noon)
			got := map[rules.StepName]oauth.Number{}
			for _, step := range steps {
				switch step.Verdict {
				case rules.StepRefused:
					got[step.Name] = step.Refusal.Number
				case rules.StepNotReached:
					got[step.Name] = 0
				case rules.StepPassed:
				}
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("steps that do not pass (-want +got):\n%s", diff)
			}
			if want := len(test.want) == 0; approval.Valid() != want {
				t.Errorf("approved: %t, want %t", approval.Valid(), want)
			}
		})
	}
}
