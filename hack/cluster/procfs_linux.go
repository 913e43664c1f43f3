package cluster

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
)

// running is what the kernel says of a PID.
type running struct {
	instance instance
	// dead is true for a process that has ended and only waits to be reaped.
	dead bool
}

// lookUp asks the kernel who runs under a PID. An error means nobody, or cannot tell.
func lookUp(pid int) (running, error) {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return running{}, err
	}
	bootID, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return running{}, err
	}
	state, startTime, err := parseStat(stat)
	if err != nil {
		return running{}, fmt.Errorf("/proc/%d/stat: %w", pid, err)
	}
	return running{
		instance: instance{StartTime: startTime, BootID: strings.TrimSpace(string(bootID))},
		dead:     state == 'Z' || state == 'X',
	}, nil
}

// parseStat reads the state (field 3) and the start time (field 22) of a line as proc(5)
// describes it. The program's name, field 2, may hold spaces and parentheses: what is counted
// begins after the last parenthesis.
func parseStat(stat []byte) (state byte, startTime uint64, err error) {
	_, rest, found := bytes.Cut(stat[max(0, bytes.LastIndexByte(stat, ')')):], []byte(")"))
	fields := bytes.Fields(rest)
	if !found || len(fields) < 20 {
		return 0, 0, fmt.Errorf("%d fields after the name, want at least 20", len(fields))
	}
	startTime, err = strconv.ParseUint(string(fields[19]), 10, 64)
	return fields[0][0], startTime, err
}

// dieWithParent makes the kernel kill a child when the thread that started it ends.
func dieWithParent(attr *syscall.SysProcAttr) { attr.Pdeathsig = syscall.SIGKILL }
