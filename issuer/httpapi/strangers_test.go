package httpapi_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"github.com/lanyard-dev/lanyard/issuer/httpapi"
	"github.com/lanyard-dev/lanyard/issuer/oauth"
	"github.com/lanyard-dev/lanyard/issuer/tokenservice"
)

// formHead are the headers of a token request, but for the empty line.
const formHead = "POST /oauth2/token HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-www-form-urlencoded\r\n"

// crowded is an issuer that gives every form a token, and is soon full.
func crowded(t *testing.T, connections, bodies int) *running {
	t.Helper()
	return start(t, func(_ string, _ func() time.Time, c *httpapi.Config) {
		c.MaxBodies = bodies
		c.Service = fakeService(func(tokenservice.Request, *tokenservice.Event) (tokenservice.Answer, *oauth.Error) {
			return tokenservice.Answer{AccessToken: "x"}, nil
		})
	}, httpapi.ServerConfig{MaxConnections: connections})
}

// stranger connects and sends text.
func stranger(t *testing.T, s *running, text string) net.Conn {
	t.Helper()
	c := dial(t, s)
	_, _ = io.WriteString(c, text) // an error: it has been told to go already
	return c
}

// keepNobodyOut lets five times as many strangers as there are places send text and
// then nothing, and honest clients with kept and with new connections in between.
func keepNobodyOut(t *testing.T, text string) {
	t.Helper()
	const places = 20
	s := crowded(t, places, 0)
	kept := client(t)
	ask := func(c *http.Client) {
		t.Helper()
		if r := send(t, c, request(t, http.MethodPost, s.url+"/oauth2/token", "grant_type=x", nil)); r.status != http.StatusOK {
			t.Fatalf("an honest client got %d %s", r.status, r.raw)
		}
	}
	ask(kept)
	var first net.Conn
	for i := range 5 * places {
		c := stranger(t, s, text)
		if i == 0 {
			first = c
		}
		ask(kept)
		if i%5 == 0 {
			ask(client(t))
		}
	}
	_ = first.SetReadDeadline(time.Now().Add(time.Minute))
	if _, err := io.Copy(io.Discard, first); isTimeout(err) {
		t.Error("the first stranger is still connected")
	}
}

func TestStrangersThatSendNoBodyKeepNobodyOut(t *testing.T) {
	keepNobodyOut(t, formHead+"Content-Length: 65536\r\n\r\n")
}

func TestStrangersAtAnUnknownPathKeepNobodyOut(t *testing.T) {
	keepNobodyOut(t, strings.Replace(formHead, "/oauth2/token", "/nope", 1)+"Content-Length: 65536\r\n\r\n")
}

func TestStrangersThatSendHalfAHeaderKeepNobodyOut(t *testing.T) {
	keepNobodyOut(t, formHead+"X: ")
}

// Who waits for a body that was refused already is held by whoever does not send it.
func TestRefusesWithoutWaitingForTheBody(t *testing.T) {
	s := withService(t, unexpected(t), func(c *httpapi.Config) { c.PerPeer = httpapi.Rate{PerSecond: 1e-9, Burst: 1} })
	// Uses up the rate; the fixed clock gives none back.
	send(t, client(t), request(t, http.MethodPost, s.url+"/oauth2/token", "", http.Header{"Content-Type": {"text/plain"}}))
	for name, c := range map[string]struct {
		line, length string
		want         int
	}{
		"an unknown path":      {"POST /nope", "Content-Length: 65536", http.StatusNotFound},
		"a method not served":  {"PUT /oauth2/token", "Content-Length: 65536", http.StatusMethodNotAllowed},
		"OPTIONS":              {"OPTIONS /oauth2/token", "Content-Length: 65536", http.StatusNoContent},
		"chunks":               {"POST /nope", "Transfer-Encoding: chunked", http.StatusNotFound},
		"too many requests":    {"POST /oauth2/token", "Content-Length: 65536", http.StatusTooManyRequests},
		"a GET that has one":   {"GET /.well-known/openid-configuration", "Content-Length: 65536", http.StatusServiceUnavailable},
		"more than net/http's": {"POST /nope", "Content-Length: 1000000", http.StatusNotFound},
	} {
		t.Run(name, func(t *testing.T) {
			conn := stranger(t, s, c.line+" HTTP/1.1\r\nHost: x\r\n"+c.length+"\r\n\r\n")
			// Less than the 10 s that a body may take.
			_ = conn.SetReadDeadline(time.Now().Add(8 * time.Second))
			resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			if _, err := io.Copy(io.Discard, resp.Body); err != nil {
				t.Error(err)
			}
			if resp.StatusCode != c.want || !resp.Close {
				t.Errorf("got %d, closed: %v; want %d, closed", resp.StatusCode, resp.Close, c.want)
			}
		})
	}
}

