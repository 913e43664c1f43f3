package dpop

import (
	"net/url"
	"strings"
)

// sameURL reports whether two URLs name the same target, without query and
// fragment, after the normalisations of RFC 3986 that RFC 9449 section 4.3 asks
// for: case of scheme and host, the default port, an empty path, and
// percent-encodings. Dot segments are compared as they are; clients resolve them
// before they send. What is no http or https URL is the same as nothing.
func sameURL(a, b string) bool {
	na, okA := normalise(a)
	nb, okB := normalise(b)
	return okA && okB && na == nb
}

type target struct{ scheme, host, port, path string }

func normalise(text string) (target, bool) {
	u, err := url.Parse(text)
	if err != nil || u.Opaque != "" || u.User != nil || u.Hostname() == "" {
		return target{}, false
	}
	t := target{scheme: u.Scheme, host: strings.ToLower(u.Hostname()), port: u.Port(), path: normalPath(u.EscapedPath())}
	switch { // url.Parse has lower-cased the scheme
	case t.scheme == "https" && (t.port == "" || t.port == "443"):
		t.port = "443"
	case t.scheme == "http" && (t.port == "" || t.port == "80"):
		t.port = "80"
	case t.scheme != "https" && t.scheme != "http":
		return target{}, false
	}
	return t, true
}

// normalPath writes percent-encodings in one way (RFC 3986 section 6.2.2): in
// upper case, and only where they are needed.
func normalPath(path string) string {
	if path == "" {
		return "/"
	}
	if !strings.Contains(path, "%") {
		return path
	}
	var out strings.Builder
	for i := 0; i < len(path); i++ {
		if path[i] != '%' {
			out.WriteByte(path[i])
			continue
		}
		triplet := path[i : i+3] // EscapedPath writes no other
		if c, err := url.PathUnescape(triplet); err == nil && isUnreserved(c[0]) {
			out.WriteString(c)
		} else {
			out.WriteString(strings.ToUpper(triplet))
		}
		i += 2
	}
	return out.String()
}

// isUnreserved is RFC 3986 section 2.3.
func isUnreserved(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || strings.IndexByte("-._~", c) >= 0
}
