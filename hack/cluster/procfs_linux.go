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
	parsed, err := parseStat(stat)
	if err != nil {
		return running{}, fmt.Errorf("/proc/%d/stat: %w", pid, err)
	}
	return running{
		instance: instance{StartTime: parsed.startTime, BootID: strings.TrimSpace(string(bootID))},
		dead:     parsed.dead(),
	}, nil
}

// procStat is what a line as proc(5) describes it says of a process.
type procStat struct {
	state     byte   // field 3
	threads   int    // field 20
	startTime uint64 // field 22
}

// dead is true when the last thread has ended. The first one may be a zombie (Z) while others
// still end, and the process holds its ports until then.
func (p procStat) dead() bool { return p.state == 'X' || p.state == 'Z' && p.threads <= 1 }

// parseStat counts the fields from behind the last parenthesis: the program's name, field 2,
// stands in parentheses and may hold spaces and parentheses itself.
func parseStat(stat []byte) (procStat, error) {
	_, rest, found := bytes.Cut(stat[max(0, bytes.LastIndexByte(stat, ')')):], []byte(")"))
	fields := bytes.Fields(rest)
	if !found || len(fields) < 20 {
		return procStat{}, fmt.Errorf("%d fields after the name, want at least 20", len(fields))
	}
	threads, err := strconv.Atoi(string(fields[17]))
	if err != nil {
		return procStat{}, err
	}
	startTime, err := strconv.ParseUint(string(fields[19]), 10, 64)
	return procStat{state: fields[0][0], threads: threads, startTime: startTime}, err
}

// dieWithParent makes the kernel kill a child when the thread that started it ends.
func dieWithParent(attr *syscall.SysProcAttr) { attr.Pdeathsig = syscall.SIGKILL }
