package plugin

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/lanyard-dev/lanyard/api/v1alpha1"
	"github.com/lanyard-dev/lanyard/test/testenv"
)

// What the API's owner does from the first request to the denial, without any right in
// the caller's namespace.
func TestConsent(t *testing.T) {
	w := newWorld(t, "consent")
	checkout, role := w.shop+"/checkout", w.orders+"/orders-read"

	run(t, w.alice, "pending", "-n", w.orders).succeeds(t).golden(t, "pending")
	run(t, w.alice, "pending", "-n", w.orders, "-o", "wide").succeeds(t).golden(t, "pending-wide")
	run(t, w.alice, "pending", "-n", w.orders, "-o", "json").succeeds(t).golden(t, "pending-json")

	run(t, w.alice, "approve", checkout, role, "--dry-run=client").succeeds(t).golden(t, "approve-dry-run")
	run(t, w.alice, "approve", checkout, role, "--dry-run=server", "-o", "yaml").succeeds(t).golden(t, "approve-dry-run-server")
	w.awaitRole(t, v1alpha1.RolePending)

	run(t, w.alice, "approve", checkout, "orders-read", "-n", w.orders, "--expires", "90d", "--reason", "checkout shows order history").
		succeeds(t).golden(t, "approve")
	w.awaitRole(t, v1alpha1.RoleGranted)
	run(t, w.alice, "approve", checkout, role).succeeds(t).golden(t, "approve-again")
	run(t, w.alice, "pending", "-n", w.orders).succeeds(t).golden(t, "pending-none")
	run(t, w.vera, "status", "client/"+checkout, "-o", "wide").succeeds(t).golden(t, "status-client-approved")
	run(t, w.vera, "status", "resource/"+w.orders+"/orders", "-o", "wide").succeeds(t).golden(t, "status-resource-approved")

	run(t, w.alice, "deny", checkout, role, "--reason", "contract has ended").succeeds(t).golden(t, "deny")
	w.awaitRole(t, v1alpha1.RoleDenied)
	run(t, w.alice, "approve", checkout, role, "--expires=never").succeeds(t).golden(t, "approve-denied")
	w.awaitRole(t, v1alpha1.RoleGranted)
}

// Who decided is who typed, whatever the program could have sent.
func TestConsentIsRecordedAsWhoTyped(t *testing.T) {
	w := newWorld(t, "recorded")
	out := run(t, w.alice, "approve", w.shop+"/checkout", w.orders+"/orders-read", "-o", "json").succeeds(t)
	var a v1alpha1.AppRoleAssignment
	if err := json.Unmarshal([]byte(out.stdout), &a); err != nil {
		t.Fatal(err)
	}
	if a.Spec.DecidedBy != "alice" || a.Spec.DecidedAt == nil || a.Kind != "AppRoleAssignment" {
		t.Errorf("the record is %+v of a %q; want it to be alice's", a.Spec, a.Kind)
	}
}

func TestRefusesConsentOfOthers(t *testing.T) {
	w := newWorld(t, "others")
	checkout, role := w.shop+"/checkout", w.orders+"/orders-read"
	for name, kubeconfig := range map[string]string{"carol, whose client it is": w.carol, "vera, who may view": w.vera, "mallory": w.mallory} {
		t.Run(name, func(t *testing.T) {
			for _, verb := range []string{"approve", "deny"} {
				out := run(t, kubeconfig, verb, checkout, role).exits(t, 1)
				if !strings.Contains(out.stderr, "forbidden") || !strings.Contains(out.stderr, "lanyard-") {
					t.Errorf("it does not say which role is missing:\n%s", out.text())
				}
			}
		})
	}
	w.awaitRole(t, v1alpha1.RolePending)
	run(t, w.vera, "approve", checkout, role).exits(t, 1).golden(t, "approve-forbidden")
}

// A denial for whole namespaces is another decision than this one, and stays.
func TestApprovalDoesNotUndoADenialOfNamespaces(t *testing.T) {
	w := newWorld(t, "outweighed")
	checkout, role := w.shop+"/checkout", w.orders+"/orders-read"
	create(t, &v1alpha1.AppRoleAssignment{
		ObjectMeta: metav1.ObjectMeta{Namespace: w.orders, Name: "not-for-shops"},
		Spec: v1alpha1.AppRoleAssignmentSpec{
			RoleRef: v1alpha1.LocalReference{Name: "orders-read"}, Decision: v1alpha1.DecisionDenied,
			ClientSelector: &v1alpha1.ClientSelector{NamespaceSelector: metav1.LabelSelector{MatchLabels: map[string]string{"team": w.shop}}},
		},
	})
	w.awaitRole(t, v1alpha1.RoleDenied)
	admin := env.Kubeconfig(t, "admin", "system:masters")
	run(t, admin, "approve", checkout, role).exits(t, 1).golden(t, "approve-outweighed")
	if got := assignments(t, w); len(got) != 1 {
		t.Errorf("there are %v; want nothing to be written that decides nothing", got)
	}
	// Who may not read the caller's namespace is told that it may be so.
	run(t, w.alice, "approve", checkout, role, "--dry-run=server").succeeds(t).golden(t, "approve-perhaps-outweighed")
}

// A client that asks for nothing yet can be approved, and one that is not there yet as
// well, with a warning: the name may be misspelt.
func TestApproveOfClientsThatDoNotAsk(t *testing.T) {
	w := newWorld(t, "strange")
	silent := newClient(w, "silent")
	create(t, silent)
	awaitReady(t, silent)
	admin := env.Kubeconfig(t, "admin", "system:masters")
	role := w.orders + "/orders-read"
	run(t, admin, "approve", w.shop+"/silent", role).succeeds(t).golden(t, "approve-silent")
	run(t, w.alice, "approve", w.shop+"/silent", role).succeeds(t).golden(t, "approve-silent-unread")
	run(t, admin, "approve", w.shop+"/chekcout", role, "--dry-run=server").succeeds(t).golden(t, "approve-misspelt-dry-run")
	run(t, w.alice, "approve", w.shop+"/chekcout", role, "--dry-run=client").succeeds(t).golden(t, "approve-misspelt-unread-dry-run")
	run(t, w.alice, "approve", w.shop+"/chekcout", role, "--dry-run=server").succeeds(t).says(t, "warning: no client "+w.shop+"/chekcout is known here")
	run(t, admin, "approve", w.shop+"/chekcout", role).succeeds(t).golden(t, "approve-misspelt")
	run(t, w.alice, "approve", w.shop+"/checkout", w.orders+"/order-read").exits(t, 1).golden(t, "approve-misspelt-role")
	run(t, w.alice, "approve", w.shop+"/checkout", w.orders+"/Orders.Read.All").exits(t, 1).golden(t, "approve-value")
	run(t, w.alice, "approve", w.shop+"/checkout", role, "--expires", "yesterday").exits(t, 2).golden(t, "approve-wrong-expiry")
	run(t, w.alice, "approve", w.shop+"/checkout").exits(t, 2).golden(t, "approve-wrong-usage")
}

func assignments(t *testing.T, w *world) (names []string) {
	t.Helper()
	var list v1alpha1.AppRoleAssignmentList
	testenv.Eventually(t, func(ctx context.Context) error { return env.Client.List(ctx, &list, client.InNamespace(w.orders)) })
	for i := range list.Items {
		names = append(names, fmt.Sprintf("%s (%s)", list.Items[i].Name, list.Items[i].Spec.Decision))
	}
	return names
}