func TestTooManyBodiesAtOnceAreRefused(t *testing.T) {
	s := crowded(t, 100, 4)
	var waiting []net.Conn
	for range 8 {
		waiting = append(waiting, stranger(t, s, formHead+"Content-Length: 65536\r\n\r\ngrant_type="))
	}
	// Those that have waited longest are refused; which of the eight they are is not
	// said, as the handshakes are not in order.
	refused := make(chan *http.Response, len(waiting))
	for _, c := range waiting {
		go func() {
			if resp, err := http.ReadResponse(bufio.NewReader(c), nil); err == nil {
				refused <- resp
			}
		}()
	}
	for range 4 {
		select {
		case resp := <-refused:
			var answer reply
			err := json.NewDecoder(resp.Body).Decode(&answer)
			if err != nil || resp.StatusCode != http.StatusServiceUnavailable || answer.Error != "temporarily_unavailable" || answer.number() != oauth.ErrBusy || resp.Header.Get("Retry-After") == "" || !resp.Close {
				t.Errorf("got %d %v %+v, %v; want 503 temporarily_unavailable with Retry-After, closed", resp.StatusCode, resp.Header, answer, err)
			}
		case <-time.After(8 * time.Second):
			t.Fatal("nobody was refused though eight bodies are waited for, and four may be")
		}
	}
	if r := send(t, client(t), request(t, http.MethodPost, s.url+"/oauth2/token", "grant_type=x", nil)); r.status != http.StatusOK {
		t.Errorf("an honest client got %d %s", r.status, r.raw)
	}
}

// Parsed, a header of short fields has twenty times its length, long before it ends.
func TestTooManyUnfinishedHeadersAreCutOff(t *testing.T) {
	s := crowded(t, 1000, 0)
	var strangers []net.Conn
	for range 180 { // of 30 KB: more than 4 MiB
		strangers = append(strangers, stranger(t, s, formHead+strings.Repeat("a:\r\n", 7500)))
	}
	if r := send(t, client(t), request(t, http.MethodPost, s.url+"/oauth2/token", "grant_type=x", nil)); r.status != http.StatusOK {
		t.Errorf("an honest client got %d %s", r.status, r.raw)
	}
	for i, c := range strangers[:20] {
		if !closed(t, c) {
			t.Fatalf("stranger %d of 180 is still connected", i)
		}
	}
}

func TestManyStreamsOfOneConnectionAreBounded(t *testing.T) {
	s := crowded(t, 100, 0)
	cfg := tlsClientConfig()
	cfg.NextProtos = []string{"h2"}
	c := dialWith(t, s, cfg)
	_, _ = io.WriteString(c, http2.ClientPreface)
	f := http2.NewFramer(c, c)
	if err := f.WriteSettings(); err != nil {
		t.Fatal(err)
	}
	var block bytes.Buffer
	e := hpack.NewEncoder(&block)
	const streams = 20
	for i := range streams {
		block.Reset()
		for _, field := range [][2]string{{":method", "POST"}, {":scheme", "https"}, {":authority", "x"}, {":path", "/oauth2/token"}, {"content-type", "application/x-www-form-urlencoded"}} {
			if err := e.WriteField(hpack.HeaderField{Name: field[0], Value: field[1]}); err != nil {
				t.Fatal(err)
			}
		}
		if err := f.WriteHeaders(http2.HeadersFrameParam{StreamID: uint32(2*i + 1), BlockFragment: block.Bytes(), EndHeaders: true}); err != nil {
			t.Fatal(err)
		}
	}
	_ = c.SetReadDeadline(time.Now().Add(8 * time.Second))
	var most uint32
	for refused := 0; refused < streams-8; {
		frame, err := f.ReadFrame()
		if err != nil {
			t.Fatalf("after %d refusals: %v; want %d", refused, err, streams-8)
		}
		switch frame := frame.(type) {
		case *http2.SettingsFrame:
			if v, ok := frame.Value(http2.SettingMaxConcurrentStreams); ok {
				most = v
			}
		case *http2.RSTStreamFrame:
			refused++
		}
	}
	if most != 8 {
		t.Errorf("the issuer announces %d streams; want 8", most)
	}
}

