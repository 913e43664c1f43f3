package rules_test

import (
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/lanyard-dev/lanyard/api/v1alpha1"
	"github.com/lanyard-dev/lanyard/issuer/rules"
)

func TestGone(t *testing.T) {
	deleted := metav1.ObjectMeta{DeletionTimestamp: &metav1.Time{Time: time.Unix(1, 0)}, Finalizers: []string{"example.com/hold"}}
	assignment := func(meta metav1.ObjectMeta, d v1alpha1.Decision) *v1alpha1.AppRoleAssignment {
		return &v1alpha1.AppRoleAssignment{ObjectMeta: meta, Spec: v1alpha1.AppRoleAssignmentSpec{Decision: d}}
	}
	for name, c := range map[string]struct {
		o    metav1.Object
		want bool
	}{
		"a client":                     {&v1alpha1.OAuthClient{}, false},
		"a deleted client":             {&v1alpha1.OAuthClient{ObjectMeta: deleted}, true},
		"a deleted certificate":        {&v1alpha1.ClientCertificate{ObjectMeta: deleted}, true},
		"a deleted resource":           {&v1alpha1.ProtectedResource{ObjectMeta: deleted}, true},
		"a deleted role":               {&v1alpha1.AppRole{ObjectMeta: deleted}, true},
		"an approval":                  {assignment(metav1.ObjectMeta{}, v1alpha1.DecisionApproved), false},
		"a deleted approval":           {assignment(deleted, v1alpha1.DecisionApproved), true},
		"a deleted denial":             {assignment(deleted, v1alpha1.DecisionDenied), false},
		"a deleted unknown decision":   {assignment(deleted, "approved"), false},
		"a deleted decision left open": {assignment(deleted, ""), false},
	} {
		t.Run(name, func(t *testing.T) {
			if got := rules.Gone(c.o); got != c.want {
				t.Errorf("Gone() = %v", got)
			}
		})
	}
}
