package cluster

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"syscall"
	"time"
)

const (
	// termGrace is how long a process may take to end after SIGTERM.
	termGrace = 5 * time.Second
	// killGrace is how long the kernel may take to end a process after SIGKILL.
	killGrace = 10 * time.Second
	// pollInterval is how often conditions are looked at.
	pollInterval = 50 * time.Millisecond
)

// Supervisor starts and ends the processes of one state folder. They run in sessions of their
// own and outlive whoever started them; what is known of them stands in the state folder.
//
// A Supervisor only ever signals processes that it, or an earlier Supervisor of the same
// folder, has started: see [instance].
//
// Its methods are not safe for use by two commands at once on the same folder; those of
// [Cluster] take a lock.
type Supervisor struct{ stateDir string }

// Supervise returns the Supervisor of a state folder. The path must be absolute.
func Supervise(stateDir string) *Supervisor { return &Supervisor{stateDir: stateDir} }

// Status is what is known of one process.
type Status struct {
	Name  string
	Alive bool
	// PID is 0 if the process is not alive.
	PID int
	Log string
}

// StartProcess starts p, detached. If it is alive already with the same path, arguments and
// environment this does nothing; if they differ it is ended first.
func (s *Supervisor) StartProcess(ctx context.Context, p Process) error {
	if err := p.validate(); err != nil {
		return err
	}
	r, err := s.read(p.Name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		r.Sequence, err = s.nextSequence()
		if err != nil {
			return err
		}
	case err != nil:
		return err
	case r.alive() && r.equal(p):
		return nil
	default:
		if err := s.StopProcess(ctx, p.Name); err != nil {
			return err
		}
	}
	r.Process = p
	return s.spawn(r)
}

// Restart ends the process of that name, if it is alive, and starts it as it was started.
func (s *Supervisor) Restart(ctx context.Context, name string) error {
	r, err := s.read(name)
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("no process %q was ever started in %s", name, s.stateDir)
	}
	if err != nil {
		return err
	}
	if err := s.StopProcess(ctx, name); err != nil {
		return err
	}
	return s.spawn(r)
}

// StopProcess ends the process of that name: SIGTERM, then SIGKILL after 5 s, or SIGKILL at
// once if its [Process] says so. It returns when the process is gone. A process that is not
// alive, or was never started, is no error.
func (s *Supervisor) StopProcess(ctx context.Context, name string) error {
	r, err := s.read(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if err := r.end(ctx); err != nil {
		return err
	}
	r.PID, r.Instance = 0, instance{}
	return s.write(r)
}

// StopAll ends every process, the last one started first.
func (s *Supervisor) StopAll(ctx context.Context) error {
	all, err := s.records()
	if err != nil {
		return err
	}
	var failed error
	for _, r := range slices.Backward(all) {
		failed = errors.Join(failed, s.StopProcess(ctx, r.Name))
	}
	return failed
}

// Alive says whether the process of that name runs.
func (s *Supervisor) Alive(name string) bool {
	r, err := s.read(name)
	return err == nil && r.alive()
}

// List returns the status of every process, in the order of first starts.
func (s *Supervisor) List() ([]Status, error) {
	all, err := s.records()
	if err != nil {
		return nil, err
	}
	var list []Status
	for _, r := range all {
		status := Status{Name: r.Name, Alive: r.alive(), Log: s.LogPath(r.Name)}
		if status.Alive {
			status.PID = r.PID
		}
		list = append(list, status)
	}
	return list, nil
}

// WaitReady waits until check answers nil. It fails at once, with the end of the log, when the
// process has died, and with check's last error when ctx ends.
func (s *Supervisor) WaitReady(ctx context.Context, name string, check func(context.Context) error) error {
	err := poll(ctx, func(ctx context.Context) error {
		if !s.Alive(name) {
			return permanent(errors.New("it has died"))
		}
		return check(ctx)
	})
	if err != nil {
		return fmt.Errorf("%s is not ready: %w\nThe end of its log, %s:\n%s", name, err, s.LogPath(name), tailOf(s.LogPath(name)))
	}
	return nil
}

func (s *Supervisor) nextSequence() (int, error) {
	all, err := s.records()
	if err != nil || len(all) == 0 {
		return 0, err
	}
	return all[len(all)-1].Sequence + 1, nil
}

// spawn starts the process of r and records what was started.
func (s *Supervisor) spawn(r record) error {
	if err := os.MkdirAll(filepath.Dir(s.LogPath(r.Name)), 0o700); err != nil {
		return err
	}
	log, err := os.OpenFile(s.LogPath(r.Name), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer func() { _ = log.Close() }() // the process has its own descriptor
	cmd := exec.Command(r.Path, r.Args...)
	if r.Through != "" {
		cmd = exec.Command(r.Through, append([]string{r.Path}, r.Args...)...)
	}
	cmd.Env = r.environment()
	cmd.Dir = r.Dir
	if cmd.Dir == "" {
		cmd.Dir = s.stateDir
	}
	cmd.Stdout, cmd.Stderr = log, log
	// Its own session: an interrupt at the terminal, or the end of the command that started
	// it, does not reach it.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("starting %s: %w", r.Name, err)
	}
	r.PID = cmd.Process.Pid
	running, err := lookUp(r.PID)
	if err == nil {
		r.Instance = running.instance
		err = s.write(r)
	}
	if err != nil { // it could never be ended again
		return errors.Join(fmt.Errorf("recording %s: %w", r.Name, err), cmd.Process.Kill(), ignoreExit(cmd.Wait()))
	}
	go func() { _ = cmd.Wait() }() // else it stays a zombie for as long as we live
	return nil
}

// ignoreExit leaves out of err that a process ended badly, which is what was asked of it.
func ignoreExit(err error) error {
	if _, ok := errors.AsType[*exec.ExitError](err); ok {
		return nil
	}
	return err
}

// alive says whether the very process that was started still runs.
func (r record) alive() bool {
	if r.PID == 0 {
		return false
	}
	running, err := lookUp(r.PID)
	return err == nil && running.instance == r.Instance && !running.dead
}

// end ends the process of r, and returns when it is gone.
func (r record) end(ctx context.Context) error {
	if r.PID == 0 {
		return nil
	}
	// The handle is taken before the look at who runs under the PID: it stays with that
	// process, so that no other can come in between the look and the signal.
	handle, err := os.FindProcess(r.PID)
	if err != nil {
		return err
	}
	defer func() { _ = handle.Release() }()
	if !r.alive() {
		return nil
	}
	if !r.KillAtOnce {
		if gone, err := r.signal(ctx, handle, syscall.SIGTERM, termGrace); gone || err != nil {
			return err
		}
	}
	gone, err := r.signal(ctx, handle, syscall.SIGKILL, killGrace)
	if err == nil && !gone {
		err = fmt.Errorf("%s (pid %d) is still there %s after SIGKILL", r.Name, r.PID, killGrace)
	}
	return err
}

// signal sends sig and waits for the process to go, for at most grace.
func (r record) signal(ctx context.Context, handle *os.Process, sig os.Signal, grace time.Duration) (gone bool, err error) {
	if err := handle.Signal(sig); errors.Is(err, os.ErrProcessDone) {
		return true, nil
	} else if err != nil {
		return false, fmt.Errorf("signalling %s (pid %d): %w", r.Name, r.PID, err)
	}
	limited, cancel := context.WithTimeout(ctx, grace)
	defer cancel()
	err = poll(limited, func(context.Context) error {
		if r.alive() {
			return errors.New("still alive")
		}
		return nil
	})
	return err == nil, ctx.Err()
}
