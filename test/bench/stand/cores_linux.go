package stand

import (
	"fmt"
	"os"
	"runtime"
	"time"

	"golang.org/x/sys/unix"
)

// Cores returns a core for the servers and another for the load, of those that
// this process may use.
func Cores() (server, load int, err error) {
	var allowed unix.CPUSet
	if err := unix.SchedGetaffinity(0, &allowed); err != nil {
		return 0, 0, fmt.Errorf("cannot tell which cores may be used: %w", err)
	}
	found := make([]int, 0, 2)
	for core := 0; core < len(allowed)*64 && len(found) < 2; core++ {
		if allowed.IsSet(core) {
			found = append(found, core)
		}
	}
	if len(found) < 2 {
		return 0, 0, fmt.Errorf("two cores are needed, one for the server and one for the load; this process may use %d", allowed.Count())
	}
	return found[1], found[0], nil
}

// OnCore calls start on a thread that is pinned to one core. A process that start
// starts inherits that with all its threads, from its first instruction on.
func OnCore(core int, start func() error) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var before, only unix.CPUSet
	if err := unix.SchedGetaffinity(0, &before); err != nil {
		return fmt.Errorf("cannot read this thread's cores: %w", err)
	}
	only.Set(core)
	if err := unix.SchedSetaffinity(0, &only); err != nil {
		return fmt.Errorf("cannot pin to core %d: %w", core, err)
	}
	err := start()
	if restore := unix.SchedSetaffinity(0, &before); restore != nil && err == nil {
		err = fmt.Errorf("cannot unpin from core %d: %w", core, restore)
	}
	return err
}

// yieldTo lets others go before a process, which must have started just now: its
// threads inherit it.
func yieldTo(pid int) error {
	// The system call counts the other way round, from 40 to 1.
	own, err := unix.Getpriority(unix.PRIO_PROCESS, 0)
	if err == nil {
		err = unix.Setpriority(unix.PRIO_PROCESS, pid, min(20-own+10, 19))
	}
	if err != nil {
		return fmt.Errorf("cannot lower a process's priority: %w", err)
	}
	return nil
}

// CPUTime is the processor time that a process has used so far.
func CPUTime(pid int) (time.Duration, error) {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, err
	}
	return parseCPUTime(string(stat))
}

// PeakMemory is the most memory, in bytes, that a process has had resident.
func PeakMemory(pid int) (int64, error) { return memory(pid, "VmHWM") }

// Memory is how much memory, in bytes, a process has resident now.
func Memory(pid int) (int64, error) { return memory(pid, "VmRSS") }

func memory(pid int, field string) (int64, error) {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, err
	}
	return parseMemory(string(status), field)
}
