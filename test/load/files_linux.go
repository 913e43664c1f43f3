package main

import "golang.org/x/sys/unix"

// wantedFiles is what 10,000 connections and all else take.
const wantedFiles = 11_000

// openFiles is how many files a process may have open. Go raises the soft limit to
// the hard one by itself.
func openFiles() (most uint64, enough bool) {
	var l unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &l); err != nil {
		return 0, false
	}
	return l.Max, l.Max >= wantedFiles
}
