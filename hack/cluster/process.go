package cluster

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// Process says how one supervised process is run. It is kept in
// <state>/processes/<name>.json, so that a later command can start the same process again.
type Process struct {
	// Name is the process's own, unique in its state folder; its log is <state>/logs/<name>.log.
	Name string `json:"name"`
	// Path is the absolute path of the program.
	Path string `json:"path"`
	// Through is the absolute path of a script that is given the program and its arguments,
	// and must become it (exec). Empty: none.
	Through string `json:"through,omitempty"`
	// Args are the arguments, without the program's name.
	Args []string `json:"args,omitempty"`
	// Env is added to PATH, HOME and TMPDIR, which is all that a process inherits: what else
	// stands in the shell of whoever started the demo is none of its business, and would
	// be different at a restart from another shell.
	Env []string `json:"env,omitempty"`
	// Dir is the working directory; empty means the state folder.
	Dir string `json:"dir,omitempty"`
	// KillAtOnce ends the process with SIGKILL, without SIGTERM first. For processes that
	// lose nothing by it and take long to end in good order, such as kube-apiserver.
	KillAtOnce bool `json:"killAtOnce,omitempty"`
}

// record is a Process and the running instance of it.
type record struct {
	Process
	// Sequence gives the order of first starts; StopAll goes through it backwards.
	Sequence int `json:"sequence"`
	// PID is 0 if the process was never started, or was stopped.
	PID int `json:"pid,omitempty"`
	// Instance tells this process from a later one that was given the same PID.
	Instance instance `json:"instance,omitzero"`
}

// instance identifies what runs under a PID: PIDs are used again, and come back after a reboot.
type instance struct {
	// StartTime is the kernel's start time of the process, in clock ticks since boot.
	StartTime uint64 `json:"startTime"`
	// BootID is the kernel's random identity of this boot.
	BootID string `json:"bootID"`
}

var validName = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$`)

func (p Process) validate() error {
	if !validName.MatchString(p.Name) {
		return fmt.Errorf("process name %q: use lower-case letters, digits and '-'", p.Name)
	}
	if !filepath.IsAbs(p.Path) {
		return fmt.Errorf("process %s: path %q is not absolute", p.Name, p.Path)
	}
	return nil
}

func (p Process) equal(q Process) bool {
	return p.Name == q.Name && p.Path == q.Path && p.Through == q.Through && p.Dir == q.Dir && p.KillAtOnce == q.KillAtOnce &&
		slices.Equal(p.Args, q.Args) && slices.Equal(p.Env, q.Env)
}

// environment is the whole environment of the process.
func (p Process) environment() []string {
	var env []string
	for _, name := range []string{"PATH", "HOME", "TMPDIR"} {
		if value, ok := os.LookupEnv(name); ok {
			env = append(env, name+"="+value)
		}
	}
	return append(env, p.Env...)
}

func (s *Supervisor) recordPath(name string) string {
	return filepath.Join(s.stateDir, "processes", name+".json")
}

// LogPath is where the process of that name logs.
func (s *Supervisor) LogPath(name string) string {
	return filepath.Join(s.stateDir, "logs", name+".log")
}

// read returns the record of a process; its error is [fs.ErrNotExist] if there is none.
func (s *Supervisor) read(name string) (record, error) {
	var r record
	if !validName.MatchString(name) {
		return r, fmt.Errorf("process name %q: use lower-case letters, digits and '-'", name)
	}
	data, err := os.ReadFile(s.recordPath(name))
	if err != nil {
		return r, err
	}
	if err := json.Unmarshal(data, &r); err != nil {
		return r, fmt.Errorf("%s: %w", s.recordPath(name), err)
	}
	return r, nil
}

func (s *Supervisor) write(r record) error {
	data, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	return writeFileAtomically(s.recordPath(r.Name), append(data, '\n'))
}

// records returns all records in the order of first starts.
func (s *Supervisor) records() ([]record, error) {
	entries, err := os.ReadDir(filepath.Join(s.stateDir, "processes"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var all []record
	for _, entry := range entries {
		name, isRecord := strings.CutSuffix(entry.Name(), ".json")
		if !isRecord {
			continue
		}
		r, err := s.read(name)
		if err != nil {
			return nil, err
		}
		all = append(all, r)
	}
	slices.SortFunc(all, func(a, b record) int { return a.Sequence - b.Sequence })
	return all, nil
}

// writeFileAtomically replaces a private file: a reader sees the old or the new one, whole.
func writeFileAtomically(path string, data []byte) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	temp, err := os.CreateTemp(filepath.Dir(path), ".tmp-*")
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(temp.Name()) }() // gone already after the rename
	_, err = temp.Write(data)
	if err := errors.Join(err, temp.Close()); err != nil {
		return err
	}
	return os.Rename(temp.Name(), path)
}
