package cluster

import (
	"bytes"
	"context"
	_ "embed" // for the script
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
)

//go:embed node/namespaces.sh
var namespacesScript string

// namespaces is the process that holds a node's namespaces, by its name in the state folder.
const namespaces = "namespaces"

// marker stands in the state folder of a node. What has it not is never removed.
const marker = ".lanyard-node"

// EnterNode puts this process into the network namespace of a node, which it makes if it is not
// there: nothing in it can reach, or be reached from, outside. The namespace cannot be changed
// under a program that runs, so this one is executed anew, with the same arguments and
// environment: call EnterNode first thing. Once inside it returns nil.
//
// It needs Linux and root, and says what of the machine is missing. stateDir is made if it is
// missing; it must be empty, or that of a node.
func EnterNode(ctx context.Context, stateDir string) error {
	stateDir, err := filepath.Abs(stateDir)
	if err != nil {
		return err
	}
	if err := checkMachine(stateDir); err != nil {
		return err
	}
	if err := claim(stateDir); err != nil {
		return err
	}
	c := &Cluster{stateDir: stateDir}
	unlock, err := c.lock(ctx, io.Discard)
	if err != nil {
		return err
	}
	defer unlock()
	pid, err := c.ensureNamespaces(ctx)
	if err != nil {
		return err
	}
	inside, err := c.inside(pid)
	if err != nil || inside {
		return err
	}
	program, err := os.Executable()
	if err != nil {
		return err
	}
	enter, err := exec.LookPath("nsenter")
	if err != nil {
		return err
	}
	// The lock goes with this program: its file is closed on exec.
	arguments := []string{"nsenter", fmt.Sprintf("--net=/proc/%d/ns/net", pid), "--", program}
	return syscall.Exec(enter, append(arguments, os.Args[1:]...), os.Environ())
}

