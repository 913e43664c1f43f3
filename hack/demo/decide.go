package demo

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/lanyard-dev/lanyard/api/v1alpha1"
)

// decideSteps: who may decide, and who may not.
func decideSteps() []step {
	return []step{
		{
			chapter: "Decided: each by whom it belongs to",
			title:   "What does checkout wait for?",
			text: "The orders team sees who asks for its roles. And to the question why there is no token, kubectl lanyard takes " +
				"the steps of the issuer's own decision, one by one, down to the one that says no, and what to do about it.",
			want: "the request is pending, and the role that is not granted is the reason",
			do:   (*story).ask,
		},
		{
			title: "Nobody takes another's part",
			text: "Bob has Kubernetes' own role edit in the namespace of the shop. He cannot give his client the role, " +
				"nor write into its status that it has it. Not even the administrator writes status: the issuer trusts the pins " +
				"there, and a policy of the API server keeps it to the controller. Carol looks after the shop's clients, and " +
				"may not have certificates made: Lanyard does not do for her what cert-manager would refuse.",
			want: "each is refused, with a sentence that says why",
			do:   (*story).othersParts,
		},
		{
			title: "Alice of the orders team decides that checkout has the role",
			text: "To ask is not to have. An AppRoleAssignment is the decision of the API's owner. It stands in the namespace of " +
				"the API, and says who decided, when and why.",
			want: "the role is granted, both sides can see it, and alice is on record",
			do:   (*story).approve,
		},
		{
			title: "Who decided is not for anybody to write",
			text: "Later alice would rather have it that bob decided. Admission writes that record, from the user of the request: " +
				"what anybody else writes there is not kept, and says so.",
			want: "a warning, and alice stays on record",
			do:   (*story).forge,
		},
	}
}

// assignment is what `kubectl lanyard approve` makes, in the namespace orders.
const assignment = "shop-checkout-orders-read"

func (s *story) ask(ctx context.Context) error {
	seen, err := s.as(alice).seeKubectl(ctx, "lanyard", "pending", "-n", orders)
	if err != nil {
		return err
	}
	if !strings.Contains(seen, clientID) {
		return errors.New(clientID + " is not among those who wait")
	}
	return s.refusedKubectl(ctx, "is Pending", "lanyard", "why", clientID, "api://orders")
}

func (s *story) othersParts(ctx context.Context) error {
	for _, try := range []struct {
		person, words string
		args          []string
	}{
		{bob, "cannot create resource \"approleassignments\"", []string{"create", "-f", approvalSample}},
		{bob, "resource \"oauthclients/status\"", []string{
			"patch", "-n", shop, "oauthclient", "checkout", "--subresource=status", "--type=merge", "-p",
			`{"status":{"roles":[{"namespace":"orders","name":"orders-read","state":"Granted"}]}}`,
		}},
		{"", "status is written by Lanyard's controller alone", []string{
			"patch", "-n", shop, "clientcertificate", "checkout", "--subresource=status", "--type=merge", "-p", `{"status":{"pins":[]}}`,
		}},
		{carol, "carol may not create certificates.cert-manager.io", []string{"create", "-f", "hack/demo/manifests/another-certificate.yaml"}},
	} {
		if err := s.as(try.person).refusedKubectl(ctx, try.words, try.args...); err != nil {
			return err
		}
	}
	return nil
}

func (s *story) approve(ctx context.Context) error {
	err := s.as(alice).showAll(ctx,
		[]string{"lanyard", "approve", clientID, "orders/orders-read", "--expires", "90d", "--reason", "checkout shows order history"},
		[]string{"get", "-n", orders, "approleassignments", "-o", "wide"},
	)
	if err != nil {
		return err
	}
	err = s.as(bob).showAll(ctx,
		[]string{"wait", "--for=condition=RolesGranted", "--timeout=30s", "-n", shop, "oauthclient/checkout"},
		[]string{"lanyard", "status", "-n", shop, "checkout"},
	)
	if err != nil {
		return err
	}
	if err := s.showKubectl(ctx, "lanyard", "why", clientID, "api://orders"); err != nil {
		return err
	}
	return s.decidedBy(ctx, alice)
}

func (s *story) forge(ctx context.Context) error {
	seen, err := s.as(alice).seeKubectl(ctx, "patch", "-n", orders, "approleassignment", assignment, "--type=merge", "-p", `{"spec":{"decidedBy":"bob"}}`)
	if err != nil {
		return err
	}
	if !strings.Contains(seen, "Warning: spec.decidedBy") {
		return errors.New("there was no warning")
	}
	err = s.as(alice).showKubectl(ctx, "get", "-n", orders, "approleassignment", assignment, "-o", "custom-columns=DECIDED-BY:.spec.decidedBy,AT:.spec.decidedAt")
	if err != nil {
		return err
	}
	return s.decidedBy(ctx, alice)
}

// decidedBy checks who is on record.
func (s *story) decidedBy(ctx context.Context, person string) error {
	var a v1alpha1.AppRoleAssignment
	if err := s.kube.Get(ctx, client.ObjectKey{Namespace: orders, Name: assignment}, &a); err != nil {
		return err
	}
	if a.Spec.DecidedBy != person {
		return fmt.Errorf("on record is %q", a.Spec.DecidedBy)
	}
	return nil
}
