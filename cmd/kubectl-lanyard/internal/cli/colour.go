package cli

// Colour is what a word means.
type Colour string

// The colours, as terminals know them.
const (
	Good Colour = "\x1b[32m"
	Warn Colour = "\x1b[33m"
	Bad  Colour = "\x1b[31m"
	Bold Colour = "\x1b[1m"

	plain Colour = "\x1b[0m"
)

// Paint colours text where s.Out shows colours. Colours are no part of a word's width to
// [Table]: paint what stands last in its line, or nothing in a table.
func (s *Session) Paint(c Colour, text string) string {
	if !s.colourful(s.Out) {
		return text
	}
	return string(c) + text + string(plain)
}
