//go:build e2e

package e2e

import (
	"fmt"
	"os"
	"syscall"
	"testing"

	corev1 "k8s.io/api/core/v1"
)

const (
	userOfApp  = 1000 // the sidecar is the image's: 65532
	groupOfPod = 2000
	anyGroup   = -1
)

// Edits of deployment.yaml, after exposed: who its containers are, and one that runs before the app.
var (
	anotherUser = []string{"          allowPrivilegeEscalation: false\n", fmt.Sprintf("          allowPrivilegeEscalation: false\n          runAsUser: %d\n", userOfApp)}
	withGroup   = []string{"securityContext: {runAsNonRoot: true,", fmt.Sprintf("securityContext: {fsGroup: %d, runAsNonRoot: true,", groupOfPod)}
	// withInit reads all that an app finds, and makes a call through its sidecar. It fails if it cannot.
	withInit = []string{"      containers:\n", fmt.Sprintf(`      initContainers:
      - name: migrate
        image: lanyard-e2e-app:dev
        imagePullPolicy: Never
        command:
        - /caller
        - --expect=/var/run/lanyard/tokens/orders,%[1]s/token,%[1]s/tls.crt,%[1]s/tls.key
        - --url=%[2]s
        - --successes=1
        securityContext: {runAsUser: %[3]d, allowPrivilegeEscalation: false, capabilities: {drop: [ALL]}}
      containers:
`, boundDirectory, upstream, userOfApp)}
)

// ownedBy fails the test if files of Lanyard's volumes have another mode or group, as the containers see them that read
// them: those that the sidecar made for the app, and those that the kubelet made for the sidecar.
func (s *shop) ownedBy(t *testing.T, pod *corev1.Pod, group int, mode os.FileMode) {
	t.Helper()
	const secrets = "/var/run/secrets/lanyard.dev/"
	s.filesAre(t, pod, "app", group, func(got os.FileMode) bool { return got == mode },
		"/var/run/lanyard/tokens/orders", boundDirectory+"/token", boundDirectory+"/tls.crt", boundDirectory+"/tls.key")
	// Root, as whom the kubelet writes, may always write.
	s.filesAre(t, pod, "lanyard-sidecar", group, func(got os.FileMode) bool { return got&^0o200 == mode },
		secrets+"assertion/token", secrets+"certificate/tls.crt", secrets+"certificate/tls.key", secrets+"ca/ca.crt")
}

func (s *shop) filesAre(t *testing.T, pod *corev1.Pod, container string, group int, right func(os.FileMode) bool, files ...string) {
	t.Helper()
	process := s.process(t, pod, container)
	for _, file := range files {
		info := s.stat(t, process, file)
		owner := info.Sys().(*syscall.Stat_t)
		t.Logf("%s: %s %s, of user %d and group %d", container, info.Mode(), file, owner.Uid, owner.Gid)
		if !right(info.Mode().Perm()) || group != anyGroup && owner.Gid != uint32(group) {
			t.Errorf("that is not the mode, or the group, that it should have")
		}
	}
}

func initContainerEndedWell(t *testing.T, pod *corev1.Pod) {
	t.Helper()
	for _, c := range pod.Status.InitContainerStatuses {
		if c.Name == "migrate" && c.State.Terminated != nil && c.State.Terminated.ExitCode == 0 && c.RestartCount == 0 {
			return
		}
	}
	t.Errorf("the init container did not end well at its first try: %s", statusOf(pod))
}
