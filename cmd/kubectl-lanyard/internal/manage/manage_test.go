package manage

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	eventsv1 "k8s.io/api/events/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/lanyard-dev/lanyard/api/v1alpha1"
	"github.com/lanyard-dev/lanyard/cmd/kubectl-lanyard/internal/cli"
)

var noon = time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)

func event(name, reason string, at time.Duration) eventsv1.Event {
	return eventsv1.Event{ObjectMeta: metav1.ObjectMeta{Name: name}, Reason: reason, EventTime: metav1.MicroTime{Time: noon.Add(at)}}
}

func TestProgressOfACommand(t *testing.T) {
	again := event("d", eventNotDropped, -time.Hour)
	again.Series = &eventsv1.EventSeries{Count: 2, LastObservedTime: metav1.MicroTime{Time: noon}}
	tests := map[string]struct {
		waits            bool
		before, now      []eventsv1.Event
		carried, refused bool
		events           []string
	}{
		"nothing yet":                           {waits: true},
		"carried out, and not told yet":         {carried: true},
		"what was told before is not told":      {before: []eventsv1.Event{event("a", "x", 0)}, now: []eventsv1.Event{event("a", "x", 0)}, carried: true},
		"the oldest is told first":              {now: []eventsv1.Event{event("b", "made", 2), event("a", "dropped", 1)}, carried: true, events: []string{"dropped", "made"}},
		"a key that is none":                    {waits: true, now: []eventsv1.Event{event("d", eventNotDropped, 0)}, refused: true, events: []string{eventNotDropped}},
		"a key that is none, for a second time": {waits: true, before: []eventsv1.Event{event("d", eventNotDropped, -time.Hour)}, now: []eventsv1.Event{again}, refused: true, events: []string{eventNotDropped}},
		"another's command was refused":         {now: []eventsv1.Event{event("d", eventNotDropped, 0)}, carried: true, events: []string{eventNotDropped}},
	}
	for sentence, test := range tests {
		t.Run(sentence, func(t *testing.T) {
			got := progressOf(test.waits, test.before, test.now)
			var told []string
			for _, e := range got.events {
				told = append(told, e.Reason)
			}
			if got.carried != test.carried || got.refused != test.refused {
				t.Errorf("carried %t, refused %t; want %t, %t", got.carried, got.refused, test.carried, test.refused)
			}
			if diff := cmp.Diff(test.events, told); diff != "" {
				t.Errorf("events (-want +got):\n%s", diff)
			}
		})
	}
}

func TestKeyIDs(t *testing.T) {
	for kid, want := range map[string]bool{
		"current": true, "n4bQgYhMfWWaL-qgxVrQFaO_TxsrC4Is0V1sFbDwCgg": true,
		"": false, "a b": false, "a,b": false, strings.Repeat("a", 65): false, "\x1b[2K": false,
	} {
		if plausible(kid) != want {
			t.Errorf("plausible(%q) = %t", kid, !want)
		}
	}
}

func TestSubjects(t *testing.T) {
	tests := map[string]struct{ kind, name string }{
		"checkout":              {"OAuthClient", "checkout"},
		"shop/checkout":         {"OAuthClient", "shop/checkout"},
		"client/checkout":       {"OAuthClient", "checkout"},
		"oac/shop/checkout":     {"OAuthClient", "shop/checkout"},
		"resource/orders":       {"ProtectedResource", "orders"},
		"pres/orders/orders":    {"ProtectedResource", "orders/orders"},
		"Resource/orders":       {"ProtectedResource", "orders"},
		"resources/a/b":         {"ProtectedResource", "a/b"},
		"protectedresource/a":   {"ProtectedResource", "a"},
		"somewhere/resource":    {"OAuthClient", "somewhere/resource"},
		"clients/somewhere/one": {"OAuthClient", "somewhere/one"},

		"oauthclient.lanyard.dev/checkout": {"OAuthClient", "checkout"},
	}
	for arg, want := range tests {
		of, name, err := subjectOf(arg)
		if of.kind != want.kind || name != want.name || err != nil {
			t.Errorf("%s is %s %s, %v; want %+v", arg, of.kind, name, err, want)
		}
	}
	for _, arg := range []string{"role/x", "Roles/x", "approle.lanyard.dev/x", "assignment/x", "certificate/x"} {
		if of, _, err := subjectOf(arg); err == nil || !strings.Contains(err.Error(), "only clients and resources can") {
			t.Errorf("%s is %s, %v; want it refused", arg, of.kind, err)
		}
	}
}

// The Secret holds what makes every token. Whoever rotates keys has no need to see them:
// not a request asks for more than metadata, and none but the patch writes.
func TestRotateAsksForMetadataAlone(t *testing.T) {
	var mu sync.Mutex
	var asked []string
	waits := true
	answer := func(w io.Writer, o any) {
		if err := json.NewEncoder(w).Encode(o); err != nil {
			t.Error(err)
		}
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		w.Header().Set("Content-Type", "application/json")
		if strings.Contains(r.URL.Path, "/events") {
			answer(w, eventsv1.EventList{})
			return
		}
		body, _ := io.ReadAll(r.Body)
		asked = append(asked, r.Method)
		// Every API server knows the first, and takes it.
		if first, _, _ := strings.Cut(r.Header.Get("Accept"), ","); !strings.Contains(first, "as=PartialObjectMetadata;") {
			t.Errorf("%s %s accepts %q; want metadata before anything else", r.Method, r.URL.Path, r.Header.Get("Accept"))
		}
		if r.Method == http.MethodPatch && strings.Contains(string(body), `"data"`) {
			t.Errorf("the patch is %s", body)
		}
		m := metav1.PartialObjectMetadata{TypeMeta: metav1.TypeMeta{APIVersion: "meta.k8s.io/v1", Kind: "PartialObjectMetadata"}}
		if waits = waits && r.Method != http.MethodGet; waits {
			m.Annotations = map[string]string{v1alpha1.AnnotationRotate: "now"}
		}
		answer(w, m)
	}))
	defer server.Close()
	kubeconfig := filepath.Join(t.TempDir(), "kubeconfig")
	config := `{"apiVersion":"v1","kind":"Config","current-context":"x","contexts":[{"name":"x","context":{"cluster":"x","user":"x"}}],` +
		`"clusters":[{"name":"x","cluster":{"server":"` + server.URL + `"}}],"users":[{"name":"x","user":{}}]}`
	if err := os.WriteFile(kubeconfig, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	s := cli.NewSession(strings.NewReader(""), &out, &out, time.Now, func(string) string { return "" })
	s.Flags.KubeConfig = &kubeconfig
	c := NewRotate(s)
	c.SetArgs([]string{"keys"})
	if err := c.ExecuteContext(t.Context()); err != nil {
		t.Fatalf("%v\n%s", err, out.String())
	}
	if len(asked) < 2 || asked[0] != http.MethodPatch || slices.Contains(asked[1:], http.MethodPatch) {
		t.Errorf("asked %v; want a patch, then looks at what became of it", asked)
	}
}
