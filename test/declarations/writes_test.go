package declarations

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"path"
	"strings"
	"sync"
	"testing"
	"time"

	eventsv1 "k8s.io/api/events/v1"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"

	"github.com/lanyard-dev/lanyard/test/testenv"
)

// writes counts what the controllers write, by the object that it is about: an event is
// about the object that it regards. What the API server refuses counts, too.
type writes struct {
	mu    sync.Mutex
	about map[string]int    // by kind and namespace/name
	event map[string]string // by path: what an event is about
	last  time.Time
	wrong []string
}

// counted returns config with its writes counted.
func counted(config *rest.Config) (*rest.Config, *writes) {
	w := &writes{about: map[string]int{}, event: map[string]string{}}
	config = rest.CopyConfig(config)
	config.Wrap(func(next http.RoundTripper) http.RoundTripper { return transport{w, next} })
	return config, w
}

type transport struct {
	*writes
	next http.RoundTripper
}

func (t transport) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Method != http.MethodGet {
		if err := t.count(r); err != nil {
			t.fail(err)
		}
	}
	return t.next.RoundTrip(r)
}

// count counts a request whose path is that of an object: …/namespaces/<namespace>/<kind>
// and, but for what is created, /<name>[/status].
func (w *writes) count(r *http.Request) error {
	_, rest, _ := strings.Cut(r.URL.Path, "/namespaces/")
	part := strings.Split(rest, "/")
	var about string
	switch {
	case len(part) == 2 && part[1] == "events":
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return err
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		o, _, err := clientgoscheme.Codecs.UniversalDeserializer().Decode(body, nil, nil)
		e, ok := o.(*eventsv1.Event)
		if err != nil || !ok {
			return fmt.Errorf("%s %s with %T: %w", r.Method, r.URL.Path, o, err)
		}
		about = strings.ToLower(e.Regarding.Kind) + "s " + e.Regarding.Namespace + "/" + e.Regarding.Name
		w.remember(path.Join(r.URL.Path, e.Name), about)
	case len(part) == 3 && part[1] == "events":
		about = w.eventAt(r.URL.Path)
	case len(part) >= 3:
		about = part[1] + " " + part[0] + "/" + part[2]
	default:
		return fmt.Errorf("%s %s is about no object", r.Method, r.URL.Path)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.about[about]++
	w.last = time.Now()
	return nil
}

func (w *writes) remember(path, about string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.event[path] = about
}

func (w *writes) eventAt(path string) string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.event[path]
}

func (w *writes) fail(err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.wrong = append(w.wrong, err.Error())
}

// quiet is for how long nothing was written when a change counts as worked off: longer
// than any status waits for others, and than a busy machine lets an event wait.
const quiet = 2500 * time.Millisecond

// since waits until nothing more is written, and returns what was since it was last
// asked, with what was written in all.
func (w *writes) since(t *testing.T) (about map[string]int, sum int) {
	t.Helper()
	asked := time.Now()
	testenv.EventuallyWithin(t, 3*time.Minute, func(context.Context) error {
		w.mu.Lock()
		defer w.mu.Unlock()
		if idle := time.Since(w.last); idle < quiet || time.Since(asked) < quiet {
			return fmt.Errorf("the last write was %s ago", idle)
		}
		return nil
	})
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, wrong := range w.wrong {
		t.Error(wrong)
	}
	about, w.about, w.wrong = w.about, map[string]int{}, nil
	for _, n := range about {
		sum += n
	}
	return about, sum
}

// atMostTwo waits until a change is worked off, and reports objects that more than two
// writes are about: its status, and an event.
func (w *writes) atMostTwo(t *testing.T, change string) (sum int) {
	t.Helper()
	about, sum := w.since(t)
	for object, n := range about {
		if n > 2 {
			t.Errorf("%s: %d writes about %s; want at most 2", change, n, object)
		}
	}
	return sum
}
