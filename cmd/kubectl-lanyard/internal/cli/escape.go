package cli

import (
	"bytes"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// safe passes on what terminals show, and nothing that they obey: names, reasons and
// messages are written by other teams, and a sequence of control characters among them
// could rewrite what a person reads before they approve it. Colours of ours pass.
type safe struct{ w io.Writer }

// Safe returns w behind a guard that replaces control characters and characters that
// turn the direction of writing.
func Safe(w io.Writer) io.Writer { return safe{w} }

// Write writes what is left of p, and says that all of it was written.
func (s safe) Write(p []byte) (int, error) {
	if _, err := s.w.Write(harmless(p)); err != nil {
		return 0, err
	}
	return len(p), nil
}

// OneLine is text without what begins another line, or another cell of a [Table]. Names,
// reasons and messages that others wrote could look like lines of ours with it.
func OneLine(text string) string {
	return strings.Map(func(r rune) rune {
		if r != ' ' && unicode.IsSpace(r) && r <= unicode.MaxASCII {
			return ' '
		}
		return r
	}, text)
}

// Say writes one line, whatever args hold.
func Say(w io.Writer, format string, args ...any) error {
	_, err := io.WriteString(w, OneLine(fmt.Sprintf(format, args...))+"\n")
	return err
}

func harmless(p []byte) []byte {
	out := make([]byte, 0, len(p))
	for len(p) > 0 {
		if colour := ours(p); colour > 0 {
			out, p = append(out, p[:colour]...), p[colour:]
			continue
		}
		r, size := utf8.DecodeRune(p)
		switch {
		case r == '\n', r == '\t', unicode.IsPrint(r), r == utf8.RuneError:
			out = append(out, p[:size]...)
		default:
			out = utf8.AppendRune(out, utf8.RuneError)
		}
		p = p[size:]
	}
	return out
}

// ours is the length of a sequence of ours at the beginning of p; 0: there is none.
func ours(p []byte) int {
	i := slices.IndexFunc([]Colour{Good, Warn, Bad, Bold, plain}, func(c Colour) bool { return bytes.HasPrefix(p, []byte(c)) })
	if i < 0 {
		return 0
	}
	return len([]Colour{Good, Warn, Bad, Bold, plain}[i])
}
