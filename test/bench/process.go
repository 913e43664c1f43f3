package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// process is a server in a process of its own, pinned to a core. It runs until its
// standard input is closed, which also happens if this process dies.
type process struct {
	name    string
	address string
	cmd     *exec.Cmd
	stdin   io.WriteCloser
	// stderr is where it logs to, as a container's log would be: a file.
	stderr *os.File
}

// startServer starts this program again as a server, and returns when it listens.
func startServer(ctx context.Context, name string, core int, f fixture, dir, profiles string) (*process, error) {
	cmd, err := again(ctx, name)
	if err != nil {
		return nil, err
	}
	s := &process{name: name, cmd: cmd}
	if s.stderr, err = os.OpenFile(filepath.Join(dir, name+".log"), os.O_CREATE|os.O_RDWR|os.O_APPEND, 0o600); err != nil {
		return nil, err
	}
	cmd.Stderr = s.stderr
	cmd.Env = append(os.Environ(), "GOMAXPROCS=1", envProfiles+"="+profiles)
	if s.stdin, err = cmd.StdinPipe(); err != nil {
		return nil, err
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := onCore(core, cmd.Start); err != nil {
		return nil, fmt.Errorf("starting the %s: %w", name, err)
	}
	err = json.NewEncoder(s.stdin).Encode(f)
	if err == nil {
		s.address, err = bufio.NewReader(stdout).ReadString('\n')
		s.address = strings.TrimSpace(s.address)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("the %s did not start: %w", name, err), s.stop(), s.lastWords())
	}
	return s, nil
}

// stop ends the server, by force if it does not go within some seconds.
func (s *process) stop() error {
	force := time.AfterFunc(10*time.Second, func() { _ = s.cmd.Process.Kill() })
	defer force.Stop()
	_ = s.stdin.Close() // it may be gone already
	if err := s.cmd.Wait(); err != nil {
		return fmt.Errorf("the %s ended badly: %w", s.name, err)
	}
	return nil
}

// lastWords is the end of the server's log, for whoever wants to know why.
func (s *process) lastWords() error {
	log, err := os.ReadFile(s.stderr.Name())
	if err != nil || len(log) == 0 {
		return err
	}
	return fmt.Errorf("the %s said:\n%s", s.name, log[max(0, len(log)-2000):])
}

// emptyLog returns how long the log has become, and begins it anew: it must not
// fill the disk.
func (s *process) emptyLog() (int64, error) {
	info, err := s.stderr.Stat()
	if err != nil {
		return 0, err
	}
	return info.Size(), s.stderr.Truncate(0)
}

// load starts this program again as the load, on a core of its own, and returns what
// it measured.
func load(ctx context.Context, core int, j job) (sample, error) {
	cmd, err := again(ctx, "load")
	if err != nil {
		return sample{}, err
	}
	in, err := json.Marshal(j)
	if err != nil {
		return sample{}, err
	}
	var out, stderr strings.Builder
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(string(in)), &out, &stderr
	cmd.Env = append(os.Environ(), "GOMAXPROCS=1", "GOGC=400")
	if err := onCore(core, cmd.Start); err != nil {
		return sample{}, fmt.Errorf("starting the load: %w", err)
	}
	if err := cmd.Wait(); err != nil {
		return sample{}, fmt.Errorf("the load: %w: %s", err, strings.TrimSpace(stderr.String()))
	}
	var s sample
	if err := json.Unmarshal([]byte(out.String()), &s); err != nil {
		return sample{}, fmt.Errorf("what the load answered: %w", err)
	}
	return s, nil
}

// again is this program with another task. It ends with ctx.
func again(ctx context.Context, task string) (*exec.Cmd, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	return exec.CommandContext(ctx, self, task), nil
}
