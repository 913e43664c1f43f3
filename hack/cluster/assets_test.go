package cluster

import (
	"context"
	"errors"
	"maps"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
	"time"
)

func modulesWith(files map[string]string) fstest.MapFS {
	fsys := fstest.MapFS{}
	for path, content := range files {
		fsys[path] = &fstest.MapFile{Data: []byte(content)}
	}
	return fsys
}

func TestCacheKey(t *testing.T) {
	base := map[string]string{"etcd/go.mod": "module a", "etcd/go.sum": "sum", "certmanager/main.go": "package main"}
	key := func(changed map[string]string, goVersion string) string {
		files := map[string]string{}
		for _, set := range []map[string]string{base, changed} {
			maps.Copy(files, set)
		}
		got, err := cacheKey(modulesWith(files), goVersion)
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
	original := key(nil, "go1.26.8")
	for name, test := range map[string]struct {
		changed   map[string]string
		goVersion string
		same      bool
	}{
		"the same sources have the same key":   {nil, "go1.26.8", true},
		"documentation does not matter":        {map[string]string{"README.md": "x", "etcd/.tmp": "y"}, "go1.26.8", true},
		"another version is another key":       {map[string]string{"etcd/go.mod": "module b"}, "go1.26.8", false},
		"another sum is another key":           {map[string]string{"etcd/go.sum": "other"}, "go1.26.8", false},
		"another program is another key":       {map[string]string{"certmanager/main.go": "package main // b"}, "go1.26.8", false},
		"a further module is another key":      {map[string]string{"more/go.mod": ""}, "go1.26.8", false},
		"another toolchain is another key":     {nil, "go1.26.9", false},
		"what moves between files is no match": {map[string]string{"etcd/go.mod": "module asum", "etcd/go.sum": ""}, "go1.26.8", false},
	} {
		t.Run(name, func(t *testing.T) {
			if got := key(test.changed, test.goVersion); (got == original) != test.same {
				t.Errorf("key %s, original %s; want same: %t", got, original, test.same)
			}
		})
	}
	if _, err := cacheKey(fstest.MapFS{}, "go1.26.8"); err == nil {
		t.Error("a folder without modules has a key")
	}
}

func TestModuleVersion(t *testing.T) {
	const goMod = "module x\n\ntool k8s.io/kubernetes/cmd/kubectl\n\nrequire (\n\tk8s.io/kubernetes v1.36.3 // indirect\n)\n\nreplace k8s.io/api => k8s.io/api v0.36.3\n"
	if got, err := moduleVersion(strings.NewReader(goMod), "k8s.io/kubernetes"); got != "v1.36.3" || err != nil {
		t.Errorf("moduleVersion = %q, %v", got, err)
	}
	if got, err := moduleVersion(strings.NewReader("require k8s.io/kubernetes v1.2.3"), "k8s.io/kubernetes"); got != "v1.2.3" || err != nil {
		t.Errorf("moduleVersion of a line = %q, %v", got, err)
	}
	if got, err := moduleVersion(strings.NewReader(goMod), "k8s.io/api"); err == nil {
		t.Errorf("moduleVersion of what is only replaced = %q", got)
	}
}

func TestPortsAreKept(t *testing.T) {
	file := filepath.Join(t.TempDir(), "ports.json")
	candidates := []int{100, 101, 101, 102}
	candidate := func() int {
		next := candidates[0]
		candidates = candidates[1:]
		return next
	}
	free := func(port int) bool { return port != 100 }
	for _, step := range []struct {
		name string
		want int
	}{{"a", 101}, {"b", 102}, {"a", 101}, {"b", 102}} {
		if got, err := keptPort(file, step.name, candidate, free); got != step.want || err != nil {
			t.Errorf("port of %s = %d, %v; want %d", step.name, got, err, step.want)
		}
	}
}

func TestPortsRunOut(t *testing.T) {
	never := func(int) bool { return false }
	if got, err := keptPort(filepath.Join(t.TempDir(), "ports.json"), "a", func() int { return 1 }, never); err == nil {
		t.Errorf("port = %d where none is free", got)
	}
}

func TestLockIsForOne(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	silent := func() { t.Error("waited for nobody") }
	unlock, err := lock(t.Context(), path, silent)
	if err != nil {
		t.Fatal(err)
	}
	limited, cancel := context.WithTimeout(t.Context(), 3*pollInterval)
	defer cancel()
	told := 0
	if _, err := lock(limited, path, func() { told++ }); !errors.Is(err, context.DeadlineExceeded) || told != 1 {
		t.Errorf("a second one: %v, told %d times; want a deadline, told once", err, told)
	}
	unlock()
	unlock, err = lock(t.Context(), path, silent)
	if err != nil {
		t.Fatal(err)
	}
	unlock()
}

func TestPollEndsWithTheLastError(t *testing.T) {
	limited, cancel := context.WithTimeout(t.Context(), 3*pollInterval)
	defer cancel()
	tries := 0
	err := poll(limited, func(context.Context) error { tries++; return errors.New("the door is shut") })
	if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "the door is shut") || tries < 2 {
		t.Errorf("err = %v after %d tries", err, tries)
	}
	begun := time.Now()
	err = poll(t.Context(), func(context.Context) error { return permanent(errors.New("no door")) })
	if err == nil || err.Error() != "no door" || time.Since(begun) > time.Minute {
		t.Errorf("err = %v", err)
	}
}
