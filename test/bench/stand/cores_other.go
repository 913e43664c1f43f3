//go:build !linux

package stand

import (
	"errors"
	"time"
)

var errLinux = errors.New("this needs Linux: it pins processes to cores and reads /proc")

// Cores says that it cannot tell.
func Cores() (server, load int, err error) { return 0, 0, errLinux }

// OnCore starts nothing.
func OnCore(int, func() error) error { return errLinux }

func yieldTo(int) error { return errLinux }

// CPUTime says that it cannot tell.
func CPUTime(int) (time.Duration, error) { return 0, errLinux }

// PeakMemory says that it cannot tell.
func PeakMemory(int) (int64, error) { return 0, errLinux }

// Memory says that it cannot tell.
func Memory(int) (int64, error) { return 0, errLinux }
