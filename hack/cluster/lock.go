package cluster

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"syscall"
)

// lock takes the lock of that file, alone among all processes and goroutines, and calls
// waiting once if another has it. The kernel gives it back when a process ends, however it
// ends. The file itself stays: to remove it would let two hold the lock at once.
func lock(ctx context.Context, path string, waiting func()) (unlock func(), err error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, err
	}
	file, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	told := false
	err = poll(ctx, func(context.Context) error {
		err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		switch {
		case err == nil:
			return nil
		case !errors.Is(err, syscall.EWOULDBLOCK) && !errors.Is(err, syscall.EINTR):
			return permanent(&os.PathError{Op: "lock", Path: path, Err: err})
		case !told:
			told = true
			waiting()
		}
		return errors.New(path + " is locked by another process")
	})
	if err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return func() { _ = file.Close() }, nil // closing gives the lock back
}
