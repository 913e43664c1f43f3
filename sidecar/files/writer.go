package files

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync/atomic"
	"time"

	"github.com/lanyard-dev/lanyard/sidecar/settings"
	"github.com/lanyard-dev/lanyard/sidecar/tokens"
)

const (
	tokensDir, boundDir = "tokens", "bound"
	// everybody may look into the folders: the mount is the boundary.
	folderMode = 0o755
	// againAfter is how long to wait after something could not be written.
	againAfter = time.Second
)

// Source holds the tokens.
type Source interface {
	// View returns what is held, and a channel that is closed when that changes.
	View() (*tokens.View, <-chan struct{})
}

// Config is what a Writer needs.
type Config struct {
	// Directory that the files are below.
	Directory string
	// Resources give the files their names.
	Resources []settings.Resource
	// Expose writes the certificate and its key beside each token.
	Expose bool
	// Mode of the files.
	Mode os.FileMode
	Log  *slog.Logger
}

// Writer keeps the files as they should be.
type Writer struct {
	cfg           Config
	tokens, bound *os.Root
	written       map[string]*tokens.Token // by resource
	generation    map[string]int           // of bound/<name>
	last          atomic.Pointer[tokens.View]
}

// Open makes the folders, and removes what an earlier process left in them.
func Open(cfg Config) (*Writer, error) {
	if err := os.MkdirAll(cfg.Directory, folderMode); err != nil {
		return nil, err
	}
	root, err := os.OpenRoot(cfg.Directory)
	if err != nil {
		return nil, err
	}
	defer func() { _ = root.Close() }()
	w := &Writer{cfg: cfg, written: map[string]*tokens.Token{}, generation: map[string]int{}}
	if w.tokens, err = empty(root, tokensDir); err != nil {
		return nil, err
	}
	if cfg.Expose {
		w.bound, err = empty(root, boundDir)
	} else {
		err = root.RemoveAll(boundDir)
	}
	return w, err
}

// empty makes a folder, instead of whatever is in its place, and holds it open.
func empty(root *os.Root, name string) (*os.Root, error) {
	if err := root.RemoveAll(name); err != nil {
		return nil, err
	}
	if err := root.Mkdir(name, folderMode); err != nil {
		return nil, err
	}
	dir, err := root.OpenRoot(name)
	if err != nil {
		return nil, err
	}
	// Whatever the umask is; but a group that folders hand on, as with fsGroup, stays.
	info, err := dir.Stat(".")
	if err == nil {
		err = dir.Chmod(".", folderMode|info.Mode()&os.ModeSetgid)
	}
	if err != nil {
		return nil, errors.Join(err, dir.Close())
	}
	return dir, nil
}

// Run writes what the source holds whenever that changes, until ctx ends.
func (w *Writer) Run(ctx context.Context, source Source) {
	for {
		view, changed := source.View()
		var again <-chan time.Time
		if err := w.Write(view); err != nil {
			w.cfg.Log.Error("tokens cannot be written; trying again", "directory", w.cfg.Directory, "error", err)
			again = time.After(againAfter)
		}
		select {
		case <-ctx.Done():
			return
		case <-changed:
		case <-again:
		}
	}
}

// Written says whether the files are those of view.
func (w *Writer) Written(view *tokens.View) bool { return w.last.Load() == view }

// Write makes the files those of view. It is called by one goroutine.
func (w *Writer) Write(view *tokens.View) error {
	var errs []error
	for _, r := range w.cfg.Resources {
		token := view.Tokens[r.Identifier]
		if token == w.written[r.Identifier] {
			continue
		}
		if err := w.replace(r.Name, token); err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", r.Name, err))
			continue
		}
		w.written[r.Identifier] = token
	}
	if len(errs) == 0 {
		w.last.Store(view)
	}
	return errors.Join(errs...)
}

// replace writes a resource's files; nil removes them.
func (w *Writer) replace(name string, token *tokens.Token) error {
	if token == nil {
		if w.bound != nil {
			if err := w.bound.Remove(name); err != nil && !errors.Is(err, os.ErrNotExist) {
				return err
			}
		}
		return w.tokens.RemoveAll(name)
	}
	if w.bound != nil {
		if err := w.switchBound(name, token); err != nil {
			return err
		}
	}
	// No file of the resource's name begins with a dot.
	temporary := "." + name
	if err := w.make(w.tokens, temporary, []byte(token.Value)); err != nil {
		return err
	}
	return w.tokens.Rename(temporary, name)
}

// make makes a file that is not there yet. What stands in its place is removed and never
// opened: O_EXCL follows no link.
func (w *Writer) make(root *os.Root, name string, text []byte) error {
	if err := root.RemoveAll(name); err != nil {
		return err
	}
	f, err := root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o400)
	if err != nil {
		return err
	}
	_, err = f.Write(text)
	return errors.Join(err, f.Chmod(w.cfg.Mode), f.Close()) // Chmod: whatever the umask is
}
