package declarations

import (
	"context"
	"fmt"
	"testing"

	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/lanyard-dev/lanyard/api/v1alpha1"
	"github.com/lanyard-dev/lanyard/issuer/clientauth"
	"github.com/lanyard-dev/lanyard/issuer/oauth"
	"github.com/lanyard-dev/lanyard/issuer/rules"
	"github.com/lanyard-dev/lanyard/issuer/tokenservice"
	"github.com/lanyard-dev/lanyard/test/testenv"
)

// assertionOf is the token that the kubelet would mount into a pod, for the issuer; nil:
// one that is bound to no pod.
func assertionOf(t *testing.T, namespace, account string, pod *corev1.Pod) string {
	t.Helper()
	tr := &authenticationv1.TokenRequest{Spec: authenticationv1.TokenRequestSpec{Audiences: []string{issuerURL}}}
	if pod != nil {
		tr.Spec.BoundObjectRef = &authenticationv1.BoundObjectReference{APIVersion: "v1", Kind: "Pod", Name: pod.Name, UID: pod.UID}
	}
	sa := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: account}}
	if err := env.Client.SubResource("token").Create(t.Context(), sa, tr); err != nil {
		t.Fatal(err)
	}
	return tr.Status.Token
}

func newPod(t *testing.T, namespace, account, name, mark string) *corev1.Pod {
	t.Helper()
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name},
		Spec:       corev1.PodSpec{ServiceAccountName: account, Containers: []corev1.Container{{Name: "app", Image: "app"}}},
	}
	if mark != "" {
		pod.Labels = map[string]string{v1alpha1.LabelAdmitted: mark}
	}
	return create(t, pod)
}

// askAs asks for a token with an assertion.
func (i issuer) askAs(ctx context.Context, assertion, identifier string) (token string, refusal *oauth.Error) {
	var event tokenservice.Event
	answer, refusal := i.service.Issue(ctx, tokenservice.Request{
		GrantType: oauth.GrantClientCredentials, Scope: identifier + "/.default",
		Presented: clientauth.Presented{Assertion: assertion, AssertionType: oauth.AssertionTypeJWTBearer},
	}, &event)
	return answer.AccessToken, refusal
}

// Who may create pods without Lanyard's injector having been asked does not act as a
// client with admission: Required; the policy lanyard-mark keeps others from setting the
// label. Introspection says the same of tokens that were issued before it was required.
func TestRefusesPodsThatWereNotInjectedForTheClient(t *testing.T) {
	shop, orders := two(t)
	i := newIssuer(t)
	resource := newResource(orders, "orders", "api://"+orders)
	resource.Spec.TokenBindingPolicy = v1alpha1.TokenBindingOptional
	create(t, resource)
	role := create(t, newRole(orders, "read", "orders", "Read"))
	c := newClient(shop, "checkout", role)
	c.Spec.TokenBinding = v1alpha1.TokenBindingNone
	c.Spec.Authentication.ServiceAccounts[0].BoundTo = v1alpha1.BoundToAny
	create(t, c)
	create(t, approve("checkout", role, c))
	create(t, &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: shop, Name: "checkout"}})
	injected := newPod(t, shop, "checkout", "injected", rules.Mark("checkout"))
	assertions := map[string]string{
		"a pod without the mark":   assertionOf(t, shop, "checkout", newPod(t, shop, "checkout", "plain", "")),
		"a pod of another client":  assertionOf(t, shop, "checkout", newPod(t, shop, "checkout", "others", rules.Mark("cart"))),
		"a token bound to no pod":  assertionOf(t, shop, "checkout", nil),
		"a pod that was injected":  assertionOf(t, shop, "checkout", injected),
		"one that comes afterward": "",
	}
	identifier := "api://" + orders
	var before string
	testenv.Eventually(t, func(ctx context.Context) error {
		var refusal *oauth.Error
		if before, refusal = i.askAs(ctx, assertions["a pod without the mark"], identifier); refusal != nil {
			return refusal
		}
		return nil
	})
	change(t, c, func(c *v1alpha1.OAuthClient) {
		c.Spec.Authentication.ServiceAccounts[0].Admission = v1alpha1.AdmissionRequired
	})
	testenv.Eventually(t, func(ctx context.Context) error {
		if _, refusal := i.askAs(ctx, assertions["a pod without the mark"], identifier); refusal == nil || refusal.Reason != "pod_not_admitted" || refusal.Number != oauth.ErrIdentity {
			return fmt.Errorf("refused with %s", fmt.Sprint(refusal))
		}
		return nil
	})
	// The watch may not have brought it yet: the one that is read live has the mark, too.
	assertions["one that comes afterward"] = assertionOf(t, shop, "checkout", newPod(t, shop, "checkout", "afterward", rules.Mark("checkout")))
	for who, assertion := range assertions {
		_, refusal := i.askAs(t.Context(), assertion, identifier)
		if welcome := who == "a pod that was injected" || who == "one that comes afterward"; welcome != (refusal == nil) {
			t.Errorf("%s: %v", who, refusal)
		} else if !welcome && refusal.Reason != "pod_not_admitted" {
			t.Errorf("%s is refused with %q", who, refusal.Reason)
		}
	}
	var event tokenservice.Event
	answer, refusal := i.service.Introspect(t.Context(), tokenservice.IntrospectionRequest{
		Presented: clientauth.Presented{Assertion: assertions["a pod that was injected"], AssertionType: oauth.AssertionTypeJWTBearer}, Token: before,
	}, &event)
	if refusal != nil || answer.Active || event.Inactive != "pod_not_admitted" {
		t.Errorf("the token of before: active %v, %q, %v", answer.Active, event.Inactive, refusal)
	}
}
