//go:build e2e

package node

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lanyard-dev/lanyard/hack/cluster"
)

// otherNode runs `cluster node` on a state folder of its own, beside the node of the other tests.
func otherNode(t *testing.T) (state string, command *exec.Cmd) {
	t.Helper()
	state = filepath.Join(t.TempDir(), "node")
	command = exec.CommandContext(t.Context(), shared.clusterCommand(), "node", "--state", state)
	command.Stdout, command.Stderr = t.Output(), t.Output()
	command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	t.Cleanup(func() {
		if err := cluster.RemoveNode(t.Context(), state); err != nil {
			t.Log(err)
		}
	})
	return state, command
}

// machine is what a node must leave as it was.
type machine struct {
	Mounts, Interfaces string
	Folders            []string
}

// lookAt looks at what all nodes share: the machine's own network is that of its first process.
func lookAt(t *testing.T) machine {
	t.Helper()
	mounts, err := os.ReadFile("/proc/self/mounts")
	if err != nil {
		t.Fatal(err)
	}
	m := machine{Mounts: string(mounts)}
	interfaces, err := os.ReadFile("/proc/1/net/dev")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(interfaces)) {
		name, _, _ := strings.Cut(line, ":") // what follows counts packets
		m.Interfaces += strings.TrimSpace(name) + "\n"
	}
	for _, folder := range []string{"/run/containerd", "/run/netns", "/opt/containerd", "/var/lib/cni", "/var/lib/containerd", "/var/lib/kubelet", "/var/log/pods", "/var/log/containers", "/etc/cni", "/usr/libexec/kubernetes"} {
		if _, err := os.Stat(folder); err == nil {
			m.Folders = append(m.Folders, folder)
		}
	}
	return m
}

// namespacesOf returns the namespaces that the node's first process keeps, as links of /proc.
func namespacesOf(t *testing.T, state string) map[string]bool {
	t.Helper()
	list, err := cluster.Supervise(state).List()
	if err != nil || len(list) == 0 || !list[0].Alive {
		t.Fatalf("processes %v, %v", list, err)
	}
	links := map[string]bool{}
	for _, kind := range []string{"net", "mnt"} {
		link, err := os.Readlink(fmt.Sprintf("/proc/%d/ns/%s", list[0].PID, kind))
		if err != nil {
			t.Fatal(err)
		}
		links[link] = true
	}
	return links
}

// leftovers lists every process that has to do with a node, and every cgroup of it.
func leftovers(t *testing.T, state string, namespaces map[string]bool, group string) []string {
	t.Helper()
	var found []string
	processes, err := filepath.Glob("/proc/[0-9]*")
	if err != nil {
		t.Fatal(err)
	}
	for _, process := range processes {
		// One that ended meanwhile, or waits to be reaped, has none of these.
		cmdline, _ := os.ReadFile(process + "/cmdline")
		if pid, _ := strconv.Atoi(filepath.Base(process)); pid == os.Getpid() || len(cmdline) == 0 {
			continue
		}
		inGroup, _ := os.ReadFile(process + "/cgroup")
		belongs := strings.Contains(string(cmdline), state) || strings.Contains(string(inGroup), group)
		for _, kind := range []string{"net", "mnt"} {
			link, _ := os.Readlink(process + "/ns/" + kind)
			belongs = belongs || namespaces[link]
		}
		if belongs {
			found = append(found, process+" "+strings.ReplaceAll(string(cmdline), "\x00", " "))
		}
	}
	err = filepath.WalkDir("/sys/fs/cgroup", func(path string, entry fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil // somebody else's, that ended meanwhile
		}
		if err == nil && entry.IsDir() && entry.Name() == group {
			found = append(found, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(state); err == nil {
		found = append(found, state)
	}
	return found
}

// groupOf is the name of a node's cgroup, as its first process has it.
func groupOf(t *testing.T, state string) string {
	t.Helper()
	script, err := os.ReadFile(filepath.Join(state, "join"))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(script), "/lanyard-")
	name, _, found := strings.Cut(rest, "/")
	if !found {
		t.Fatalf("no cgroup in %s", script)
	}
	return "lanyard-" + name
}

// waitFor waits until a file of the state folder is there.
func waitFor(t *testing.T, path string) {
	t.Helper()
	deadline, ticker := time.After(2*time.Minute), time.NewTicker(20*time.Millisecond)
	defer ticker.Stop()
	for {
		if _, err := os.Stat(path); err == nil {
			return
		}
		select {
		case <-deadline:
			t.Fatalf("there is still no %s", path)
		case <-ticker.C:
		}
	}
}

func TestNothingIsLeftOfANode(t *testing.T) {
	for name, crash := range map[string]func(t *testing.T, state string, command *exec.Cmd){
		"that was killed while it started": func(t *testing.T, state string, command *exec.Cmd) {
			t.Helper()
			if err := command.Start(); err != nil {
				t.Fatal(err)
			}
			waitFor(t, filepath.Join(state, "processes", "kube-apiserver.json"))
			if err := command.Process.Kill(); err != nil {
				t.Fatal(err)
			}
			_ = command.Wait() // it was killed
		},
		"whose processes were all killed, but not its containers": func(t *testing.T, state string, command *exec.Cmd) {
			t.Helper()
			if err := command.Run(); err != nil {
				t.Fatal(err)
			}
			list, err := cluster.Supervise(state).List()
			if err != nil {
				t.Fatal(err)
			}
			for _, process := range list[1:] {
				if err := syscall.Kill(process.PID, syscall.SIGKILL); err != nil && !errors.Is(err, syscall.ESRCH) { // it may not outlive the others
					t.Fatalf("%s: %v", process.Name, err)
				}
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			before := lookAt(t)
			state, command := otherNode(t)
			crash(t, state, command)
			namespaces, group := namespacesOf(t, state), groupOf(t, state)
			if got := leftovers(t, state, namespaces, group); len(got) < 4 {
				t.Fatalf("the test is blind: of a node that was not removed it sees only %q", got)
			}
			// By a process of its own: nothing but the state folder knows what there was.
			if out, err := exec.CommandContext(t.Context(), shared.clusterCommand(), "remove-node", "--state", state).CombinedOutput(); err != nil {
				t.Fatalf("%v: %s", err, out)
			}
			if got := leftovers(t, state, namespaces, group); len(got) > 0 {
				t.Errorf("left behind:\n  %s", strings.Join(got, "\n  "))
			}
			if diff := cmp.Diff(before, lookAt(t)); diff != "" {
				t.Errorf("the machine is not as it was (-before +after):\n%s", diff)
			}
			if err := cluster.RemoveNode(t.Context(), state); err != nil {
				t.Errorf("removing it once more: %v", err)
			}
		})
	}
}

func TestRefusesToRemoveAFolderThatIsNoNodes(t *testing.T) {
	folder := t.TempDir()
	if err := os.WriteFile(filepath.Join(folder, "letters"), []byte("dear"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := cluster.RemoveNode(t.Context(), folder); err == nil {
		t.Error("removed")
	}
	if err := cluster.EnterNode(t.Context(), folder); err == nil || !strings.Contains(err.Error(), "is not empty") {
		t.Errorf("a node was made in it: %v", err)
	}
	if _, err := os.Stat(filepath.Join(folder, "letters")); err != nil {
		t.Error(err)
	}
}
