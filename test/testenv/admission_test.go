package testenv_test

import (
	"strings"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/lanyard-dev/lanyard/api/v1alpha1"
	"github.com/lanyard-dev/lanyard/test/testenv"
)

func TestAdmissionAnswersWhileTheControllerRuns(t *testing.T) {
	env := testenv.New(t, testenv.Options{Admission: true})
	ns := env.Namespace(t, nil, nil)
	decide := func(name string) error {
		return env.Client.Create(t.Context(), &v1alpha1.AppRoleAssignment{
			ObjectMeta: metav1.ObjectMeta{Namespace: ns.Name, Name: name},
			Spec: v1alpha1.AppRoleAssignmentSpec{
				RoleRef:   v1alpha1.LocalReference{Name: "reader"},
				ClientRef: &v1alpha1.ClientReference{Namespace: ns.Name, Name: "app"},
				Decision:  v1alpha1.DecisionApproved,
			},
		})
	}
	if err := decide("first"); err != nil {
		t.Errorf("with the controller: %v", err)
	}
	env.Controller.Kill()
	if err := decide("second"); !apierrors.IsInternalError(err) || !strings.Contains(err.Error(), "who-decided.lanyard.dev") {
		t.Errorf("without the controller: %v; want that the webhook does not answer", err)
	}
	if err := env.Controller.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := decide("second"); err != nil {
		t.Errorf("with the controller back: %v", err)
	}
}
