//go:build e2e

package e2e

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
)

// process is the first process of a container of the pod, as the kernel of the node numbers it.
func (s *shop) process(t *testing.T, pod *corev1.Pod, container string) int {
	t.Helper()
	id := ""
	for _, c := range slices.Concat(pod.Status.InitContainerStatuses, pod.Status.ContainerStatuses) {
		if c.Name == container {
			_, id, _ = strings.Cut(c.ContainerID, "://")
		}
	}
	if id == "" {
		t.Fatalf("container %s of %s has no id: %s", container, pod.Name, statusOf(pod))
	}
	files, err := filepath.Glob("/proc/[0-9]*/cgroup")
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	for _, file := range files {
		cgroups, err := os.ReadFile(file)
		if err != nil || !bytes.Contains(cgroups, []byte(id)) { // it may have ended since
			continue
		}
		if pid, err := strconv.Atoi(filepath.Base(filepath.Dir(file))); err == nil && (found == 0 || pid < found) {
			found = pid
		}
	}
	if found == 0 {
		t.Fatalf("no process of container %s of %s", container, pod.Name)
	}
	return found
}

// file reads a file as a container of the pod sees it: what root of the node, or a thief in the
// container, can read.
func (s *shop) file(t *testing.T, pod *corev1.Pod, container, path string) string {
	t.Helper()
	root := rootOf(t, s.process(t, pod, container))
	defer func() { _ = root.Close() }()
	data, err := root.ReadFile(strings.TrimPrefix(path, "/"))
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func (s *shop) stat(t *testing.T, process int, path string) os.FileInfo {
	t.Helper()
	root := rootOf(t, process)
	defer func() { _ = root.Close() }()
	info, err := root.Stat(strings.TrimPrefix(path, "/"))
	if err != nil {
		t.Fatal(err)
	}
	return info
}

// rootOf is the file system that a process sees. A link in it cannot lead out of it.
func rootOf(t *testing.T, process int) *os.Root {
	t.Helper()
	root, err := os.OpenRoot(fmt.Sprintf("/proc/%d/root", process))
	if err != nil {
		t.Fatal(err)
	}
	return root
}

// statistics are the fields of /proc/PID/stat, by the numbers that proc(5) gives them.
func statistics(t *testing.T, process int) func(number int) int {
	t.Helper()
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", process))
	if err != nil {
		t.Fatal(err)
	}
	// The second is the name of the program in parentheses, and may hold anything.
	_, rest, _ := strings.Cut(string(stat), ") ")
	fields := strings.Fields(rest)
	return func(number int) int {
		value, err := strconv.Atoi(fields[number-3])
		if err != nil {
			t.Fatal(err)
		}
		return value
	}
}

// tick is the unit of times in /proc (USER_HZ).
const tick = 10 * time.Millisecond

// startOf is when a process began, within a few ticks.
func startOf(t *testing.T, process int) time.Time {
	t.Helper()
	text, err := os.ReadFile("/proc/uptime")
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	var uptime float64 // seconds
	if _, err := fmt.Sscan(string(text), &uptime); err != nil {
		t.Fatal(err)
	}
	sinceBoot := time.Duration(statistics(t, process)(22)) * tick
	return now.Add(sinceBoot - time.Duration(uptime*float64(time.Second)))
}

// cpuOf is the time that a process has spent, in user and kernel mode.
func cpuOf(t *testing.T, process int) time.Duration {
	t.Helper()
	field := statistics(t, process)
	return time.Duration(field(14)+field(15)) * tick
}
