package cluster

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"sigs.k8s.io/yaml"
)

func TestHierarchiesOfCgroups(t *testing.T) {
	for name, test := range map[string]struct {
		mountinfo string
		want      cgroups
	}{
		"cgroup v2": {
			"22 1 0:20 / / rw - ext4 /dev/vda rw\n30 22 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate\n",
			cgroups{hierarchies: []string{"/sys/fs/cgroup"}, member: "/sys/fs/cgroup"},
		},
		"cgroup v1, with v2 beside it for systemd": {
			"30 22 0:26 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n" +
				"31 22 0:27 / /sys/fs/cgroup/cpuset rw - cgroup cgroup rw,cpuset\n" +
				"32 22 0:28 / /sys/fs/cgroup/pids rw - cgroup cgroup rw,pids\n" +
				"33 22 0:29 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct\n",
			cgroups{
				hierarchies: []string{"/sys/fs/cgroup/unified", "/sys/fs/cgroup/cpuset", "/sys/fs/cgroup/pids", "/sys/fs/cgroup/cpu,cpuacct"},
				member:      "/sys/fs/cgroup/pids",
			},
		},
		"no cgroups": {"22 1 0:20 / / rw - ext4 /dev/vda rw\nnonsense\n\n", cgroups{}},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(test.want, parseHierarchies([]byte(test.mountinfo)), cmp.AllowUnexported(cgroups{}), cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("hierarchies (-want +got):\n%s", diff)
			}
		})
	}
}

func TestMissingPackagesAreNamedOnce(t *testing.T) {
	if got := missingPackages(func(string) bool { return true }); len(got) != 0 {
		t.Errorf("with everything there: %q", got)
	}
	lacking := func(path string) bool { return !strings.Contains(path, "cni") && path != "conntrack" }
	if diff := cmp.Diff([]string{"containernetworking-plugins", "conntrack"}, missingPackages(lacking)); diff != "" {
		t.Errorf("packages (-want +got):\n%s", diff)
	}
}

func TestRefusesAFolderThatANodeWouldNotSee(t *testing.T) {
	for path, want := range map[string]bool{
		"/run/node": false, "/var/run/node": false, "/var/lib": false, "/var/lib/ci/cache": false, "/var/log/node": false,
		"/var/tmp/node": true, "/root/.cache/lanyard": true, "/var/library": true, "/runner": true,
	} {
		if err := visible("the state folder", path); (err == nil) != want {
			t.Errorf("%s: %v", path, err)
		}
	}
}

func TestAFolderIsClaimedOnce(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "node")
	for range 2 {
		if err := claim(folder); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(folder, "more"), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := claim(filepath.Dir(folder)); err == nil {
		t.Error("a folder of others is claimed")
	}
}

// TestTheNodeIsOfTheSameKubernetes holds the two modules together that pin Kubernetes.
func TestTheNodeIsOfTheSameKubernetes(t *testing.T) {
	var versions []string
	for _, folder := range []string{controlPlane().folder, nodeExtras().folder} {
		goMod, err := os.Open(filepath.Join(folder, "kubernetes", "go.mod"))
		if err != nil {
			t.Fatal(err)
		}
		version, err := moduleVersion(goMod, "k8s.io/kubernetes")
		if err != nil {
			t.Fatal(err)
		}
		versions = append(versions, version)
		_ = goMod.Close()
	}
	if versions[0] != versions[1] {
		t.Errorf("the control plane is %s, the node %s: change both", versions[0], versions[1])
	}
}

func TestTheFilesOfANodeCanBeRead(t *testing.T) {
	c := &Cluster{stateDir: t.TempDir(), node: &nodeParts{cgroups: cgroups{name: "lanyard-0123"}}}
	path := filepath.Join(c.stateDir, "kubelet.yaml")
	if err := c.render("kubelet.yaml", path); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var parsed struct {
		CgroupRoot     string `json:"cgroupRoot"`
		Authentication struct {
			X509 struct {
				ClientCAFile string `json:"clientCAFile"`
			} `json:"x509"`
		} `json:"authentication"`
	}
	if err := yaml.Unmarshal(data, &parsed); err != nil {
		t.Fatal(err)
	}
	if parsed.CgroupRoot != "/lanyard-0123" || parsed.Authentication.X509.ClientCAFile != c.pkiFile("ca.crt") {
		t.Errorf("kubelet.yaml: %+v", parsed)
	}
	manifest, err := nodeFiles.Open("node/coredns.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if objects, err := decodeManifest(manifest); err != nil || len(objects) != 6 {
		t.Errorf("coredns.yaml: %d objects, %v", len(objects), err)
	}
}
