package ingress_test

import (
	"crypto/tls"
	"io"
	"strings"
	"testing"
	"time"
)

// Whoever is refused has a few seconds to send the rest of the body, and then goes: the server
// reads what comes after an answer, and would wait without end.
func TestRefusesToWaitForABodyThatWasRefused(t *testing.T) {
	h := newHouse(t)
	conn, err := tls.Dial("tcp", strings.TrimPrefix(h.url, "https://"), &tls.Config{RootCAs: h.roots, ServerName: "localhost", MinVersion: tls.VersionTLS12})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(conn, "POST /orders HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\nbegun"); err != nil {
		t.Fatal(err)
	}
	answer, err := io.ReadAll(conn)
	if err != nil || !strings.HasPrefix(string(answer), "HTTP/1.1 401 ") {
		t.Errorf("got %q and %v; want 401 and the end of the connection", answer, err)
	}
}
