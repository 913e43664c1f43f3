package httpapi_test

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"github.com/lanyard-dev/lanyard/issuer/httpapi"
)

// A server that closes with bytes unread resets the connection, and the refusal is
// lost on a client that is still sending.
func TestRefusalReachesWhoIsStillSending(t *testing.T) {
	const length = 100 << 10
	for name, c := range map[string]struct {
		line, framing string
		want          int
	}{
		"a body that is too large":              {"POST /oauth2/token", fmt.Sprintf("Content-Length: %d", length), http.StatusRequestEntityTooLarge},
		"a body that turns out to be too large": {"POST /oauth2/token", "Transfer-Encoding: chunked", http.StatusRequestEntityTooLarge},
		"an unknown path":                       {"POST /nope", fmt.Sprintf("Content-Length: %d", length), http.StatusNotFound},
	} {
		t.Run(name, func(t *testing.T) {
			s := withService(t, unexpected(t))
			conn := dial(t, s)
			body := strings.Repeat("a", length)
			if strings.Contains(c.framing, "chunked") {
				body = fmt.Sprintf("%x\r\n%s\r\n0\r\n\r\n", length, body)
			}
			head := c.line + " HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-www-form-urlencoded\r\n" + c.framing + "\r\n\r\n"
			const first = 70 << 10
			if _, err := io.WriteString(conn, head+body[:first]); err != nil {
				t.Fatal(err)
			}
			eventually(t, "the request is refused", func() bool { return strings.Contains(s.log.String(), "error_codes") })
			for rest := body[first:]; rest != ""; rest = rest[min(1<<10, len(rest)):] {
				if _, err := io.WriteString(conn, rest[:min(1<<10, len(rest))]); err != nil {
					t.Fatalf("with %d bytes still to send: %v", len(rest), err)
				}
			}
			_ = conn.SetReadDeadline(time.Now().Add(8 * time.Second))
			resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			answer, err := io.ReadAll(resp.Body)
			if err != nil || resp.StatusCode != c.want || !strings.Contains(string(answer), "error_codes") {
				t.Errorf("got %d %s, %v; want %d with its body", resp.StatusCode, answer, err, c.want)
			}
		})
	}
}

// A new connection costs more than what was refused.
func TestRefusalBeforeAShortBodyKeepsTheConnection(t *testing.T) {
	s := withService(t, unexpected(t), func(c *httpapi.Config) { c.PerPeer = httpapi.Rate{PerSecond: 1e-9, Burst: 1} })
	c := client(t)
	for i, want := range []int{http.StatusUnsupportedMediaType, http.StatusTooManyRequests, http.StatusTooManyRequests} {
		r := send(t, c, request(t, http.MethodPost, s.url+"/oauth2/token", strings.Repeat("a", 2<<10), http.Header{"Content-Type": {"text/plain"}}))
		if r.status != want || r.close {
			t.Errorf("request %d: got %d %s (closed: %v); want %d on a connection that goes on", i+1, r.status, r.raw, r.close, want)
		}
	}
}

// net/http resets a stream whose body it has not read right after the answer, and
// some clients forget the answer then.
func TestRefusalIsNotFollowedByAResetOfItsStream(t *testing.T) {
	s := withService(t, unexpected(t))
	cfg := tlsClientConfig()
	cfg.NextProtos = []string{"h2"}
	c := dialWith(t, s, cfg)
	_, _ = io.WriteString(c, http2.ClientPreface)
	f := http2.NewFramer(c, c)
	var block bytes.Buffer
	e := hpack.NewEncoder(&block)
	for _, field := range [][2]string{{":method", "POST"}, {":scheme", "https"}, {":authority", "x"}, {":path", "/nope"}, {"content-length", "60000"}} {
		if err := e.WriteField(hpack.HeaderField{Name: field[0], Value: field[1]}); err != nil {
			t.Fatal(err)
		}
	}
	// 60000 bytes at once, as every client may that has not read the settings yet.
	if err := errors.Join(f.WriteSettings(), f.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: block.Bytes(), EndHeaders: true})); err != nil {
		t.Fatal(err)
	}
	for i := range 6 {
		if err := f.WriteData(1, i == 5, make([]byte, 10000)); err != nil {
			t.Fatal(err)
		}
	}
	if err := f.WritePing(false, [8]byte{1}); err != nil {
		t.Fatal(err)
	}
	_ = c.SetReadDeadline(time.Now().Add(8 * time.Second))
	for answered, ponged := false, false; !answered || !ponged; {
		frame, err := f.ReadFrame()
		if err != nil {
			t.Fatal(err)
		}
		switch frame := frame.(type) {
		case *http2.DataFrame:
			answered = answered || frame.StreamEnded()
			// Whatever follows the answer comes before the answer to this.
			if err := f.WritePing(false, [8]byte{2}); err != nil {
				t.Fatal(err)
			}
		case *http2.PingFrame:
			ponged = ponged || frame.Data[0] == 2
		case *http2.RSTStreamFrame:
			t.Fatalf("the stream was reset: %v", frame.ErrCode)
		}
	}
}
