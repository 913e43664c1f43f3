package cluster

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// cgroups is a node's part of the machine's cgroup tree: everything that runs in it was started
// by the node. What a container starts cannot leave it, so it says what is to be ended, also
// when all who could remember are gone.
type cgroups struct {
	// name of the folder in each hierarchy.
	name string
	// hierarchies are the mount points of the machine's cgroup hierarchies: one with cgroup v2,
	// several with v1.
	hierarchies []string
	// member is the hierarchy that the node's own processes join.
	member string
}

// cgroupsOf returns the cgroups of a node, whether they exist or not.
func cgroupsOf(stateDir string) (cgroups, error) {
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return cgroups{}, fmt.Errorf("%w; a node needs Linux", err)
	}
	sum := sha256.Sum256([]byte(stateDir))
	c := parseHierarchies(mounts)
	c.name = "lanyard-" + hex.EncodeToString(sum[:])[:10]
	if c.member == "" {
		return c, errors.New("no cgroup hierarchy with the pids controller is mounted, which the kubelet needs: mount cgroup2 at /sys/fs/cgroup")
	}
	return c, nil
}

// parseHierarchies reads lines as proc_pid_mountinfo(5) describes them.
func parseHierarchies(mountinfo []byte) cgroups {
	var c cgroups
	lines := bufio.NewScanner(bytes.NewReader(mountinfo))
	for lines.Scan() {
		before, after, _ := strings.Cut(lines.Text(), " - ")
		place, kind := strings.Fields(before), strings.Fields(after)
		if len(place) < 5 || len(kind) < 3 || !strings.HasPrefix(kind[0], "cgroup") {
			continue
		}
		mountPoint := place[4]
		c.hierarchies = append(c.hierarchies, mountPoint)
		if kind[0] == "cgroup" && slices.Contains(strings.Split(kind[2], ","), "pids") || kind[0] == "cgroup2" && c.member == "" {
			c.member = mountPoint // v2 has it, unless v1 took it away
		}
	}
	return c
}

// folders are the node's folder in each hierarchy.
func (c cgroups) folders() []string {
	var all []string
	for _, hierarchy := range c.hierarchies {
		all = append(all, filepath.Join(hierarchy, c.name))
	}
	return all
}

// membership is the file that a process of the node writes its number to. It is not one of the
// node's folder itself: with cgroup v2 only leaves have processes.
func (c cgroups) membership() string {
	return filepath.Join(c.member, c.name, "node", "cgroup.procs")
}

// create makes the folders.
func (c cgroups) create() error {
	failed := os.MkdirAll(filepath.Dir(c.membership()), 0o755)
	for _, folder := range c.folders() {
		failed = errors.Join(failed, os.MkdirAll(folder, 0o755))
	}
	return failed
}

// processes returns who runs in the node's cgroups.
func (c cgroups) processes() ([]int, error) {
	found := map[int]bool{}
	err := c.walk(func(folder string) error {
		data, err := os.ReadFile(filepath.Join(folder, "cgroup.procs"))
		for line := range strings.Lines(string(data)) {
			if pid, err := strconv.Atoi(strings.TrimSpace(line)); err == nil && pid != 0 {
				found[pid] = true
			}
		}
		return err
	})
	var pids []int
	for pid := range found {
		pids = append(pids, pid)
	}
	return pids, err
}

// walk calls visit for each folder of the node, the deepest first. A folder that goes away
// meanwhile is none.
func (c cgroups) walk(visit func(folder string) error) error {
	var failed error
	for _, top := range c.folders() {
		var folders []string
		err := filepath.WalkDir(top, func(path string, entry fs.DirEntry, err error) error {
			if errors.Is(err, fs.ErrNotExist) {
				return nil
			}
			if err == nil && entry.IsDir() {
				folders = append(folders, path)
			}
			return err
		})
		failed = errors.Join(failed, err)
		for _, folder := range slices.Backward(folders) {
			if err := visit(folder); !errors.Is(err, fs.ErrNotExist) {
				failed = errors.Join(failed, err)
			}
		}
	}
	return failed
}

// cgroupGrace is how long the kernel may take to end what runs in a cgroup.
const cgroupGrace = 20 * time.Second

// end kills what runs in the node's cgroups, and removes them.
func (c cgroups) end(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, cgroupGrace)
	defer cancel()
	return poll(ctx, func(context.Context) error {
		pids, err := c.processes()
		if err != nil {
			return err
		}
		for _, pid := range pids {
			process, err := os.FindProcess(pid)
			if err != nil {
				return err
			}
			if err := process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
				return err
			}
		}
		if len(pids) > 0 {
			return fmt.Errorf("processes %v of the cgroup %s are still there", pids, c.name)
		}
		return c.walk(os.Remove)
	})
}
