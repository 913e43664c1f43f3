package cluster

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// shell is a process that runs a line of shell.
func shell(t *testing.T, name, line string) Process {
	t.Helper()
	sh, err := exec.LookPath("sh")
	if err != nil {
		t.Fatal(err)
	}
	return Process{Name: name, Path: sh, Args: []string{"-c", line}}
}

// supervise returns a Supervisor whose processes end with the test.
func supervise(t *testing.T) *Supervisor {
	t.Helper()
	s := Supervise(t.TempDir())
	t.Cleanup(func() {
		if err := s.StopAll(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return s
}

func pidOf(t *testing.T, s *Supervisor, name string) int {
	t.Helper()
	r, err := s.read(name)
	if err != nil {
		t.Fatal(err)
	}
	return r.PID
}

// A PID is used again for a process of somebody else: that one must never be signalled.
func TestStopProcessSparesAStrangerWithTheSamePID(t *testing.T) {
	for name, forge := range map[string]func(instance) instance{
		"that started at another time": func(i instance) instance { i.StartTime++; return i },
		"that runs in another boot":    func(i instance) instance { i.BootID = "another"; return i },
	} {
		t.Run(name, func(t *testing.T) {
			stranger := exec.CommandContext(t.Context(), "sleep", "600")
			if err := stranger.Start(); err != nil {
				t.Fatal(err)
			}
			ended := make(chan struct{})
			go func() { _ = stranger.Wait(); close(ended) }()
			found, err := lookUp(stranger.Process.Pid)
			if err != nil {
				t.Fatal(err)
			}
			s := Supervise(t.TempDir())
			r := record{Process: shell(t, "mine", "exit"), PID: stranger.Process.Pid, Instance: forge(found.instance)}
			r.KillAtOnce = true
			if err := s.write(r); err != nil {
				t.Fatal(err)
			}
			if s.Alive("mine") {
				t.Error("the stranger counts as the process")
			}
			if err := s.StopAll(t.Context()); err != nil {
				t.Fatal(err)
			}
			if after, err := lookUp(stranger.Process.Pid); err != nil || after.dead || after.instance != found.instance {
				t.Errorf("the stranger was signalled: %+v, %v", after, err)
			}
			if err := stranger.Process.Kill(); err != nil {
				t.Fatal(err)
			}
			<-ended
		})
	}
}

func TestStartProcessLeavesARunningOneAlone(t *testing.T) {
	s := supervise(t)
	p := shell(t, "one", "sleep 600")
	if err := s.StartProcess(t.Context(), p); err != nil {
		t.Fatal(err)
	}
	first := pidOf(t, s, "one")
	if err := s.StartProcess(t.Context(), p); err != nil {
		t.Fatal(err)
	}
	if again := pidOf(t, s, "one"); again != first || !s.Alive("one") {
		t.Errorf("pid %d became %d", first, again)
	}
	p.Env = []string{"A=b"}
	if err := s.StartProcess(t.Context(), p); err != nil {
		t.Fatal(err)
	}
	if changed := pidOf(t, s, "one"); changed == first {
		t.Error("a changed process was not started anew")
	}
}

func TestRestartRunsTheSameAgain(t *testing.T) {
	s := supervise(t)
	p := shell(t, "one", `echo "$A in $(pwd)"; sleep 600`)
	p.Env, p.Dir = []string{"A=hello"}, t.TempDir()
	if err := s.StartProcess(t.Context(), p); err != nil {
		t.Fatal(err)
	}
	said := func(times int) func(context.Context) error {
		return func(context.Context) error {
			log, err := os.ReadFile(s.LogPath("one"))
			if got := strings.Count(string(log), "hello in "+p.Dir); err == nil && got != times {
				err = fmt.Errorf("said %d times", got)
			}
			return err
		}
	}
	limited, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if err := s.WaitReady(limited, "one", said(1)); err != nil {
		t.Fatal(err)
	}
	first := pidOf(t, s, "one")
	if err := s.Restart(t.Context(), "one"); err != nil {
		t.Fatal(err)
	}
	if err := s.WaitReady(limited, "one", said(2)); err != nil || pidOf(t, s, "one") == first {
		t.Errorf("pid %d then %d, %v", first, pidOf(t, s, "one"), err)
	}
}

func TestRestartOfWhatNeverStartedSaysSo(t *testing.T) {
	err := Supervise(t.TempDir()).Restart(t.Context(), "nothing")
	if err == nil || !strings.Contains(err.Error(), `no process "nothing" was ever started`) {
		t.Errorf("err = %v", err)
	}
}

func TestStopProcessKillsWhatIgnoresTheSignal(t *testing.T) {
	s := supervise(t)
	p := shell(t, "deaf", "trap '' TERM; while :; do sleep 0.1; done")
	p.KillAtOnce = true
	if err := s.StartProcess(t.Context(), p); err != nil {
		t.Fatal(err)
	}
	if err := s.StopProcess(t.Context(), "deaf"); err != nil || s.Alive("deaf") {
		t.Errorf("alive %t, %v", s.Alive("deaf"), err)
	}
}

func TestStopAllEndsTheLastFirst(t *testing.T) {
	s := supervise(t)
	order := filepath.Join(t.TempDir(), "order")
	for _, name := range []string{"zebra", "ape", "mole"} { // not the order of the alphabet
		line := fmt.Sprintf(`trap 'echo %s >>%s; exit' TERM; echo up; while :; do sleep 0.05; done`, name, order)
		if err := s.StartProcess(t.Context(), shell(t, name, line)); err != nil {
			t.Fatal(err)
		}
		up := func(context.Context) error {
			log, err := os.ReadFile(s.LogPath(name))
			if err == nil && !strings.Contains(string(log), "up") {
				err = errors.New("trap not set yet")
			}
			return err
		}
		if err := s.WaitReady(t.Context(), name, up); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.StopAll(t.Context()); err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(order)
	if diff := cmp.Diff("mole\nape\nzebra\n", string(got)); diff != "" || err != nil {
		t.Errorf("%v, order (-want +got):\n%s", err, diff)
	}
}

func TestWaitReadyTellsWhyAProcessDied(t *testing.T) {
	s := supervise(t)
	if err := s.StartProcess(t.Context(), shell(t, "broken", "echo cannot open the door >&2; exit 3")); err != nil {
		t.Fatal(err)
	}
	err := s.WaitReady(t.Context(), "broken", func(context.Context) error { return errors.New("not yet") })
	for _, want := range []string{"broken is not ready", "it has died", "cannot open the door", s.LogPath("broken")} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("err = %v; want it to say %q", err, want)
		}
	}
}

func TestStartProcessRefusesWhatItCannotRun(t *testing.T) {
	for name, p := range map[string]Process{
		"a name that leaves the folder": {Name: "../x", Path: "/bin/sh"},
		"no name":                       {Path: "/bin/sh"},
		"a relative path":               {Name: "x", Path: "sh"},
		"a path where nothing is":       {Name: "x", Path: "/nonexistent/program"},
	} {
		t.Run(name, func(t *testing.T) {
			if err := Supervise(t.TempDir()).StartProcess(t.Context(), p); err == nil {
				t.Error("started")
			}
		})
	}
}
