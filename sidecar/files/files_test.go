package files_test

import (
	"context"
	"crypto/tls"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lanyard-dev/lanyard/sidecar/files"
	"github.com/lanyard-dev/lanyard/sidecar/settings"
	"github.com/lanyard-dev/lanyard/sidecar/tokens"
	"github.com/lanyard-dev/lanyard/test/testcert"
)

const orders, billing = "api://orders", "api://billing"

// open opens a writer for two resources.
func open(t *testing.T, dir string, expose bool) *files.Writer {
	t.Helper()
	w, err := files.Open(files.Config{
		Directory: dir, Resources: []settings.Resource{{Name: "orders", Identifier: orders}, {Name: "orders.1", Identifier: billing}},
		Expose: expose, Mode: 0o440, Log: slog.New(slog.NewTextHandler(t.Output(), nil)),
	})
	if err != nil {
		t.Fatal(err)
	}
	return w
}

func write(t *testing.T, w *files.Writer, v *tokens.View) {
	t.Helper()
	if err := w.Write(v); err != nil {
		t.Fatal(err)
	}
}

// view holds tokens of a certificate.
func view(c *tls.Certificate, values ...string) *tokens.View {
	v := &tokens.View{Certificate: c, Tokens: map[string]*tokens.Token{}}
	for i, resource := range []string{orders, billing} {
		if i < len(values) {
			v.Tokens[resource] = &tokens.Token{Value: values[i], Resource: resource, Certificate: c}
		}
	}
	return v
}

// tree is every file below dir, links not followed, with what it holds or leads to.
func tree(t *testing.T, dir string) map[string]string {
	t.Helper()
	all := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		name := strings.TrimPrefix(path, dir+"/")
		switch {
		case err != nil || d.IsDir():
			return err
		case d.Type()&fs.ModeSymlink != 0:
			to, err := os.Readlink(path)
			all[name] = "-> " + to
			return err
		}
		text, err := os.ReadFile(path)
		all[name] = string(text)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func TestTokensAreFiles(t *testing.T) {
	dir := t.TempDir()
	w := open(t, dir, false)
	v := view(nil, "a", "b")
	write(t, w, v)
	if diff := cmp.Diff(map[string]string{"tokens/orders": "a", "tokens/orders.1": "b"}, tree(t, dir)); diff != "" {
		t.Error(diff)
	}
	if !w.Written(v) || w.Written(view(nil)) {
		t.Error("it does not know what is written")
	}
	info, err := os.Stat(filepath.Join(dir, "tokens/orders"))
	if err != nil || info.Mode() != 0o440 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	write(t, w, view(nil, "c")) // and no token for billing any more
	if diff := cmp.Diff(map[string]string{"tokens/orders": "c"}, tree(t, dir)); diff != "" {
		t.Error(diff)
	}
}

// TestRefusesOthersTheTokenFiles: the mode is what was asked for, whatever the umask is.
func TestRefusesOthersTheTokenFiles(t *testing.T) {
	old := syscall.Umask(0o077)
	defer syscall.Umask(old)
	dir := filepath.Join(t.TempDir(), "made")
	write(t, open(t, dir, true), view(certificate(t), "a"))
	for name, want := range map[string]os.FileMode{"tokens": 0o755, "tokens/orders": 0o440, "bound/orders/": 0o755, "bound/orders/tls.key": 0o440} {
		if info, err := os.Stat(filepath.Join(dir, name)); err != nil || info.Mode().Perm() != want {
			t.Errorf("%s: %v, %v", name, info.Mode(), err)
		}
	}
}

func TestABoundTokenIsSwitchedAsAWhole(t *testing.T) {
	dir := t.TempDir()
	w := open(t, dir, true)
	first, second := certificate(t), certificate(t)
	write(t, w, view(first, "a", "b"))
	before, err := filepath.EvalSymlinks(filepath.Join(dir, "bound/orders"))
	if err != nil {
		t.Fatal(err)
	}
	check := func(folder, token string, want *tls.Certificate) {
		t.Helper()
		text, err := os.ReadFile(filepath.Join(folder, "token"))
		if err != nil || string(text) != token {
			t.Errorf("token %q, %v", text, err)
		}
		pair, err := tls.LoadX509KeyPair(filepath.Join(folder, "tls.crt"), filepath.Join(folder, "tls.key"))
		if err != nil || tokens.Thumbprint(&pair) != tokens.Thumbprint(want) {
			t.Errorf("another certificate, %v", err)
		}
	}
	check(before, "a", first)
	write(t, w, view(second, "c", "d"))
	check(filepath.Join(dir, "bound/orders"), "c", second)
	check(before, "a", first) // for who has just followed the link
	write(t, w, view(second, "e", "f"))
	check(filepath.Join(dir, "bound/orders"), "e", second)
	if _, err := os.Stat(before); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("what is two switches old is still there, %v", err)
	}
	write(t, w, view(second))
	for name := range tree(t, dir) {
		if name == "bound/orders" || name == "tokens/orders" {
			t.Errorf("%s is there without a token", name)
		}
	}
}

