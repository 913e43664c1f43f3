package plugin

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/lanyard-dev/lanyard/api/v1alpha1"
	"github.com/lanyard-dev/lanyard/test/testenv"
)

func TestStatus(t *testing.T) {
	w := newWorld(t, "status")
	run(t, w.vera, "status", "client/checkout", "-n", w.shop).succeeds(t).golden(t, "status-client")
	run(t, w.vera, "status", "client", "checkout", "-n", w.shop, "-o", "json").succeeds(t).golden(t, "status-client-json")
	run(t, w.vera, "status", "resource", w.orders+"/orders").succeeds(t).golden(t, "status-resource")
	run(t, w.vera, "status", "resource", w.orders+"/orders", "-o", "yaml").succeeds(t).golden(t, "status-resource-yaml")
	run(t, w.vera, "status", "role/orders-read", "-n", w.orders).succeeds(t).golden(t, "status-role")
	run(t, w.vera, "status", "-n", w.shop).succeeds(t).golden(t, "status-overview")
	run(t, w.vera, "status", "-n", w.orders).succeeds(t).golden(t, "status-overview-api")
	run(t, w.vera, "status", w.orders+"/orders-read").succeeds(t).says(t, "AppRole "+w.orders+"/orders-read")

	admin := env.Kubeconfig(t, "admin", "system:masters")
	run(t, admin, "status", "-A").succeeds(t).says(t, "NAMESPACE").says(t, w.shop+"/checkout")
	run(t, admin, "status", "-n", "kube-public").succeeds(t).golden(t, "status-nothing")

	run(t, w.carol, "status", "client/chekcout", "-n", w.shop).exits(t, 1).golden(t, "status-misspelt")
	run(t, w.carol, "status", "nothing", "-n", w.shop).exits(t, 1).golden(t, "status-nothing-named")
	run(t, w.carol, "status", "certificate", "checkout").exits(t, 2).golden(t, "status-wrong-kind")
	run(t, w.carol, "status", "client/checkout", "-A").exits(t, 2).golden(t, "status-wrong-flags")
	run(t, w.carol, "status", "-o", "xml").exits(t, 2).golden(t, "status-wrong-format")
	run(t, w.carol, "status", "resource/orders", "-n", w.orders).exits(t, 1).golden(t, "status-forbidden")
	run(t, w.carol, "status", "-A").exits(t, 1).golden(t, "status-forbidden-everywhere")
}

// What does not work, with what to do about it, in one place.
func TestStatusOfWhatDoesNotWork(t *testing.T) {
	w := newWorld(t, "broken")
	c := newClient(w, "broken", "orders-read", "no-such-role")
	c.Spec.Suspend = true
	create(t, c)
	cc := &v1alpha1.ClientCertificate{ObjectMeta: metav1.ObjectMeta{Namespace: w.shop, Name: "broken"}}
	cc.Spec.ClientRef.Name, cc.Spec.CertificateRef = "broken", &v1alpha1.LocalReference{Name: "no-such-certificate"}
	create(t, cc)
	testenv.Eventually(t, func(ctx context.Context) error {
		var list corev1.EventList
		if err := env.Client.List(ctx, &list, client.InNamespace(w.shop), client.MatchingFields{"type": "Warning", "involvedObject.name": "broken"}); err != nil {
			return err
		}
		told := map[string]bool{}
		for i := range list.Items {
			told[list.Items[i].Reason] = true
		}
		if !told[v1alpha1.ReasonSuspended] || !told[v1alpha1.ReasonCertificateNotFound] {
			return fmt.Errorf("events of %v", told)
		}
		return env.Client.Get(ctx, client.ObjectKeyFromObject(c), c)
	})
	out := run(t, w.vera, "status", "client/broken", "-n", w.shop).succeeds(t)
	w.notInjected(t, "web-1")
	w.notInjected(t, "web-0")
	run(t, w.vera, "status", "client/checkout", "-n", w.shop).succeeds(t).says(t, "Pods/"+w.shop+": 2 with the label lanyard.dev/inject and without a sidecar: web-0, web-1;")
	run(t, w.vera, "status", "-n", w.shop).succeeds(t).says(t, "without a sidecar: web-0, web-1;")
	if strings.Contains(out.stdout, "without a sidecar") {
		t.Errorf("another client's report has its pods:\n%s", out.stdout)
	}
	for _, says := range []string{"False (Suspended)", "NotFound", "CertificateNotFound", "tokens cannot be bound", "Recent warnings"} {
		out.says(t, says)
	}
}

// A client's owner writes its name; the API's owner reads it on a terminal.
func TestRefusesControlCharactersOfOthers(t *testing.T) {
	w := newWorld(t, "control")
	change(t, w.client, func() { w.client.Spec.DisplayName = "Checkout\x1b[2K\x1b[1GApproved by the platform" })
	out := run(t, w.vera, "status", "client/checkout", "-n", w.shop).succeeds(t)
	if strings.Contains(out.stdout+out.stderr, "\x1b") {
		t.Errorf("it passes on what terminals obey:\n%q", out.stdout)
	}
	var report struct{ DisplayName string }
	data := run(t, w.vera, "status", "client/checkout", "-n", w.shop, "-o", "json").succeeds(t).stdout
	if err := json.Unmarshal([]byte(data), &report); err != nil || report.DisplayName != w.client.Spec.DisplayName {
		t.Errorf("JSON has %q, %v; want every character", report.DisplayName, err)
	}
}

// The flags of kubectl do what they do there.
func TestKubectlFlags(t *testing.T) {
	w := newWorld(t, "flags")
	admin := env.Kubeconfig(t, "admin", "system:masters")
	run(t, admin, "status", "client/checkout", "-n", w.shop, "--as", "mallory").exits(t, 1).says(t, `User "mallory" cannot`)
	run(t, "/does/not/exist", "status", "--kubeconfig", admin, "-n", w.shop).succeeds(t).says(t, "checkout")
	run(t, admin, "status", "--context", "elsewhere").exits(t, 1).says(t, `context "elsewhere" does not exist`)
	run(t, "/does/not/exist", "status").exits(t, 1).golden(t, "no-cluster")
	for _, args := range [][]string{{"status"}, {"why", "a", "b"}, {"pending"}, {"approve", "a", "b"}, {"suspend", "a"}, {"rotate", "keys"}} {
		run(t, admin, append(args, "--server=https://127.0.0.1:1")...).exits(t, 1).
			says(t, "error: the API server at 127.0.0.1:1 does not answer (connection refused): is the context right, and does it run?")
	}
	run(t, admin, "statsu").exits(t, 2).golden(t, "unknown-command")
	run(t, admin, "status", "--al").exits(t, 2).golden(t, "unknown-flag")
}
