//go:build e2e

package node

import (
	"bytes"
	"context"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// kubectl runs kubectl as administrator, with a manifest on its standard input.
func kubectl(ctx context.Context, t *testing.T, manifest string, args ...string) string {
	t.Helper()
	out, err := tryKubectl(ctx, manifest, args...)
	if err != nil {
		t.Fatalf("kubectl %s: %v: %s", strings.Join(args, " "), err, out)
	}
	return out
}

func tryKubectl(ctx context.Context, manifest string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, shared.node.Kubectl(), args...)
	cmd.Stdin = strings.NewReader(manifest)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	err := cmd.Run()
	return strings.TrimSpace(out.String()), err
}

// namespace makes a namespace for one test.
func namespace(t *testing.T) string {
	t.Helper()
	name := "test-" + strings.ToLower(strings.TrimPrefix(t.Name(), "Test"))
	name = name[:min(len(name), 60)]
	kubectl(t.Context(), t, "", "create", "namespace", name)
	t.Cleanup(func() {
		kubectl(context.WithoutCancel(t.Context()), t, "", "delete", "namespace", name, "--wait=false")
	})
	return name
}

// sidecarPod is a pod whose sidecar is ready half a second after it has started.
const sidecarPod = `
apiVersion: v1
kind: Pod
metadata: {name: app}
spec:
  terminationGracePeriodSeconds: 1
  initContainers:
  - name: sidecar
    image: shell:1
    imagePullPolicy: IfNotPresent
    restartPolicy: Always
    command: [/busybox, sh, -c, "/busybox sleep 0.5; echo ready >/data/ready; exec /busybox sleep 3600"]
    startupProbe: {exec: {command: [/busybox, test, -f, /data/ready]}, periodSeconds: 1, failureThreshold: 100}
    volumeMounts: [{name: data, mountPath: /data}]
  containers:
  - name: app
    image: shell:1
    imagePullPolicy: IfNotPresent
    command: [/busybox, sh, -c, "/busybox cat /data/ready && exec /busybox sleep 3600"]
    volumeMounts:
    - {name: data, mountPath: /data, readOnly: true}
    - {name: token, mountPath: /token, readOnly: true}
  volumes:
  - {name: data, emptyDir: {medium: Memory}}
  - {name: token, projected: {sources: [{serviceAccountToken: {path: token, audience: "https://shop.example", expirationSeconds: 600}}]}}
`

func TestAPodWithASidecarRuns(t *testing.T) {
	in := "--namespace=" + namespace(t)
	begun := time.Now()
	kubectl(t.Context(), t, sidecarPod, "apply", in, "-f-")
	kubectl(t.Context(), t, "", "wait", in, "--for=condition=Ready", "pod/app", "--timeout=3m")
	t.Logf("from kubectl apply to Ready: %v", time.Since(begun).Round(10*time.Millisecond))

	if got := kubectl(t.Context(), t, "", "logs", in, "app", "-c", "app"); got != "ready" {
		t.Errorf("the app says %q: it began before its sidecar was ready", got)
	}
	if got := kubectl(t.Context(), t, "", "exec", in, "app", "-c", "app", "--", "/busybox", "id", "-u"); got != "65532" {
		t.Errorf("the app runs as user %q; the image says 65532", got)
	}
	token := kubectl(t.Context(), t, "", "exec", in, "app", "-c", "app", "--", "/busybox", "cat", "/token/token")
	review := "apiVersion: authentication.k8s.io/v1\nkind: TokenReview\nspec: {audiences: [\"https://shop.example\"], token: " + token + "}\n"
	got := kubectl(t.Context(), t, review, "create", "-f-", "-o", `jsonpath={.status.authenticated} {.status.user.extra.authentication\.kubernetes\.io/pod-name}`)
	if got != `true ["app"]` {
		t.Errorf("the API server says of the pod's token: %s", got)
	}
}

