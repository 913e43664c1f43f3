//go:build !linux

package main

import (
	"errors"
	"time"
)

var errLinux = errors.New("make bench needs Linux: it pins processes to cores and reads /proc")

func cores() (server, load int, err error) { return 0, 0, errLinux }

func onCore(int, func() error) error { return errLinux }

func cpuTime(int) (time.Duration, error) { return 0, errLinux }

func peakMemory(int) (int64, error) { return 0, errLinux }
