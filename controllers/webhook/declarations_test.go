package webhook

import (
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/lanyard-dev/lanyard/api/v1alpha1"
	"github.com/lanyard-dev/lanyard/issuer/rules"
)

// What is not stored yet has neither a UID nor a time of creation, and perhaps no name.
func TestDeclarationsAreJudgedBeforeTheyAreStored(t *testing.T) {
	shop := rules.ParseNamespace("shop", nil, map[string]string{v1alpha1.AnnotationClientIDs: "legacy-*", v1alpha1.AnnotationIssuers: "Issuer/own"})
	meta := func(name string) metav1.ObjectMeta { return metav1.ObjectMeta{Namespace: "shop", Name: name} }
	older := metav1.ObjectMeta{Namespace: "other", Name: "older", UID: "1", CreationTimestamp: metav1.NewTime(noon)}
	newClient := func(name, id string) *v1alpha1.OAuthClient {
		return &v1alpha1.OAuthClient{ObjectMeta: meta(name), Spec: v1alpha1.OAuthClientSpec{ClientID: id}}
	}
	newResource := func(identifier string) *v1alpha1.ProtectedResource {
		return &v1alpha1.ProtectedResource{ObjectMeta: meta("x"), Spec: v1alpha1.ProtectedResourceSpec{Identifier: identifier}}
	}
	suspended := newClient("x", "")
	suspended.Spec.Suspend = true
	newRole := &v1alpha1.AppRole{ObjectMeta: meta("x"), Spec: v1alpha1.AppRoleSpec{ResourceRef: v1alpha1.LocalReference{Name: "absent"}, Value: "Read"}}
	expired := &v1alpha1.AppRoleAssignment{Spec: v1alpha1.AppRoleAssignmentSpec{Decision: v1alpha1.DecisionApproved, ExpiresAt: &metav1.Time{Time: noon.Add(-time.Hour)}}}
	unreadable := &v1alpha1.AppRoleAssignment{Spec: v1alpha1.AppRoleAssignmentSpec{ClientSelector: &v1alpha1.ClientSelector{NamespaceSelector: metav1.LabelSelector{
		MatchExpressions: []metav1.LabelSelectorRequirement{{Key: "a", Operator: "Like"}},
	}}}}
	certificate := func(issuer string) *v1alpha1.ClientCertificate {
		return &v1alpha1.ClientCertificate{ObjectMeta: meta("x"), Spec: v1alpha1.ClientCertificateSpec{Issuance: &v1alpha1.Issuance{
			IssuerRef: v1alpha1.IssuerReference{Name: issuer}, SecretName: "x",
		}}}
	}
	pem := &v1alpha1.ClientCertificate{ObjectMeta: meta("x"), Spec: v1alpha1.ClientCertificateSpec{PEM: "x"}}
	tests := map[string]struct {
		verdict rules.Verdict
		refused string // part of the message
	}{
		"a client":                              {judgeClient(newClient("x", ""), shop, nil), ""},
		"a client without a name":               {judgeClient(newClient("", ""), shop, nil), ""},
		"a suspended client":                    {judgeClient(suspended, shop, nil), ""},
		"an allowed client id":                  {judgeClient(newClient("x", "legacy-7"), shop, nil), ""},
		"another client id":                     {judgeClient(newClient("x", "modern"), shop, nil), `spec.clientID "modern" is not allowed in namespace shop`},
		"a client id that is held":              {judgeClient(newClient("", "legacy-7"), shop, &v1alpha1.OAuthClient{ObjectMeta: older}), `client id "legacy-7" is held by the older OAuthClient other/older`},
		"a client id held by its own name":      {judgeClient(newClient("x", "legacy-7"), shop, newClient("x", "legacy-7")), ""},
		"an identifier of the namespace":        {judgeResource(newResource("api://shop"), shop, "cluster.local", nil), ""},
		"an identifier of another":              {judgeResource(newResource("api://orders"), shop, "cluster.local", nil), `spec.identifier "api://orders" does not belong to namespace shop`},
		"an identifier in upper case":           {judgeResource(newResource("API://shop"), shop, "cluster.local", nil), `is not canonical`},
		"an identifier that is held":            {judgeResource(newResource("api://shop"), shop, "cluster.local", &v1alpha1.ProtectedResource{ObjectMeta: older}), `is held by the older ProtectedResource other/older`},
		"a role before its resource":            {judgeRole(newRole, nil), ""},
		"a role value that is held":             {judgeRole(newRole, &v1alpha1.AppRole{ObjectMeta: older}), `the value "Read" is held by the older AppRole other/older`},
		"an assignment before its role":         {judgeAssignment(&v1alpha1.AppRoleAssignment{}, noon), ""},
		"an expired approval":                   {judgeAssignment(expired, noon), ""}, // only a warning: a restored backup holds such
		"a selector that nobody can read":       {judgeAssignment(unreadable, noon), `spec.clientSelector cannot be read`},
		"an issuer that the namespace allows":   {judgeCertificate(certificate("own"), nil, shop, nil), ""},
		"an issuer that the installation does":  {judgeCertificate(certificate("all"), nil, shop, []string{"Issuer/all"}), ""},
		"an issuer that nobody allows":          {judgeCertificate(certificate("root"), nil, shop, nil), `spec.issuance.issuerRef Issuer.cert-manager.io/root is not allowed in namespace shop`},
		"a change to an issuer nobody allows":   {judgeCertificate(certificate("root"), certificate("own"), shop, nil), `is not allowed`},
		"issuance in the place of a PEM":        {judgeCertificate(certificate("root"), pem, shop, nil), `is not allowed`},
		"an issuer that was allowed once":       {judgeCertificate(certificate("root"), certificate("root"), shop, nil), ""},
		"a certificate that Lanyard issues not": {judgeCertificate(pem, nil, shop, nil), ""},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			if refused(test.verdict) != (test.refused != "") || !strings.Contains(test.verdict.Message, test.refused) {
				t.Errorf("verdict %+v; want a refusal with %q", test.verdict, test.refused)
			}
		})
	}
}
