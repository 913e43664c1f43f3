package demo

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"syscall"

	"github.com/lanyard-dev/lanyard/hack/cluster"
)

// Open returns the demo of a state folder as it is, without starting anything.
func Open(o Options) (*Demo, error) {
	d, err := newDemo(o)
	if err != nil {
		return nil, err
	}
	if err := d.ours(); err != nil {
		return nil, err
	}
	if d.cluster, err = cluster.Open(d.dir); err != nil {
		return nil, err
	}
	d.assets.Dir = d.cluster.BinDir()
	return d, nil
}

// Down ends every process of the demo and removes its folder. Only processes that a demo of
// this folder has started are signalled.
func (d *Demo) Down(ctx context.Context) error {
	release, err := d.lock()
	if err != nil {
		return err
	}
	defer release()
	if err := d.cluster.Stop(ctx, d.tell.progress()); err != nil {
		return fmt.Errorf("%w; %s was left as it is", err, d.dir)
	}
	if err := os.RemoveAll(d.dir); err != nil {
		return err
	}
	d.tell.line("the demo is ended, and %s removed", d.shown)
	return nil
}

// Restart ends one process, starts it as it was started, and returns when it is ready.
func (d *Demo) Restart(ctx context.Context, name string) error {
	release, err := d.lock()
	if err != nil {
		return err
	}
	defer release()
	if err := d.cluster.Restart(ctx, name, d.tell.progress()); err != nil {
		return err
	}
	programs, err := d.programs()
	if err != nil {
		return err
	}
	for _, p := range programs {
		if p.Name == name {
			return d.waitReady(ctx, p)
		}
	}
	return nil // one of the cluster's, which waits itself
}

// Status tells how each process stands. Its error names those that do not run.
func (d *Demo) Status() error {
	list, err := d.cluster.Supervisor().List()
	if err != nil {
		return err
	}
	var stopped []string
	for _, process := range list {
		state := fmt.Sprintf("running  pid %d", process.PID)
		if !process.Alive {
			state = "stopped"
			stopped = append(stopped, process.Name)
		}
		d.tell.line("%-26s %-20s %s", process.Name, state, process.Log)
	}
	if len(stopped) > 0 {
		return fmt.Errorf("not running: %s; make demo starts them again", strings.Join(stopped, ", "))
	}
	return nil
}

// lock keeps a second command off the state folder. The kernel gives the lock back when a
// process ends, however it ends.
func (d *Demo) lock() (release func(), err error) {
	file, err := os.OpenFile(d.path(marker), os.O_RDWR, 0)
	if err != nil {
		return nil, err
	}
	err = syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		err = fmt.Errorf("another command works on the demo in %s: wait for it, or end it", d.dir)
	}
	if err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return func() { _ = file.Close() }, nil // closing gives the lock back
}
