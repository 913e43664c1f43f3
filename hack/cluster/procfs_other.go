//go:build !linux

package cluster

import (
	"errors"
	"syscall"
)

// running is what the kernel says of a PID.
type running struct {
	instance instance
	dead     bool
}

// lookUp needs /proc: without it nobody can tell one process from a later one with the same
// PID, and so nothing is started at all.
func lookUp(int) (running, error) {
	return running{}, errors.New("the local cluster needs Linux: it tells processes apart by /proc")
}

func dieWithParent(*syscall.SysProcAttr) {}
