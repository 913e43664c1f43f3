package ingress

import (
	"net/url"
	"strings"
	"unicode"
	"unicode/utf8"
)

// readPath decodes the path of a request, as it was sent. why says in a few words what is wrong
// with it; then path is empty.
//
// A path is accepted if every program reads it alike. Others are refused and not repaired: the
// app would repair them in its own way, and would see another path than was judged. That covers
// empty, dot and dot-dot segments, slashes and backslashes behind an encoding (once or twice),
// parameters (which some servers cut off), and what ends a path in other programs.
func readPath(escaped string) (path, why string) {
	if !strings.HasPrefix(escaped, "/") {
		return "", "it does not begin with a slash"
	}
	decoded, err := url.PathUnescape(escaped)
	switch {
	case err != nil:
		return "", "it has a percent sign that begins no encoded byte"
	case strings.Count(decoded, "/") != strings.Count(escaped, "/"):
		return "", "it has an encoded slash"
	case strings.ContainsRune(decoded, '\\'):
		return "", "it has a backslash"
	case strings.ContainsRune(decoded, '%'):
		return "", "it has a percent sign that is encoded itself"
	case strings.ContainsAny(decoded, ";?#"):
		return "", "it has a semicolon, or an encoded question mark or number sign"
	case !utf8.ValidString(decoded):
		return "", "it is not UTF-8"
	case strings.ContainsFunc(decoded, func(r rune) bool { return !unicode.IsPrint(r) }):
		return "", "it has a character that cannot be printed"
	}
	segments := strings.Split(decoded[1:], "/")
	for i, segment := range segments {
		if segment == "" && i < len(segments)-1 {
			return "", "it has an empty segment"
		}
		if segment != "" && strings.Trim(segment, ". ") == "" {
			return "", "it has a segment of dots"
		}
	}
	return decoded, ""
}

// asSent is the path in the very bytes that came. EscapedPath would write one anew that has a
// byte which ought to be encoded, and decode an encoded slash on the way.
func asSent(u *url.URL) string {
	if u.RawPath != "" {
		return u.RawPath
	}
	return u.EscapedPath() // which it was
}

// fold makes paths equal that differ in case alone, also where an app reads them so: each
// character becomes the least of those that differ from it in case. The letters ı and İ have no
// pair, and are an I to an app that makes capitals, or an i to one that makes small letters.
func fold(path string) string {
	return strings.Map(func(r rune) rune {
		r = unicode.ToLower(unicode.ToUpper(r))
		least := r
		for next := unicode.SimpleFold(r); next != r; next = unicode.SimpleFold(next) {
			least = min(least, next)
		}
		return least
	}, path)
}
