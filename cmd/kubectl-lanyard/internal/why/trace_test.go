package why

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/lanyard-dev/lanyard/cmd/kubectl-lanyard/internal/cli"
)

// Whoever asks chooses the correlation_id, and nobody but the issuer the trace_id: a later
// request that is called like the one that was meant must not be explained in its place.
func TestRefusesARequestThatIsNamedAfterAnother(t *testing.T) {
	forged := strings.NewReplacer(`"5f6c"`, `"0001"`, "order-7", "5f6c", "12:00:00.5Z", "12:00:09Z", "shop/checkout", "victim/cart").Replace(refusedLine)
	later := strings.NewReplacer(`"5f6c"`, `"0002"`, "12:00:00.5Z", "12:00:05Z").Replace(refusedLine)
	log := filepath.Join(t.TempDir(), "log")
	if err := os.WriteFile(log, []byte(refusedLine+"\n"+later+"\n"+forged+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	tests := map[string]struct{ id, want, says string }{
		"a trace_id is the issuer's":              {"5f6c", "5f6c", ""},
		"of one correlation_id it is the last":    {"order-7", "0002", "2 requests have this id; this is the last of them\n"},
		"also the other's is found by its own id": {"0001", "0001", ""},
	}
	for sentence, test := range tests {
		t.Run(sentence, func(t *testing.T) {
			var said bytes.Buffer
			s := cli.NewSession(strings.NewReader(""), &said, &said, time.Now, func(string) string { return "" })
			got, err := (&flags{trace: test.id, log: log}).find(t.Context(), s)
			if err != nil || got.TraceID != test.want || said.String() != test.says {
				t.Errorf("found %+v, %v, and said %q; want %s, and %q", got, err, said.String(), test.want, test.says)
			}
		})
	}
}