// Readers all the time see a whole token, and never none.
func TestReadersNeverSeeHalfOfIt(t *testing.T) {
	dir := t.TempDir()
	w := open(t, dir, true)
	pair := certificate(t)
	values := []string{strings.Repeat("a", 4000), strings.Repeat("b", 4000)}
	write(t, w, view(pair, values[0], values[0]))
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	for range 2 {
		wg.Go(func() {
			for ctx.Err() == nil {
				for _, name := range []string{"tokens/orders", "bound/orders.1/token"} {
					if text, err := os.ReadFile(filepath.Join(dir, name)); err != nil || !slices.Contains(values, string(text)) {
						t.Errorf("%s: %d bytes, %v", name, len(text), err)
						return
					}
				}
			}
		})
	}
	for i := range 60 {
		write(t, w, view(pair, values[i%2], values[i%2]))
	}
	cancel()
	wg.Wait()
}

func TestNothingOfAnEarlierProcessIsLeft(t *testing.T) {
	dir := t.TempDir()
	write(t, open(t, dir, true), view(certificate(t), "old", "old"))
	open(t, dir, false) // with other settings
	if diff := cmp.Diff(map[string]string{}, tree(t, dir)); diff != "" {
		t.Error(diff)
	}
}

// TestRefusesToFollowAPlantedLink: whatever somebody who can write into the volume puts
// where the files go, nothing outside is read, changed or removed.
func TestRefusesToFollowAPlantedLink(t *testing.T) {
	for name, plant := range map[string]func(t *testing.T, dir, victim string){
		"instead of tokens": func(t *testing.T, dir, victim string) { t.Helper(); link(t, victim, filepath.Join(dir, "tokens")) },
		"instead of bound":  func(t *testing.T, dir, victim string) { t.Helper(); link(t, victim, filepath.Join(dir, "bound")) },
		"before the start": func(t *testing.T, dir, victim string) {
			t.Helper()
			if err := os.Mkdir(filepath.Join(dir, "tokens"), 0o755); err != nil {
				t.Fatal(err)
			}
			link(t, filepath.Join(victim, "file"), filepath.Join(dir, "tokens", "orders"))
			link(t, filepath.Join(victim, "file"), filepath.Join(dir, "tokens", ".orders"))
		},
	} {
		t.Run(name, func(t *testing.T) {
			dir, victim := t.TempDir(), newVictim(t)
			plant(t, dir, victim)
			w := open(t, dir, true)
			write(t, w, view(certificate(t), "a", "b"))
			intact(t, victim)
		})
	}
	t.Run("while it runs", func(t *testing.T) {
		dir, victim := t.TempDir(), newVictim(t)
		w := open(t, dir, true)
		write(t, w, view(certificate(t), "a", "b"))
		for _, name := range []string{"tokens/.orders", "bound/.orders", "bound/..orders.2"} {
			link(t, victim, filepath.Join(dir, name))
		}
		for _, name := range []string{"tokens/orders", "bound/orders", "bound/..orders.1"} {
			if err := os.RemoveAll(filepath.Join(dir, name)); err != nil {
				t.Fatal(err)
			}
			link(t, victim, filepath.Join(dir, name))
		}
		write(t, w, view(certificate(t), "c", "d"))
		intact(t, victim)
		if text, err := os.ReadFile(filepath.Join(dir, "tokens/orders")); err != nil || string(text) != "c" {
			t.Errorf("the token is %q, %v", text, err)
		}
		// The folder itself: what was opened stays open.
		if err := os.Rename(filepath.Join(dir, "tokens"), filepath.Join(dir, "away")); err != nil {
			t.Fatal(err)
		}
		link(t, victim, filepath.Join(dir, "tokens"))
		write(t, w, view(certificate(t), "e", "f"))
		intact(t, victim)
	})
}

func TestRunWritesWhatChanges(t *testing.T) {
	dir := t.TempDir()
	w := open(t, dir, false)
	s := &source{view: view(nil, "a"), changed: make(chan struct{})}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); w.Run(ctx, s) }()
	defer func() { cancel(); <-done }()
	for _, value := range []string{"b", "c"} {
		v := view(nil, value)
		s.set(v)
		for deadline := time.Now().Add(time.Minute); !w.Written(v); time.Sleep(time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatal("it is not written")
			}
		}
		if diff := cmp.Diff(map[string]string{"tokens/orders": value}, tree(t, dir)); diff != "" {
			t.Error(diff)
		}
	}
}

type source struct {
	mu      sync.Mutex
	view    *tokens.View
	changed chan struct{}
}

// View implements files.Source.
func (s *source) View() (*tokens.View, <-chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.view, s.changed
}

func (s *source) set(v *tokens.View) {
	s.mu.Lock()
	defer s.mu.Unlock()
	close(s.changed)
	s.view, s.changed = v, make(chan struct{})
}

func newVictim(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "file"), []byte("victim"), 0o600); err != nil {
		t.Fatal(err)
	}
	return dir
}

func intact(t *testing.T, victim string) {
	t.Helper()
	if diff := cmp.Diff(map[string]string{"file": "victim"}, tree(t, victim)); diff != "" {
		t.Errorf("the link was followed: %s", diff)
	}
}

func link(t *testing.T, to, name string) {
	t.Helper()
	if err := os.Symlink(to, name); err != nil {
		t.Fatal(err)
	}
}

func certificate(t *testing.T) *tls.Certificate {
	t.Helper()
	c := testcert.New(t, "checkout")
	return &c
}
