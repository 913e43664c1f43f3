package ingress_test

import (
	"bytes"
	"crypto/tls"
	"errors"
	"io"
	"os"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// stranger connects without a certificate, and gives up after a while.
func (h *house) stranger(protocol string) *tls.Conn {
	h.t.Helper()
	conn, err := tls.Dial("tcp", strings.TrimPrefix(h.url, "https://"), &tls.Config{
		RootCAs: h.roots, ServerName: "localhost", MinVersion: tls.VersionTLS12, NextProtos: []string{protocol},
	})
	if err != nil {
		h.t.Fatal(err)
	}
	h.t.Cleanup(func() { _ = conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
		h.t.Fatal(err)
	}
	return conn
}

// Whoever is refused has a few seconds to send the rest of the body, and then goes: the server
// reads what comes after an answer, and would wait without end.
func TestRefusesToWaitForABodyThatWasRefused(t *testing.T) {
	h := newHouse(t)
	conn := h.stranger("http/1.1")
	if _, err := io.WriteString(conn, "POST /orders HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\nbegun"); err != nil {
		t.Fatal(err)
	}
	answer, err := io.ReadAll(conn)
	if err != nil || !strings.HasPrefix(string(answer), "HTTP/1.1 401 ") {
		t.Errorf("got %q and %v; want 401 and the end of the connection", answer, err)
	}
}

// Whoever is refused has a few seconds to read why, also where the protocol has a window of its own.
func TestRefusesToWaitForWhoeverDoesNotReadTheRefusal(t *testing.T) {
	t.Run("HTTP/2, without a window", func(t *testing.T) {
		conn := newHouse(t).stranger("h2")
		framer := http2.NewFramer(conn, conn)
		var headers bytes.Buffer
		encoder := hpack.NewEncoder(&headers)
		for _, field := range [][2]string{{":method", "GET"}, {":scheme", "https"}, {":authority", "localhost"}, {":path", "/orders"}} {
			if err := encoder.WriteField(hpack.HeaderField{Name: field[0], Value: field[1]}); err != nil {
				t.Fatal(err)
			}
		}
		_, err := io.WriteString(conn, http2.ClientPreface)
		if err := errors.Join(err,
			framer.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 0}), framer.WriteSettingsAck(),
			framer.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: headers.Bytes(), EndStream: true, EndHeaders: true}),
		); err != nil {
			t.Fatal(err)
		}
		for {
			frame, err := framer.ReadFrame()
			if err != nil {
				t.Fatalf("the request is still held: %v", err)
			}
			if _, over := frame.(*http2.RSTStreamFrame); over {
				return
			}
		}
	})
	t.Run("HTTP/1.1, one request after the other", func(t *testing.T) {
		conn := newHouse(t).stranger("http/1.1")
		request := []byte(strings.Repeat("GET /orders HTTP/1.1\r\nHost: localhost\r\n\r\n", 1000))
		for {
			if _, err := conn.Write(request); errors.Is(err, os.ErrDeadlineExceeded) {
				t.Fatal("the connection is still held")
			} else if err != nil {
				return
			}
		}
	})
}
