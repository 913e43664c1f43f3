package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/lanyard-dev/lanyard/api/v1alpha1"
)

// admission is what has to be there for webhooks and policies to be asked.
type admission []client.Object

// readAdmission takes down what is installed, to take it away and put it back.
func readAdmission(ctx context.Context, c client.Client) (all admission, err error) {
	lists := []client.ObjectList{
		&admissionv1.MutatingWebhookConfigurationList{}, &admissionv1.ValidatingWebhookConfigurationList{},
		&admissionv1.ValidatingAdmissionPolicyBindingList{},
	}
	for _, list := range lists {
		if err := c.List(ctx, list); err != nil {
			return nil, err
		}
	}
	add := func(o client.Object) {
		if o.GetName() == "lanyard" || strings.HasPrefix(o.GetName(), "lanyard-") {
			o.SetResourceVersion("")
			o.SetUID("")
			o.SetManagedFields(nil)
			all = append(all, o)
		}
	}
	for i := range lists[0].(*admissionv1.MutatingWebhookConfigurationList).Items {
		add(&lists[0].(*admissionv1.MutatingWebhookConfigurationList).Items[i])
	}
	for i := range lists[1].(*admissionv1.ValidatingWebhookConfigurationList).Items {
		add(&lists[1].(*admissionv1.ValidatingWebhookConfigurationList).Items[i])
	}
	for i := range lists[2].(*admissionv1.ValidatingAdmissionPolicyBindingList).Items {
		add(&lists[2].(*admissionv1.ValidatingAdmissionPolicyBindingList).Items[i])
	}
	if len(all) < 3 {
		return nil, fmt.Errorf("found %d of Lanyard's webhook configurations and bindings of policies; there must be more", len(all))
	}
	return all, nil
}

// onlyOurs says so if one of Lanyard's policies looks at other objects than Lanyard's, and
// injected pods: the API server does not count how often it asks a policy that has nothing
// against a write.
func onlyOurs(ctx context.Context, c client.Client) error {
	var policies admissionv1.ValidatingAdmissionPolicyList
	if err := c.List(ctx, &policies); err != nil {
		return err
	}
	for _, policy := range policies.Items {
		if !strings.HasPrefix(policy.Name, "lanyard-") {
			continue
		}
		for _, rule := range policy.Spec.MatchConstraints.ResourceRules {
			if !slices.Equal(rule.APIGroups, []string{"lanyard.dev"}) && !strings.HasPrefix(policy.Name, "lanyard-mark") && policy.Name != "lanyard-inject" {
				return fmt.Errorf("the policy %s looks at the groups %q; it may look at lanyard.dev only", policy.Name, rule.APIGroups)
			}
		}
	}
	return nil
}

// turn puts admission in force, or out of it, and returns when it is so.
func (s *stage) turn(ctx context.Context, on bool) error {
	for _, o := range s.admission {
		var err error
		if on {
			err = s.admin.Create(ctx, o.DeepCopyObject().(client.Object))
		} else {
			err = s.admin.Delete(ctx, o)
		}
		if err != nil && !apierrors.IsNotFound(err) && !apierrors.IsAlreadyExists(err) {
			return err
		}
	}
	var last error
	err := wait.PollUntilContextTimeout(ctx, 20*time.Millisecond, 30*time.Second, true, func(ctx context.Context) (bool, error) {
		last = s.is(ctx, on)
		return last == nil, nil
	})
	if err != nil {
		return errors.Join(err, last)
	}
	return nil
}

// is says, without leaving a trace, why admission is not on, or not off, yet: the API server
// hears of its configuration some time after it was written.
func (s *stage) is(ctx context.Context, on bool) error {
	const forged = "somebody-else"
	var assignment *v1alpha1.AppRoleAssignment
	for _, k := range kinds() {
		if a, ok := k.make(0).(*v1alpha1.AppRoleAssignment); ok {
			assignment = a
		}
	}
	assignment.Name, assignment.Spec.DecidedBy = "probe", forged
	if err := s.team.Create(ctx, assignment, client.DryRunAll); err != nil {
		return fmt.Errorf("trying who-decided: %w", err)
	}
	if kept := assignment.Spec.DecidedBy == forged; kept == on {
		return fmt.Errorf("who-decided: a forged decidedBy was kept: %v", kept)
	}
	claims := oauthClient(metav1.ObjectMeta{Namespace: namespace, Name: "probe"})
	claims.Spec.ClientID = "a-client-id-that-nobody-allowed"
	if err := s.team.Create(ctx, claims, client.DryRunAll); (err != nil) != on {
		return fmt.Errorf("declarations: a client id that is not allowed: %w", err)
	}
	status := oauthClient(metav1.ObjectMeta{})
	if err := s.admin.Get(ctx, client.ObjectKey{Namespace: namespace, Name: base}, status); err != nil {
		return err
	}
	if err := s.admin.Status().Update(ctx, status, client.DryRunAll); (err != nil) != on {
		return fmt.Errorf("the policy of status: %w", err)
	}
	return nil
}
