package stand

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

// Process is a server in a process of its own, pinned to a core. It runs until its
// standard input is closed, which also happens if this process dies.
type Process struct {
	Address string

	name  string
	cmd   *exec.Cmd
	stdin io.WriteCloser
	// stderr is where it logs to, as a container's log would be: a file.
	stderr *os.File
}

// Start starts this program again with a task, which must call Run, and returns when
// it listens. Its log is written in dir, and profiles to the folder of that name if
// it has one.
func Start(ctx context.Context, task string, core int, f Fixture, dir, profiles string) (*Process, error) {
	cmd, err := Again(ctx, task)
	if err != nil {
		return nil, err
	}
	s := &Process{name: task, cmd: cmd}
	if s.stderr, err = os.OpenFile(filepath.Join(dir, task+".log"), os.O_CREATE|os.O_RDWR|os.O_APPEND, 0o600); err != nil {
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
	if err := OnCore(core, cmd.Start); err != nil {
		return nil, fmt.Errorf("starting the %s: %w", task, err)
	}
	err = json.NewEncoder(s.stdin).Encode(f)
	if err == nil {
		s.Address, err = bufio.NewReader(stdout).ReadString('\n')
		s.Address = strings.TrimSpace(s.Address)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("the %s did not start: %w", task, err), s.Stop(), s.LastWords())
	}
	return s, nil
}

// PID is the number of the server's process.
func (s *Process) PID() int { return s.cmd.Process.Pid }

// Stop ends the server, by force if it does not go within some seconds.
func (s *Process) Stop() error {
	force := time.AfterFunc(10*time.Second, func() { _ = s.cmd.Process.Kill() })
	defer force.Stop()
	_ = s.stdin.Close() // it may be gone already
	if err := s.cmd.Wait(); err != nil {
		return fmt.Errorf("the %s ended badly: %w", s.name, err)
	}
	return nil
}

// LastWords is the end of the server's log, for whoever wants to know why.
func (s *Process) LastWords() error {
	log, err := os.ReadFile(s.stderr.Name())
	if err != nil || len(log) == 0 {
		return err
	}
	return fmt.Errorf("the %s said:\n%s", s.name, log[max(0, len(log)-2000):])
}

// EmptyLog returns how long the log has become, and begins it anew: it must not
// fill the disk.
func (s *Process) EmptyLog() (int64, error) {
	info, err := s.stderr.Stat()
	if err != nil {
		return 0, err
	}
	return info.Size(), s.stderr.Truncate(0)
}

// Ask starts this program again with a task on a core, gives it question on its
// standard input, and reads answer from its standard output, both as JSON.
func Ask(ctx context.Context, task string, core int, question, answer any) error {
	return ask(ctx, task, core, false, question, answer)
}

// AskPolitely is Ask for a process that gets of the core only what others leave.
func AskPolitely(ctx context.Context, task string, core int, question, answer any) error {
	return ask(ctx, task, core, true, question, answer)
}

func ask(ctx context.Context, task string, core int, polite bool, question, answer any) error {
	cmd, err := Again(ctx, task)
	if err != nil {
		return err
	}
	in, err := json.Marshal(question)
	if err != nil {
		return err
	}
	var out, stderr strings.Builder
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(string(in)), &out, &stderr
	cmd.Env = append(os.Environ(), "GOMAXPROCS=1", "GOGC=400")
	if err := OnCore(core, cmd.Start); err != nil {
		return fmt.Errorf("starting the %s: %w", task, err)
	}
	if polite {
		if err := yieldTo(cmd.Process.Pid); err != nil {
			return errors.Join(err, cmd.Process.Kill(), cmd.Wait())
		}
	}
	if err := cmd.Wait(); err != nil {
		return fmt.Errorf("the %s: %w: %s", task, err, strings.TrimSpace(stderr.String()))
	}
	if err := json.Unmarshal([]byte(out.String()), answer); err != nil {
		return fmt.Errorf("what the %s answered: %w", task, err)
	}
	return nil
}

// Again is this program with another task. It ends with ctx.
func Again(ctx context.Context, task string) (*exec.Cmd, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	return exec.CommandContext(ctx, self, task), nil
}
