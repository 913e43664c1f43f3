package plugin

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"strconv"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/lanyard-dev/lanyard/test/testenv"
)

// kubelet is as much of a node as the API server needs to fetch a pod's log.
func kubelet(t *testing.T, node, pod, log string) {
	t.Helper()
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/containerLogs/lanyard-system/"+pod+"/issuer" || r.URL.Query().Get("sinceSeconds") == "" {
			http.Error(w, "nobody asked for "+r.URL.String(), http.StatusNotFound)
			return
		}
		file, err := os.Open(log)
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		defer file.Close()
		if _, err := io.Copy(w, file); err != nil {
			t.Errorf("the log did not get to the API server: %v", err)
		}
	}))
	t.Cleanup(server.Close)
	host, port, err := net.SplitHostPort(server.Listener.Addr().String())
	check(t, err)
	n, err := strconv.ParseInt(port, 10, 32)
	check(t, err)
	o := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: node}}
	create(t, o)
	o.Status.Addresses = []corev1.NodeAddress{{Type: corev1.NodeInternalIP, Address: host}}
	o.Status.DaemonEndpoints.KubeletEndpoint.Port = int32(n)
	check(t, env.Client.Status().Update(t.Context(), o))
	p := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: "lanyard-system", Name: pod, Labels: map[string]string{"app.kubernetes.io/name": "lanyard-issuer"}},
		Spec:       corev1.PodSpec{NodeName: node, ServiceAccountName: "lanyard-issuer", Containers: []corev1.Container{{Name: "issuer", Image: "lanyard"}}},
	}
	create(t, p)
	t.Cleanup(func() { // after t.Context()
		check(t, env.Client.Delete(context.Background(), p, client.GracePeriodSeconds(0)))
		check(t, env.Client.Delete(context.Background(), o))
	})
}

func TestWhyTrace(t *testing.T) {
	w := newWorld(t, "trace")
	i := startIssuer(t)
	admin := env.Kubeconfig(t, "admin", "system:masters")
	kubelet(t, "node-of-the-issuer", "lanyard-issuer-0", i.LogFile)
	w.pod(t, "checkout", "checkout-1")
	cert, key := w.pair(t)
	form := url.Values{"grant_type": {"client_credentials"}, "scope": {w.resource.Spec.Identifier + "/.default"}, "client_id": {w.shop + "/checkout"}}
	// Until the issuer has heard of what was declared, and the log, which is written a moment after
	// the answer, has it.
	ask := func(cert, key string, form url.Values, want int) (id string) {
		t.Helper()
		testenv.Eventually(t, func(ctx context.Context) error {
			a, err := i.ask(ctx, cert, key, form)
			if err == nil && a.number() != want {
				err = fmt.Errorf("number %d, want %d", a.number(), want)
			}
			id = a.TraceID
			return err
		})
		testenv.Eventually(t, func(context.Context) error {
			if !strings.Contains(i.Log(t), id) {
				return fmt.Errorf("the log says nothing of %s", id)
			}
			return nil
		})
		return id
	}
	// What is printed has the ids in it.
	golden := func(o outcome, id, name string) {
		t.Helper()
		for n := range o.args {
			o.args[n] = strings.NewReplacer(id, "<id>", i.LogFile, "<log>").Replace(o.args[n])
		}
		o.stdout = strings.ReplaceAll(o.stdout, id, "<id>")
		o.golden(t, name)
	}

	pending := ask(cert, key, form, 30001)
	golden(run(t, admin, "why", "--trace", pending).exits(t, 1), pending, "why-trace-pending")
	w.approve(t)
	golden(run(t, admin, "why", "--trace", pending).succeeds(t), pending, "why-trace-granted-since")

	assertion := w.assertion(t, "checkout", "checkout-1")
	remove(t, &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: w.shop, Name: "checkout-1"}})
	form.Set("client_assertion", assertion)
	form.Set("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer")
	var gone string
	testenv.Eventually(t, func(context.Context) error { // at first it is about to be deleted
		gone = ask(cert, key, form, 20001)
		for line := range strings.Lines(i.Log(t)) {
			if strings.Contains(line, gone) && strings.Contains(line, `"reason":"pod_gone"`) {
				return nil
			}
		}
		return fmt.Errorf("the log does not say pod_gone of %s", gone)
	})
	o := run(t, admin, "why", "--trace", gone, "--log", i.LogFile).exits(t, 1).says(t, "pod_gone")
	golden(o, gone, "why-trace-pod-gone")

	runWith(t, []string{"KUBECONFIG=" + w.carol}, i.Log(t), "why", "--trace", gone, "--log", "-").exits(t, 1).says(t, "pod_gone")
	golden(run(t, w.carol, "why", "--trace", gone).exits(t, 1), gone, "why-trace-forbidden")
	run(t, admin, "why", "--trace", "0000").exits(t, 1).golden(t, "why-trace-unknown")

	stranger := ask("", "", url.Values{"grant_type": {"client_credentials"}, "client_id": {"\x1b[2Jnobody"}, "client_assertion": {"x"}, "client_assertion_type": form["client_assertion_type"]}, 20001)
	if o := run(t, admin, "why", "--trace", stranger).exits(t, 1); strings.Contains(o.text(), "\x1b") {
		t.Errorf("a stranger's control characters reach the terminal: %q", o.text())
	}
}
