package rules_test

import (
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/lanyard-dev/lanyard/api/v1alpha1"
	"github.com/lanyard-dev/lanyard/issuer/rules"
)

// noon is when the tests take place; born is when the objects were created.
var (
	noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	born = noon.Add(-24 * time.Hour)
)

func at(t time.Time) *metav1.Time { return &metav1.Time{Time: t} }

func minutes(n int) *metav1.Duration {
	return &metav1.Duration{Duration: time.Duration(n) * time.Minute}
}

func meta(namespace, name string) metav1.ObjectMeta {
	return metav1.ObjectMeta{Namespace: namespace, Name: name, CreationTimestamp: *at(born)}
}

func edit[T any](o *T, changes []func(*T)) *T {
	for _, change := range changes {
		change(o)
	}
	return o
}

// client is OAuthClient shop/checkout as the API server would default it.
func client(changes ...func(*v1alpha1.OAuthClient)) *v1alpha1.OAuthClient {
	return edit(&v1alpha1.OAuthClient{
		ObjectMeta: meta("shop", "checkout"),
		Spec: v1alpha1.OAuthClientSpec{
			GrantTypes:          []v1alpha1.GrantType{"client_credentials"},
			TokenBinding:        v1alpha1.TokenBindingMTLS,
			AccessTokenLifetime: minutes(10),
			Roles:               []v1alpha1.RoleReference{{Namespace: "orders", Name: "orders-read"}},
		},
	}, changes)
}

// shop is the namespace of client.
func shop() *rules.Namespace {
	return rules.ParseNamespace("shop", map[string]string{"team": "shop"}, nil)
}

// resource is ProtectedResource orders/orders, api://orders.
func resource(changes ...func(*v1alpha1.ProtectedResource)) *v1alpha1.ProtectedResource {
	return edit(&v1alpha1.ProtectedResource{
		ObjectMeta: meta("orders", "orders"),
		Spec: v1alpha1.ProtectedResourceSpec{
			Identifier:          "api://orders",
			Assignment:          v1alpha1.AssignmentRequired,
			TokenBindingPolicy:  v1alpha1.TokenBindingRequired,
			AccessTokenLifetime: minutes(60),
		},
	}, changes)
}

// role is AppRole orders/orders-read, Orders.Read.All on resource.
func role(changes ...func(*v1alpha1.AppRole)) *v1alpha1.AppRole {
	return edit(&v1alpha1.AppRole{
		ObjectMeta: meta("orders", "orders-read"),
		Spec: v1alpha1.AppRoleSpec{
			ResourceRef: v1alpha1.LocalReference{Name: "orders"},
			Value:       "Orders.Read.All",
		},
	}, changes)
}

// approval is an AppRoleAssignment of role to client.
func approval(name string, changes ...func(*v1alpha1.AppRoleAssignment)) *v1alpha1.AppRoleAssignment {
	return edit(&v1alpha1.AppRoleAssignment{
		ObjectMeta: meta("orders", name),
		Spec: v1alpha1.AppRoleAssignmentSpec{
			RoleRef:   v1alpha1.LocalReference{Name: "orders-read"},
			ClientRef: &v1alpha1.ClientReference{Namespace: "shop", Name: "checkout"},
			Decision:  v1alpha1.DecisionApproved,
		},
	}, changes)
}

func denied(a *v1alpha1.AppRoleAssignment) { a.Spec.Decision = v1alpha1.DecisionDenied }

func until(t time.Time) func(*v1alpha1.AppRoleAssignment) {
	return func(a *v1alpha1.AppRoleAssignment) { a.Spec.ExpiresAt = at(t) }
}

// selecting names the clients of namespaces with the label team=team, narrowed by
// the clients' own labels if there are any.
func selecting(team string, labels map[string]string) func(*v1alpha1.AppRoleAssignment) {
	return func(a *v1alpha1.AppRoleAssignment) {
		a.Spec.ClientRef = nil
		a.Spec.ClientSelector = &v1alpha1.ClientSelector{
			NamespaceSelector: metav1.LabelSelector{MatchLabels: map[string]string{"team": team}},
		}
		if labels != nil {
			a.Spec.ClientSelector.LabelSelector = &metav1.LabelSelector{MatchLabels: labels}
		}
	}
}

func unreadable() metav1.LabelSelector {
	return metav1.LabelSelector{MatchExpressions: []metav1.LabelSelectorRequirement{{Key: "team", Operator: "Near"}}}
}

// pinned is a ClientCertificate of client with one pin that lives for an hour more.
func pinned(thumbprint string, changes ...func(*v1alpha1.ClientCertificate)) *v1alpha1.ClientCertificate {
	return edit(&v1alpha1.ClientCertificate{
		ObjectMeta: meta("shop", "checkout"),
		Spec:       v1alpha1.ClientCertificateSpec{ClientRef: v1alpha1.LocalReference{Name: "checkout"}},
		Status: v1alpha1.ClientCertificateStatus{Pins: []v1alpha1.Pin{{
			Thumbprint: thumbprint,
			NotBefore:  *at(born),
			NotAfter:   *at(noon.Add(time.Hour)),
			State:      v1alpha1.PinCurrent,
		}}},
	}, changes)
}

func read(certificates ...*v1alpha1.ClientCertificate) []*rules.Certificate {
	var out []*rules.Certificate
	for _, cc := range certificates {
		out = append(out, rules.ReadCertificate(cc))
	}
	return out
}

var ok = rules.Verdict{OK: true, Reason: v1alpha1.ReasonReady}
