package httpapi_test

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lanyard-dev/lanyard/issuer/httpapi"
)

// paper is what a journal writes to.
type paper struct {
	mu sync.Mutex
	bytes.Buffer
	writes int
	err    error
}

func (p *paper) read() (writes int, text string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.writes, p.String()
}

func (p *paper) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.writes++
	if p.err != nil {
		return 0, p.err
	}
	return p.Buffer.Write(b)
}

func TestJournalWritesLinesTogetherAndLosesNone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &paper{}
		j := httpapi.NewJournal(p)
		var wg sync.WaitGroup
		for i := range 100 {
			wg.Go(func() {
				if _, err := fmt.Fprintf(j, "line %d\n", i); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if writes, _ := p.read(); writes != 0 {
			t.Errorf("%d writes at once", writes)
		}
		time.Sleep(time.Millisecond)
		synctest.Wait()
		if writes, text := p.read(); writes != 1 || strings.Count(text, "\n") != 100 {
			t.Errorf("%d writes of %d lines a millisecond later", writes, strings.Count(text, "\n"))
		}
		_, _ = j.Write([]byte("the next\n"))
		time.Sleep(time.Millisecond)
		synctest.Wait()
		if writes, text := p.read(); writes != 2 || !strings.HasSuffix(text, "the next\n") {
			t.Errorf("the next line: %d writes", writes)
		}
	})
}

func TestJournalIsWrittenAtTheEndAndWhenItIsFull(t *testing.T) {
	p := &paper{}
	j := httpapi.NewJournal(p)
	line := bytes.Repeat([]byte("x"), 100<<10)
	for range 3 {
		_, _ = j.Write(line)
	}
	if p.Len() != 3*len(line) {
		t.Errorf("%d bytes are written of what is too much to wait", p.Len())
	}
	_, _ = j.Write([]byte("last"))
	if err := j.Flush(); err != nil || !strings.HasSuffix(p.String(), "last") {
		t.Errorf("at the end: %v", err)
	}
}

func TestJournalTellsOfAnError(t *testing.T) {
	p := &paper{err: errors.New("the disk is full")}
	j := httpapi.NewJournal(p)
	_, _ = j.Write([]byte("lost"))
	if err := j.Flush(); !errors.Is(err, p.err) {
		t.Errorf("got %v", err)
	}
	if _, err := j.Write([]byte("next")); !errors.Is(err, p.err) {
		t.Errorf("who writes next is told %v", err)
	}
}
