//go:build e2e

package e2e

import (
	"context"
	"fmt"
	"os"
	"testing"
)

// lanyard is the installation that all tests use.
var lanyard *world

func TestMain(m *testing.M) {
	w, err := newWorld()
	if err == nil {
		err = w.start(context.Background())
	}
	if err == nil {
		lanyard = w
		m.Run() // the testing package keeps its exit code
	}
	if stopped := w.stop(); stopped != nil {
		fmt.Fprintln(os.Stderr, "e2e:", stopped)
	}
	if err != nil {
		panic(fmt.Sprintf("e2e: %v", err)) // returning would let the tests pass unrun
	}
}

// beside has a test run beside others that say so too, after all those that do not. It is for tests
// that leave alone what is shared: the node, the installation, the orders API.
func beside(t *testing.T) {
	t.Helper()
	lanyard.running.Add(1)
	t.Cleanup(lanyard.running.Done)
	t.Parallel()
}

// afterAll has a test run after all others, alone. Only one may say so.
func afterAll(t *testing.T) {
	t.Helper()
	t.Parallel()
	lanyard.running.Wait()
}