func TestOpsPortIsBounded(t *testing.T) {
	h := newHouse(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ops := httpapi.NewOpsServer(httpapi.NewOps(h.health, h.metrics, discard()), h.clock.now, discard())
	ended := make(chan error, 1)
	go func() { ended <- ops.Serve(l) }()
	t.Cleanup(func() {
		_ = ops.Close()
		if err := <-ended; !errors.Is(err, http.ErrServerClosed) {
			t.Errorf("the server ended: %v", err)
		}
	})
	connect := func() net.Conn {
		c, err := new(net.Dialer).DialContext(context.Background(), "tcp", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = c.Close() })
		return c
	}
	url := "http://" + l.Addr().String()
	var strangers []net.Conn
	for i := range 200 {
		c := connect()
		_, _ = io.WriteString(c, "GET /metrics HTTP/1.1\r\nHost: x\r\nX: ")
		strangers = append(strangers, c)
		if i%10 == 0 {
			if r := send(t, client(t), request(t, http.MethodGet, url+"/readyz", "", nil)); r.status != http.StatusOK {
				t.Fatalf("the kubelet got %d", r.status)
			}
		}
	}
	for i, c := range strangers[:100] {
		if !closed(t, c) {
			t.Fatalf("stranger %d of 200 is still connected; 64 may be", i)
		}
	}
	c := connect()
	fmt.Fprintf(c, "GET /healthz HTTP/1.1\r\nHost: x\r\nX: %s\r\n\r\n", strings.Repeat("a", 13<<10))
	resp, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusRequestHeaderFieldsTooLarge {
		t.Errorf("a header of 13 KiB got %d", resp.StatusCode)
	}
}

// frugal is an issuer whose strangers may open five connections, and no more ever, but
// for what nobody else needs.
// Forms that say ok get a token.
func frugal(t *testing.T) *running {
	t.Helper()
	return start(t, func(_ string, _ func() time.Time, c *httpapi.Config) {
		c.Service = fakeService(func(r tokenservice.Request, _ *tokenservice.Event) (tokenservice.Answer, *oauth.Error) {
			if r.Presented.ClientID != "ok" {
				return tokenservice.Answer{}, oauth.NewError(oauth.ErrIdentity, "")
			}
			return tokenservice.Answer{AccessToken: "x"}, nil
		})
	}, httpapi.ServerConfig{Strangers: httpapi.Rate{PerSecond: 1e-9, Burst: 5}})
}

// What strangers cost is bounded however they go about it; see test/load.
func TestRefusesToServeStrangersWithoutEnd(t *testing.T) {
	exhaust(t, frugal(t))
}

// exhaust asks until its connection is cut off.
func exhaust(t *testing.T, s *running) {
	t.Helper()
	conn := dial(t, s)
	_ = conn.SetDeadline(time.Now().Add(20 * time.Second))
	answers := bufio.NewReader(conn)
	const most = 2000
	for n := range most {
		_, _ = io.WriteString(conn, "GET /nope HTTP/1.1\r\nHost: x\r\n\r\n") // an error shows below
		resp, err := http.ReadResponse(answers, nil)
		if err != nil {
			if n < 5 || isTimeout(err) {
				t.Errorf("after %d requests: %v", n, err)
			}
			return
		}
		_, _ = io.Copy(io.Discard, resp.Body)
		_ = resp.Body.Close()
	}
	t.Errorf("%d requests were answered", most)
}

// Who was let in gets its token, though its form is longer than what is left to
// strangers of its address.
func TestNewcomersFinishWhatTheyBegan(t *testing.T) {
	s := frugal(t)
	conn := dial(t, s)
	exhaust(t, s)
	form := "grant_type=client_credentials&client_id=ok&client_assertion=" + strings.Repeat("a", 5<<10)
	_ = conn.SetDeadline(time.Now().Add(20 * time.Second))
	if err := request(t, http.MethodPost, s.url+"/oauth2/token", form, nil).Write(conn); err != nil {
		t.Fatal(err)
	}
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode != http.StatusOK {
		t.Errorf("got %s", resp.Status)
	}
}

// A client is no stranger: neither its requests nor its connections are counted.
func TestClientsAreServedWithoutEnd(t *testing.T) {
	s := frugal(t)
	kept := client(t)
	for range 100 {
		for _, c := range []*http.Client{kept, client(t)} {
			if r := send(t, c, request(t, http.MethodPost, s.url+"/oauth2/token", "grant_type=client_credentials&client_id=ok", nil)); r.status != http.StatusOK {
				t.Fatalf("got %d %s", r.status, r.raw)
			}
		}
	}
}
