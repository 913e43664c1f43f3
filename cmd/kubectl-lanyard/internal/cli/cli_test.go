package cli_test

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/types"

	"github.com/lanyard-dev/lanyard/cmd/kubectl-lanyard/internal/cli"
)

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func session(t *testing.T) (*cli.Session, *bytes.Buffer) {
	t.Helper()
	var out bytes.Buffer
	s := cli.NewSession(strings.NewReader(""), &out, &out, func() time.Time { return noon }, func(string) string { return "" })
	namespace := "shop"
	s.Flags.Namespace = &namespace
	return s, &out
}

func TestObject(t *testing.T) {
	t.Setenv("KUBECONFIG", "/dev/null")
	tests := map[string]struct {
		arg  string
		want types.NamespacedName
		ok   bool
	}{
		"of the current namespace": {"checkout", types.NamespacedName{Namespace: "shop", Name: "checkout"}, true},
		"of another":               {"orders/orders-read", types.NamespacedName{Namespace: "orders", Name: "orders-read"}, true},
		"nothing":                  {"", types.NamespacedName{}, false},
		"nothing after the slash":  {"orders/", types.NamespacedName{}, false},
		"nothing before the slash": {"/read", types.NamespacedName{}, false},
		"a URL, which is no name":  {"api://orders", types.NamespacedName{}, false},
	}
	for sentence, test := range tests {
		t.Run(sentence, func(t *testing.T) {
			s, _ := session(t)
			got, err := s.Object(test.arg)
			if got != test.want || (err == nil) != test.ok {
				t.Errorf("Object(%q) = %v, %v; want %v", test.arg, got, err, test.want)
			}
		})
	}
}

func TestWhen(t *testing.T) {
	tests := map[string]time.Time{
		"never":  {},
		"in 3h":  noon.Add(3 * time.Hour),
		"5m ago": noon.Add(-5 * time.Minute),
		"in 0s":  noon,
	}
	for want, at := range tests {
		if got := cli.When(at, noon); got != want {
			t.Errorf("When(%s) = %q, want %q", at, got, want)
		}
	}
}

func TestPrint(t *testing.T) {
	value := map[string]any{"name": "checkout"}
	text := func() *cli.Table {
		table := cli.NewTable("NAME", "READY")
		table.Row("checkout", "True")
		return table
	}
	tests := map[string]string{
		"":     "NAME       READY\ncheckout   True\n",
		"wide": "NAME       READY\ncheckout   True\n",
		"json": "{\n    \"name\": \"checkout\"\n}\n",
		"yaml": "name: checkout\n",
	}
	for format, want := range tests {
		t.Run("-o "+format, func(t *testing.T) {
			s, out := session(t)
			err := s.Print(cli.Output{Format: format}, value, func(w io.Writer) error { return text().Write(w, "") })
			if diff := cmp.Diff(want, out.String()); err != nil || diff != "" {
				t.Errorf("%v (-want +got):\n%s", err, diff)
			}
		})
	}
}

func TestNoColourOffATerminal(t *testing.T) {
	s, _ := session(t)
	if got := s.Paint(cli.Bad, "denied"); got != "denied" {
		t.Errorf("Paint = %q", got)
	}
}

func TestSentenceKeepsWhatIsSaid(t *testing.T) {
	if got := cli.Sentence(errors.New("no such thing")); got != "no such thing" {
		t.Error(got)
	}
}

// A name or a reason of somebody else's is one cell of one line, whatever is in it.
func TestRefusesForgedLines(t *testing.T) {
	forged := "x\n  orders/orders-read\tGranted\r\v\falice"
	var out bytes.Buffer
	table := cli.NewTable("ROLE", "STATE")
	table.Row(forged, "NotFound")
	if err := table.Write(&out, ""); err != nil {
		t.Fatal(err)
	}
	if err := cli.Say(&out, "%s is %s, and %d more", forged, cli.Colour(forged), 7); err != nil {
		t.Fatal(err)
	}
	const one = "x   orders/orders-read Granted   alice"
	want := "ROLE                                     STATE\n" + one + "   NotFound\n" + one + " is " + one + ", and 7 more\n"
	if diff := cmp.Diff(want, out.String()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
