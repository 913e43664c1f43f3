package inspect

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxShown is how much of one value is shown, in bytes.
const maxShown = 2048

// Printable is s for a terminal: what a terminal would obey, and what would turn the
// order of characters around, is written as an escape. Text that somebody else signed
// must not move the cursor or forge a line of this program's output.
func Printable(s string) string {
	cut := 0
	if len(s) > maxShown {
		cut = len(s) - maxShown
		s = s[:maxShown]
	}
	var b strings.Builder
	for i, r := range s {
		switch {
		case r == utf8.RuneError && !strings.HasPrefix(s[i:], "\uFFFD"):
			fmt.Fprintf(&b, `\x%02x`, s[i])
		case unicode.IsPrint(r):
			b.WriteRune(r)
		case r < 0x80:
			fmt.Fprintf(&b, `\x%02x`, r)
		default:
			fmt.Fprintf(&b, `\u{%x}`, r)
		}
	}
	if cut > 0 {
		fmt.Fprintf(&b, "… (%d bytes more)", cut)
	}
	return b.String()
}
