package cli_test

import (
	"bytes"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/lanyard-dev/lanyard/cmd/kubectl-lanyard/internal/cli"
)

func TestRefusesControlOfTheTerminal(t *testing.T) {
	tests := map[string]struct{ in, want string }{
		"what is shown is passed on":                 {"checkout — Größe 日本 ✓\tTrue\n", "checkout — Größe 日本 ✓\tTrue\n"},
		"colours of ours are":                        {"\x1b[32mTrue\x1b[0m", "\x1b[32mTrue\x1b[0m"},
		"a sequence that clears the line is not":     {"Approved\x1b[2K\rDenied", "Approved\ufffd[2K\ufffdDenied"},
		"nor one that sets the title":                {"\x1b]0;x\x07", "\ufffd]0;x\ufffd"},
		"nor another colour":                         {"\x1b[8mhidden", "\ufffd[8mhidden"},
		"nor C1 controls":                            {"\u009b2K", "\ufffd2K"},
		"nor a change of the direction of writing":   {"\u202etxt.exe", "\ufffdtxt.exe"},
		"nor a backspace":                            {"yes\b\b\bno", "yes\ufffd\ufffd\ufffdno"},
		"nor NUL":                                    {"a\x00b", "a\ufffdb"},
		"bytes that are no text do not end the line": {"a\xffb\n", "a\xffb\n"},
	}
	for sentence, test := range tests {
		t.Run(sentence, func(t *testing.T) {
			var out bytes.Buffer
			n, err := cli.Safe(&out).Write([]byte(test.in))
			if err != nil || n != len(test.in) {
				t.Fatalf("Write = %d, %v", n, err)
			}
			if out.String() != test.want {
				t.Errorf("%q becomes %q, want %q", test.in, out.String(), test.want)
			}
		})
	}
}

func FuzzSafe(f *testing.F) {
	for _, seed := range []string{"plain", "\x1b[31mx\x1b[0m", "\x1b[2J", "\u202e", "\xff\x9b"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		var out bytes.Buffer
		if n, err := cli.Safe(&out).Write([]byte(text)); err != nil || n != len(text) {
			t.Fatalf("Write = %d, %v", n, err)
		}
		left := out.String()
		for _, colour := range []cli.Colour{cli.Good, cli.Warn, cli.Bad, cli.Bold, "\x1b[0m"} {
			left = strings.ReplaceAll(left, string(colour), "")
		}
		for _, r := range left {
			if r != '\n' && r != '\t' && r != utf8.RuneError && !unicode.IsPrint(r) {
				t.Errorf("%q lets %U through", text, r)
			}
		}
	})
}
