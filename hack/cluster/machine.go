package cluster

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"
)

// need is a program, or a file, that a node takes from the machine, and the package of Debian
// that has it.
type need struct{ path, pkg string }

func nodeNeeds() []need {
	return []need{
		{"containerd", "containerd"},
		{"ctr", "containerd"},
		{"runc", "runc"},
		{"/usr/lib/cni/bridge", "containernetworking-plugins"},
		{"/usr/lib/cni/host-local", "containernetworking-plugins"},
		{"/usr/lib/cni/portmap", "containernetworking-plugins"},
		{"iptables-save", "iptables"},
		{"conntrack", "conntrack"},
		{"ip", "iproute2"},
		{"mount", "mount"},
		{"nsenter", "util-linux"},
		{"unshare", "util-linux"},
	}
}

// systemFolders are where Debian keeps what only root uses; a user's PATH may lack them.
const systemFolders = "/usr/sbin:/sbin"

// checkMachine says what keeps a node from running here, all at once.
func checkMachine(stateDir string) error {
	if runtime.GOOS != "linux" {
		return fmt.Errorf("a node needs Linux, for its namespaces and cgroups; this is %s. The control plane alone (make demo) runs in a virtual machine just as well", runtime.GOOS)
	}
	if os.Geteuid() != 0 {
		return errors.New("a node needs root, for its namespaces, mounts and cgroups: run it with sudo -E, or in a virtual machine; make demo and make test need no root")
	}
	if missing := MissingPackages(); len(missing) > 0 {
		return fmt.Errorf("a node needs programs that are not installed; on Debian: apt-get install %s", strings.Join(missing, " "))
	}
	cache, err := cacheRoot()
	if err != nil {
		return err
	}
	return errors.Join(visible("the state folder", stateDir), visible("the cache", cache))
}

// MissingPackages returns the packages of Debian that have what a node needs, and this machine
// does not have.
func MissingPackages() []string { return missingPackages(exists) }

func missingPackages(exists func(path string) bool) []string {
	var packages []string
	for _, need := range nodeNeeds() {
		if !exists(need.path) && !slices.Contains(packages, need.pkg) {
			packages = append(packages, need.pkg)
		}
	}
	return packages
}

func exists(path string) bool {
	_, err := lookUpProgram(path)
	return err == nil
}

// visible says whether the node's processes would see a folder: see node/namespaces.sh.
func visible(what, path string) error {
	for _, covered := range []string{"/run", "/var/run", "/var/lib", "/var/log"} {
		if path == covered || strings.HasPrefix(path, covered+"/") {
			return fmt.Errorf("%s is %s, but a node covers %s with a folder of its own: choose one elsewhere, /var/tmp for example (LANYARD_CACHE says where the cache is)", what, path, covered)
		}
	}
	return nil
}