// claim makes a folder the state folder of a node.
func claim(stateDir string) error {
	if fileExists(filepath.Join(stateDir, marker)) == nil {
		return nil
	}
	entries, err := os.ReadDir(stateDir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if len(entries) > 0 {
		return fmt.Errorf("%s is not empty, and is not the state folder of a node: choose another", stateDir)
	}
	return writeFileAtomically(filepath.Join(stateDir, marker), []byte("Everything in this folder is a node's, and goes when the node does.\n"))
}

// ensureNamespaces makes sure that the node has namespaces and cgroups, and returns the process
// that holds them.
func (c *Cluster) ensureNamespaces(ctx context.Context) (pid int, err error) {
	supervisor := c.Supervisor()
	if !supervisor.Alive(namespaces) {
		if err := c.makeNamespaces(ctx); err != nil {
			return 0, err
		}
	}
	r, err := supervisor.read(namespaces)
	if err != nil {
		return 0, err
	}
	return r.PID, c.writeEntrances(r.PID)
}

func (c *Cluster) makeNamespaces(ctx context.Context) error {
	groups, err := cgroupsOf(c.stateDir)
	if err != nil {
		return err
	}
	if pids, err := groups.processes(); err != nil || len(pids) > 0 {
		return errors.Join(fmt.Errorf("the node of %s has lost the process that holds its namespaces, while %d others run: remove it (make cluster-down), and start again", c.stateDir, len(pids)), err)
	}
	ready := filepath.Join(c.stateDir, "namespaces.ready")
	if err := os.Remove(ready); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	script := filepath.Join(c.stateDir, "namespaces.sh")
	join := filepath.Join(c.stateDir, "join")
	err = errors.Join(
		groups.create(),
		writeScript(script, namespacesScript),
		writeScript(join, fmt.Sprintf("#!/bin/sh\n# Runs a program in the node's cgroup.\necho $$ >%s\nexec \"$@\"\n", quote(groups.membership()))),
	)
	if err != nil {
		return err
	}
	unshare, err := exec.LookPath("unshare")
	if err != nil {
		return err
	}
	err = c.Supervisor().StartProcess(ctx, Process{
		Name: namespaces, Through: join, Path: unshare, KillAtOnce: true,
		Args: []string{"--net", "--mount", "--propagation", "slave", "--", "/bin/sh", script, c.stateDir},
	})
	if err != nil {
		return err
	}
	return c.Supervisor().WaitReady(ctx, namespaces, func(context.Context) error { return fileExists(ready) })
}

// entrance of the node's own processes: its cgroup, its network, its mounts.
func (c *Cluster) entrance() string { return filepath.Join(c.stateDir, "enter") }

// InNode is the path of a script that runs any command in the node's network, as its
// administrator: its only way to the API server and to Services.
func (c *Cluster) inNode() string { return filepath.Join(c.stateDir, "bin", "in-node") }

// writeEntrances writes the ways into the namespaces that a process holds. They look whether it
// is still the same ones: a PID is used again.
func (c *Cluster) writeEntrances(pid int) error {
	network, err := os.Readlink(fmt.Sprintf("/proc/%d/ns/net", pid))
	if err != nil {
		return err
	}
	guard := fmt.Sprintf("#!/bin/sh\nif [ \"$(readlink /proc/%d/ns/net)\" != '%s' ]; then\n"+
		"\techo \"the node of \"%s\" does not run\" >&2\n\texit 1\nfi\n", pid, network, quote(c.stateDir))
	return errors.Join(
		writeScript(c.entrance(), guard+fmt.Sprintf("PATH=%s:$PATH:%s\nexec %s nsenter --net=/proc/%d/ns/net --mount=/proc/%d/ns/mnt -- \"$@\"\n",
			quote(c.iptablesDir()), systemFolders, quote(filepath.Join(c.stateDir, "join")), pid, pid)),
		writeScript(c.inNode(), guard+fmt.Sprintf("KUBECONFIG=%s PATH=%s:$PATH exec nsenter --net=/proc/%d/ns/net -- \"$@\"\n",
			quote(c.Kubeconfig()), quote(filepath.Dir(c.inNode())), pid)),
	)
}

// inside says whether this process is in the network namespace that another holds.
func (c *Cluster) inside(pid int) (bool, error) {
	own, err := os.Readlink("/proc/self/ns/net")
	if err != nil {
		return false, err
	}
	theirs, err := os.Readlink(fmt.Sprintf("/proc/%d/ns/net", pid))
	return own == theirs, err
}

// iptablesDir has the iptables that works on this machine, and comes first in the PATH.
func (c *Cluster) iptablesDir() string { return filepath.Join(c.stateDir, "iptables") }

// chooseIptables links the first of the two kinds of iptables that this kernel takes rules from.
func (c *Cluster) chooseIptables(ctx context.Context) (kind string, err error) {
	var failed error
	for _, kind := range []string{"nft", "legacy"} {
		program, err := lookUpProgram("iptables-" + kind)
		if err != nil {
			failed = errors.Join(failed, err)
			continue
		}
		// What kube-proxy writes; listing a table succeeds without any of it.
		rule := []string{"-w", "-t", "nat", "-I", "OUTPUT", "-m", "comment", "--comment", "probe", "-m", "mark", "--mark", "1", "-j", "MARK", "--set-mark", "1"}
		var stderr bytes.Buffer
		probe := exec.CommandContext(ctx, c.entrance(), append([]string{program}, rule...)...)
		probe.Stderr = &stderr
		if err := probe.Run(); err != nil {
			failed = errors.Join(failed, fmt.Errorf("%s: %w: %s", program, err, lastLines(stderr.String())))
			continue
		}
		rule[3] = "-D"
		if err := exec.CommandContext(ctx, c.entrance(), append([]string{program}, rule...)...).Run(); err != nil {
			return "", fmt.Errorf("removing the rule that was a probe: %w", err)
		}
		return kind, c.linkIptables(program)
	}
	return "", fmt.Errorf("no iptables works here, so Services cannot: %w", failed)
}

func (c *Cluster) linkIptables(program string) error {
	if err := errors.Join(os.RemoveAll(c.iptablesDir()), os.MkdirAll(c.iptablesDir(), 0o700)); err != nil {
		return err
	}
	base, _ := strings.CutPrefix(filepath.Base(program), "iptables")
	var failed error
	for _, name := range []string{"iptables", "ip6tables"} {
		for _, suffix := range []string{"", "-save", "-restore"} {
			target := filepath.Join(filepath.Dir(program), name+base+suffix)
			failed = errors.Join(failed, os.Symlink(target, filepath.Join(c.iptablesDir(), name+suffix)))
		}
	}
	return failed
}

func lookUpProgram(name string) (string, error) {
	if path, err := exec.LookPath(name); err == nil {
		return path, nil
	}
	for folder := range strings.SplitSeq(systemFolders, ":") {
		if path := filepath.Join(folder, name); fileExists(path) == nil {
			return path, nil
		}
	}
	return "", fmt.Errorf("there is no %s", name)
}

func writeScript(path, text string) error {
	return errors.Join(writeFileAtomically(path, []byte(text)), os.Chmod(path, 0o700))
}

// quote makes one word of the shell of any text.
func quote(text string) string { return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'" }