// web is a server behind a Service, and a caller.
const web = `
apiVersion: v1
kind: Service
metadata: {name: web}
spec: {selector: {app: web}, ports: [{port: 80, targetPort: 8080}]}
---
apiVersion: v1
kind: Pod
metadata: {name: web, labels: {app: web}}
spec:
  terminationGracePeriodSeconds: 1
  containers:
  - name: web
    image: shell:1
    imagePullPolicy: IfNotPresent
    command: [/busybox, sh, -c, "echo hello >/data/index.html && exec /busybox httpd -f -p 8080 -h /data"]
    readinessProbe: {httpGet: {path: /, port: 8080}, periodSeconds: 1}
    volumeMounts: [{name: data, mountPath: /data}]
  volumes: [{name: data, emptyDir: {}}]
---
apiVersion: v1
kind: Pod
metadata: {name: caller}
spec:
  terminationGracePeriodSeconds: 1
  containers:
  - {name: caller, image: "shell:1", imagePullPolicy: IfNotPresent, command: [/busybox, sleep, "3600"]}
`

// startWeb applies web, and returns how the caller calls the Service by its name.
func startWeb(t *testing.T) (in string, call func() (string, error)) {
	t.Helper()
	ns := namespace(t)
	in = "--namespace=" + ns
	kubectl(t.Context(), t, web, "apply", in, "-f-")
	kubectl(t.Context(), t, "", "wait", in, "--for=condition=Ready", "pod/web", "pod/caller", "--timeout=3m")
	return in, func() (string, error) {
		// Statically linked, only nslookup of them looks up names.
		const script = `a=$(/busybox nslookup web.$1.svc.cluster.local. | /busybox awk '/^Address/ {a = $2} END {print a}')
			echo "GET / HTTP/1.0" | /busybox sed 's/$/\r\n\r/' | /busybox nc -w 3 "$a" 80 | /busybox tail -n 1`
		return tryKubectl(t.Context(), "", "exec", in, "caller", "--", "/busybox", "sh", "-c", script, "-", ns)
	}
}

// eventually calls check until it is content.
func eventually(t *testing.T, check func() (string, error), want string) {
	t.Helper()
	deadline, ticker := time.After(2*time.Minute), time.NewTicker(100*time.Millisecond)
	defer ticker.Stop()
	for {
		got, err := check()
		if err == nil && got == want {
			return
		}
		select {
		case <-deadline:
			t.Fatalf("%q, %v; want %q", got, err, want)
		case <-ticker.C:
		}
	}
}

func TestAServiceIsReachedByItsName(t *testing.T) {
	_, call := startWeb(t)
	eventually(t, call, "hello") // kube-proxy writes its rules at most once a second
}

func TestNetworkPoliciesAreNotEnforced(t *testing.T) {
	in, call := startWeb(t)
	eventually(t, call, "hello")
	// The bridge of containernetworking-plugins knows none. A test that needs one cannot be held
	// here, and this one says when that changes.
	kubectl(t.Context(), t, "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {name: nobody}\nspec: {podSelector: {}, policyTypes: [Ingress, Egress]}\n", "apply", in, "-f-")
	eventually(t, call, "hello")
}

func TestNothingOutsideIsReached(t *testing.T) {
	in, _ := startWeb(t)
	for name, command := range map[string][]string{
		"a name of the internet": {"/busybox", "nslookup", "lanyard.dev"},
		"an address of it":       {"/busybox", "nc", "-w", "1", "192.0.2.1", "443"},
	} {
		t.Run(name, func(t *testing.T) {
			if out, err := tryKubectl(t.Context(), "", append([]string{"exec", in, "caller", "--"}, command...)...); err == nil {
				t.Errorf("reached: %s", out)
			}
		})
	}
}

func TestPodsOutliveTheAPIServer(t *testing.T) {
	in, call := startWeb(t)
	eventually(t, call, "hello")
	if err := shared.node.Stop(t.Context(), "kube-apiserver"); err != nil {
		t.Fatal(err)
	}
	if out, err := tryKubectl(t.Context(), "", "get", "--raw=/readyz", "--request-timeout=2s"); err == nil {
		t.Errorf("a stopped API server answers %q", out)
	}
	begun := time.Now()
	if err := shared.node.Start(t.Context(), "kube-apiserver"); err != nil {
		t.Fatal(err)
	}
	t.Logf("the API server is back after %v", time.Since(begun).Round(10*time.Millisecond))
	eventually(t, call, "hello")
	if got := kubectl(t.Context(), t, "", "get", in, "pods", "-o", "jsonpath={.items[*].status.containerStatuses[*].restartCount}"); got != "0 0" {
		t.Errorf("restarts: %s; want none", got)
	}
}
