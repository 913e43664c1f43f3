package httpapi

import (
	"io"
	"sync"
	"time"
)

const (
	// journalDelay is how long a line waits for others. A write costs as much as a
	// twentieth of a token; at a few thousand lines a second most need none of their own.
	journalDelay = time.Millisecond
	// maxJournal is how much may wait: whoever writes more waits until that is written.
	maxJournal = 256 << 10
)

// Journal is a log's writer that hands lines on together, a millisecond after the
// first of them at the latest, in their order. Only a process that is killed in that
// millisecond loses any: Flush before the end.
type Journal struct {
	to io.Writer

	mu      sync.Mutex
	waiting []byte
	timer   *time.Timer
	err     error
}

// NewJournal returns the journal of to.
func NewJournal(to io.Writer) *Journal {
	j := &Journal{to: to}
	j.timer = time.AfterFunc(time.Hour, func() { _ = j.Flush() }) // an error is told to whoever writes next
	j.timer.Stop()
	return j
}

// Write implements io.Writer. The error is one of an earlier line: this one is written
// later.
func (j *Journal) Write(line []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if len(j.waiting) == 0 {
		j.timer.Reset(journalDelay)
	}
	j.waiting = append(j.waiting, line...)
	if len(j.waiting) > maxJournal {
		j.flush()
	}
	err := j.err
	j.err = nil
	return len(line), err
}

// Flush writes what waits.
func (j *Journal) Flush() error {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.flush()
	return j.err
}

func (j *Journal) flush() {
	if len(j.waiting) == 0 {
		return
	}
	if _, err := j.to.Write(j.waiting); err != nil {
		j.err = err
	}
	j.waiting = j.waiting[:0]
}
