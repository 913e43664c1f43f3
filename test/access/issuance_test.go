package access

import (
	"testing"

	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/lanyard-dev/lanyard/test/testenv"
)

// mayNotIssue is what the policy says to whoever may not have certificates made.
const mayNotIssue = "may not create certificates.cert-manager.io"

func adopted() spec {
	return spec{"clientRef": spec{"name": "checkout"}, "certificateRef": spec{"name": "theirs"}}
}

func issued(secret string) spec {
	return spec{"clientRef": spec{"name": "checkout"}, "issuance": issuance(secret)}
}

func issuance(secret string) spec {
	return spec{"issuerRef": spec{"name": testenv.WorkloadCA, "kind": "ClusterIssuer"}, "secretName": secret}
}

// ask turns any source into issuance.
func ask(s spec) {
	delete(s, "certificateRef")
	s["issuance"] = issuance("checkout-mtls")
}

// Whoever may write ClientCertificates, and no Certificates, must not borrow the
// controller's permission on Certificates.
func TestRefusesIssuanceWithoutPermissionOnCertificates(t *testing.T) {
	ns := namespace(t)
	mallory := owner(t, "mallory-"+ns, "lanyard-client-owner", ns)
	// What she may do elsewhere is of no use here.
	give(t, "mallory-"+ns, clusterRole(t, rule("cert-manager.io", "certificates", "create")), namespace(t))
	// Nor are other permissions on Certificates.
	give(t, "mallory-"+ns, clusterRole(t, rule("cert-manager.io", "certificates", "get", "list", "watch", "update", "patch", "delete")), ns)
	alice := mayIssue(t, ns)

	for sentence, a := range map[string]attack{
		"where there was none": {owner: mallory, good: adopted, bad: ask},
		"changed": {owner: alice, good: func() spec { return issued("checkout-mtls") }, bad: func(s spec) {
			s["issuance"].(spec)["secretName"] = "somebody-elses"
		}},
		"from another issuer": {owner: alice, good: func() spec { return issued("checkout-mtls") }, bad: func(s spec) {
			s["issuance"].(spec)["issuerRef"] = spec{"name": "other", "kind": "Issuer"}
		}},
		"for longer": {owner: alice, good: func() spec { return issued("checkout-mtls") }, bad: func(s spec) {
			s["issuance"].(spec)["duration"] = "8760h"
		}},
	} {
		t.Run(sentence, func(t *testing.T) {
			a.by, a.kind, a.namespace = mallory, "ClientCertificate", ns
			for r := range a.each(t) {
				refused(t, r, mayNotIssue)
				if r.now != nil && r.way == recreates {
					t.Errorf("%s: it was made all the same: %v", r.way, r.now.Object["spec"])
				}
			}
		})
	}
}

// mayIssue is somebody who may have certificates made in a namespace.
func mayIssue(t *testing.T, ns string) client.Client {
	t.Helper()
	user := "alice-" + ns
	give(t, user, clusterRole(t, rule("cert-manager.io", "certificates", "create")), ns)
	return owner(t, user, "lanyard-client-owner", ns)
}

func TestIssuanceWithPermissionOnCertificates(t *testing.T) {
	ns := namespace(t)
	a := attack{owner: mayIssue(t, ns), kind: "ClientCertificate", namespace: ns, good: adopted, bad: ask}
	a.by = a.owner
	for r := range a.each(t) {
		if r.way == writeStatus {
			continue // nobody's
		}
		if r.err != nil || r.now == nil || r.now.Object["spec"].(spec)["issuance"] == nil {
			t.Errorf("%s: %v; want it done", r.way, r.err)
		}
	}
}

// What ends a certificate, and what has nothing to do with its issuance, needs no
// permission on Certificates: whoever stops the use of a stolen key is not held up.
func TestAClientsOwnerMayStopWhatOthersHadIssued(t *testing.T) {
	ns := namespace(t)
	alice, bob := mayIssue(t, ns), owner(t, "bob-"+ns, "lanyard-client-owner", ns)
	for sentence, patch := range map[string]string{
		"distrust":              `{"spec":{"distrust":["AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"]}}`,
		"another overlap":       `{"spec":{"overlap":"1h"}}`,
		"a label":               `{"metadata":{"labels":{"team":"shop"}}}`,
		"a finalizer":           `{"metadata":{"finalizers":["example.com/hold"]}}`,
		"the same again":        `{"spec":{"issuance":{"secretName":"checkout-mtls"}}}`,
		"its default written":   `{"spec":{"issuance":{"duration":"24h"}}}`,
		"another source of one": `{"spec":{"issuance":null,"certificateRef":{"name":"theirs"}}}`,
	} {
		t.Run(sentence, func(t *testing.T) {
			o := object("ClientCertificate", ns, harmless("ClientCertificate", ns).GetName(), issued("checkout-mtls"))
			if err := alice.Create(t.Context(), o); err != nil {
				t.Fatal(err)
			}
			if err := bob.Patch(t.Context(), o, client.RawPatch(types.MergePatchType, []byte(patch))); err != nil {
				t.Errorf("refused: %v", err)
			}
			if err := bob.Patch(t.Context(), o, client.RawPatch(types.MergePatchType, []byte(`{"metadata":{"finalizers":null}}`))); err != nil {
				t.Errorf("refused: %v", err)
			}
			if err := bob.Delete(t.Context(), o); err != nil {
				t.Errorf("refused: %v", err)
			}
		})
	}
}
