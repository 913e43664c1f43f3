package cluster

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
)

// Assets are the binaries and manifests of the local cluster, in the cache.
type Assets struct {
	// Dir holds etcd, kube-apiserver, kubectl, kube-controller-manager and
	// certmanager-controllers. It is what envtest expects of KUBEBUILDER_ASSETS.
	Dir string
	// CRDs is the folder with cert-manager's CustomResourceDefinitions, as YAML.
	CRDs string
}

// Path is the path of one binary.
func (a Assets) Path(binary string) string { return filepath.Join(a.Dir, binary) }

// assetsIn says where things stand in a cache folder.
func assetsIn(dir string) Assets { return Assets{Dir: dir, CRDs: filepath.Join(dir, "crds")} }

// missing returns the binaries of a set that are not there yet, and whether the CRDs are not.
func (a Assets) missing(set set) (binaries []binary, crds bool) {
	for _, b := range set.binaries {
		if _, err := os.Stat(a.Path(b.name)); err != nil {
			binaries = append(binaries, b)
		}
	}
	_, err := os.Stat(a.CRDs)
	return binaries, set.crds && err != nil
}

// cacheRoot is $LANYARD_CACHE, or lanyard in the user's cache folder.
func cacheRoot() (string, error) {
	if dir := os.Getenv("LANYARD_CACHE"); dir != "" {
		return filepath.Abs(dir)
	}
	dir, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("no cache folder: %w; set LANYARD_CACHE to one", err)
	}
	return filepath.Join(dir, "lanyard"), nil
}

// findModules returns a folder of build modules in the checkout around the working directory:
// `go run` and `go test` both run inside the module.
func findModules(folder string) (string, error) {
	start, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for dir := start; ; dir = filepath.Dir(dir) {
		modules := filepath.Join(dir, "hack", "cluster", folder)
		if _, err := os.Stat(filepath.Join(modules, "kubernetes", "go.mod")); err == nil {
			return modules, nil
		}
		if dir == filepath.Dir(dir) {
			return "", fmt.Errorf("%s is not inside a checkout of lanyard: there is no hack/cluster/%s in it or above it", start, folder)
		}
	}
}

// recipe changes when the binaries come out differently although their modules do not, for
// example with other linker flags.
const recipe = "1"

// cacheKey names the folder of one set of binaries: the same sources, toolchain and platform
// give the same name. modules is the folder of the build modules.
func cacheKey(modules fs.FS, goVersion string) (string, error) {
	hash := sha256.New()
	platform := runtime.GOOS + "-" + runtime.GOARCH
	fmt.Fprintf(hash, "recipe %s\ngo %s\nplatform %s\n", recipe, goVersion, platform)
	found := false
	err := fs.WalkDir(modules, ".", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || !isSource(entry.Name()) {
			return err
		}
		found = true
		data, err := fs.ReadFile(modules, path)
		fmt.Fprintf(hash, "%s %d\n%s\n", path, len(data), data)
		return err
	})
	if err == nil && !found {
		err = errors.New("no modules to build")
	}
	if err != nil {
		return "", fmt.Errorf("reading the build modules: %w", err)
	}
	return platform + "-" + hex.EncodeToString(hash.Sum(nil))[:16], nil
}

func isSource(name string) bool {
	return name == "go.mod" || name == "go.sum" || strings.HasSuffix(name, ".go")
}

// moduleVersion returns the version that a go.mod requires of a module.
func moduleVersion(goMod io.Reader, module string) (string, error) {
	data, err := io.ReadAll(goMod)
	if err != nil {
		return "", err
	}
	required := regexp.MustCompile(`(?m)^(?:require)?\s+` + regexp.QuoteMeta(module) + `\s+(v\S+)`)
	match := required.FindSubmatch(data)
	if match == nil {
		return "", fmt.Errorf("go.mod does not require %s", module)
	}
	return string(match[1]), nil
}
