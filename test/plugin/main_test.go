// Package plugin proves what people see of kubectl lanyard: the program as it is built,
// run against a real control plane, as users who have Kubernetes' own roles and no others.
//
// What it prints is kept in testdata, one file for each run, with everything that differs
// from run to run replaced. `go test ./test/plugin -update` writes the files anew.
package plugin

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/lanyard-dev/lanyard/test/testenv"
)

var (
	env *testenv.Environment
	// binary is kubectl-lanyard, in a folder of its own that can stand on the PATH.
	binary string
	update = flag.Bool("update", false, "write what is printed to testdata")
)

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "kubectl-lanyard-")
	if err != nil {
		panic(err)
	}
	defer func() { _ = os.RemoveAll(dir) }()
	binary = filepath.Join(dir, "kubectl-lanyard")
	build := exec.Command("go", "build", "-o", binary, "github.com/lanyard-dev/lanyard/cmd/kubectl-lanyard")
	if out, err := build.CombinedOutput(); err != nil {
		panic(fmt.Sprintf("building kubectl-lanyard: %v\n%s", err, out))
	}
	testenv.Main(m, &env, testenv.Options{CertManager: true, Admission: true})
}
