//go:build e2e

package e2e

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/lanyard-dev/lanyard/api/v1alpha1"
)

const (
	sidecarMemoryLimit = 12 << 20
	sidecarCPULimit    = 0.01 // of a core
	// With so many clients, as cmd/issuer and cmd/controller test it without pods:
	clients               = 100
	issuerMemoryLimit     = 40 << 20
	controllerMemoryLimit = 60 << 20
	// restFor is how long a process is watched at rest.
	restFor = 20 * time.Second
)

// usage is what a process takes, as /proc says: its resident memory (VmRSS), which is RssAnon, its
// own, and RssFile, the program's pages that are mapped, and may be shared; and its CPU time.
type usage struct {
	resident, anonymous, file int // bytes
	cpu                       time.Duration
}

func (u usage) String() string {
	mebibytes := func(bytes int) string { return fmt.Sprintf("%.1f MiB", float64(bytes)/(1<<20)) }
	return fmt.Sprintf("VmRSS %s (RssAnon %s + RssFile %s)", mebibytes(u.resident), mebibytes(u.anonymous), mebibytes(u.file))
}

// Alone on the node: it measures.
func TestFootprintAtRest(t *testing.T) {
	s := newShop(t)
	s.declareClient(t)
	for i := range clients {
		client := &v1alpha1.OAuthClient{ObjectMeta: metav1.ObjectMeta{Namespace: s.namespace, Name: fmt.Sprintf("client-%d", i)}}
		client.Spec.Authentication.ServiceAccounts = []v1alpha1.ServiceAccountCredential{{Name: "checkout"}}
		if err := s.kube.Create(t.Context(), client); err != nil {
			t.Fatal(err)
		}
	}
	s.do(t, "wait", "--for=condition=Ready", "--timeout=3m", "oauthclients", "--all")
	s.apply(t, manifest(t, "deployment.yaml", quiet...))
	pod := s.readyPod(t, "checkout")
	processes := map[string]int{"sidecar": s.process(t, pod, "lanyard-sidecar")}
	for _, name := range []string{"controller", "issuer"} {
		for i, pod := range s.systemPods(t, "lanyard-"+name) {
			processes[fmt.Sprintf("%s %d", name, i)] = s.process(t, &pod, name)
		}
	}
	before := map[string]usage{}
	for name, pid := range processes {
		before[name] = usageOf(t, pid)
	}
	time.Sleep(restFor) // measured: what they do when nothing is asked of them
	for name, pid := range processes {
		now := usageOf(t, pid)
		cores := (now.cpu - before[name].cpu).Seconds() / restFor.Seconds()
		figure(t, "%s at rest: %s, %.2f %% of a core", name, now, 100*cores)
		switch {
		case name == "sidecar" && now.resident > sidecarMemoryLimit:
			t.Errorf("the sidecar takes %s, more than %d MiB", now, sidecarMemoryLimit>>20)
		case name == "sidecar" && cores > sidecarCPULimit:
			t.Errorf("the sidecar takes %.2f %% of a core, more than %.0f %%", 100*cores, 100*sidecarCPULimit)
		case strings.HasPrefix(name, "issuer") && now.resident > issuerMemoryLimit:
			t.Errorf("an issuer takes %s, more than %d MiB", now, issuerMemoryLimit>>20)
		case strings.HasPrefix(name, "controller") && now.resident > controllerMemoryLimit:
			t.Errorf("a controller takes %s, more than %d MiB", now, controllerMemoryLimit>>20)
		}
	}
}

func usageOf(t *testing.T, pid int) usage {
	t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Fatal(err)
	}
	field := func(name string) int {
		for line := range strings.Lines(string(status)) {
			if value, ok := strings.CutPrefix(line, name+":"); ok {
				kilobytes, err := strconv.Atoi(strings.Fields(value)[0])
				if err != nil {
					t.Fatal(err)
				}
				return kilobytes << 10
			}
		}
		t.Fatalf("/proc/%d/status has no %s", pid, name)
		return 0
	}
	return usage{resident: field("VmRSS"), anonymous: field("RssAnon"), file: field("RssFile"), cpu: cpuOf(t, pid)}
}
