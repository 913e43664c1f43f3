package egress_test

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lanyard-dev/lanyard/sidecar/tokens"
	"github.com/lanyard-dev/lanyard/test/testcert"
)

func TestAddsTokenAndCertificate(t *testing.T) {
	type seen struct {
		Method, URI, Host, Authorization, Thumbprint, Body, Kept string
		Gone                                                     []string
	}
	var got seen
	h := newHouse(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		got = seen{
			Method: r.Method, URI: r.RequestURI, Host: r.Host, Body: string(body), Thumbprint: shown(r), Kept: r.Header.Get("X-Forwarded-For"),
			Authorization: strings.Join(r.Header.Values("Authorization"), "|"),
		}
		for _, name := range []string{"Dpop", "Origin", "X-Hop", "Connection", "Proxy-Authorization"} {
			got.Gone = append(got.Gone, r.Header.Values(name)...)
		}
		w.Header().Set("X-Api", "yes")
		w.WriteHeader(http.StatusCreated)
		_, _ = io.WriteString(w, "made")
	})
	certificate := testcert.New(t, "checkout")
	h.source.token = bound("token-1", certificate)
	r := h.call(http.MethodPost, "/orders/a%2Fb?q=1;2", strings.NewReader("one lanyard"), http.Header{
		"Authorization": {"Bearer of-the-app"}, "Dpop": {"proof"}, "Origin": {h.url}, "Connection": {"X-Hop"}, "X-Hop": {"1"},
		"Proxy-Authorization": {"Basic eDp5"}, "X-Forwarded-For": {"192.0.2.1"},
	})
	want := seen{
		Method: http.MethodPost, URI: "/orders/a%2Fb?q=1;2", Host: strings.TrimPrefix(h.upstream.URL, "https://"), Body: "one lanyard",
		Authorization: "Bearer token-1", Thumbprint: bound("", certificate).Thumbprint, Kept: "192.0.2.1",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if r.status != http.StatusCreated || r.body != "made" || r.header.Get("X-Api") != "yes" {
		t.Errorf("the app got %+v", r)
	}
	if strings.Contains(h.log.String(), "token-1") {
		t.Errorf("the log has the token: %s", h.log)
	}
}

func TestUnboundTokenNeedsNoCertificate(t *testing.T) {
	h := newHouse(t, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, r.Header.Get("Authorization")+" "+shown(r))
	})
	h.source.token = &tokens.Token{Value: "token-1", Type: "Bearer", Resource: resource}
	if r := h.call(http.MethodGet, "/", http.NoBody, nil); r.body != "Bearer token-1 " {
		t.Errorf("got %+v", r)
	}
}

func TestRetriesOnceWithAnotherToken(t *testing.T) {
	first, second := testcert.New(t, "first"), testcert.New(t, "second")
	for name, test := range map[string]struct {
		method  string
		body    func() io.Reader
		accepts string
		answer  func(http.ResponseWriter)
		want    int
		calls   int32
		renewed int
	}{
		"a request without a body":         {http.MethodGet, nil, "token-2", refuse, 200, 2, 1},
		"a body of known length":           {http.MethodPost, func() io.Reader { return strings.NewReader(strings.Repeat("x", 64<<10)) }, "token-2", refuse, 200, 2, 1},
		"a body that is too long to keep":  {http.MethodPost, func() io.Reader { return strings.NewReader(strings.Repeat("x", 64<<10+1)) }, "token-2", refuse, 401, 1, 1},
		"a body that comes as it is made":  {http.MethodPost, func() io.Reader { return io.MultiReader(strings.NewReader("x")) }, "token-2", refuse, 401, 1, 1},
		"the second token is refused, too": {http.MethodGet, nil, "none", refuse, 401, 2, 1},
		"a 401 for another reason": {http.MethodGet, nil, "none", func(w http.ResponseWriter) {
			w.Header().Set("WWW-Authenticate", `Basic realm="invalid_token"`)
			w.WriteHeader(http.StatusUnauthorized)
		}, 401, 1, 0},
		"a 403": {http.MethodGet, nil, "none", func(w http.ResponseWriter) { w.WriteHeader(http.StatusForbidden) }, 403, 1, 0},
		"a challenge without quotes, as a third": {http.MethodGet, nil, "token-2", func(w http.ResponseWriter) {
			w.Header()["Www-Authenticate"] = []string{"Basic", "Other a=b", "MTLS_POP error=invalid_token,a=b"}
			w.WriteHeader(http.StatusUnauthorized)
		}, 200, 2, 1},
	} {
		t.Run(name, func(t *testing.T) {
			var calls atomic.Int32
			h := newHouse(t, func(w http.ResponseWriter, r *http.Request) {
				calls.Add(1)
				body, err := io.ReadAll(r.Body)
				if err != nil {
					t.Error(err)
				}
				value := strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
				if want := map[string]string{"token-1": bound("", first).Thumbprint, "token-2": bound("", second).Thumbprint}[value]; shown(r) != want {
					t.Errorf("%s came with the certificate %s", value, shown(r))
				}
				if value != test.accepts {
					test.answer(w)
					return
				}
				fmt.Fprintf(w, "%d", len(body))
			})
			h.source.token, h.source.next = bound("token-1", first), bound("token-2", second)
			body, length := io.Reader(http.NoBody), 0
			if test.body != nil {
				all, _ := io.ReadAll(test.body())
				body, length = test.body(), len(all)
			}
			r := h.call(test.method, "/", body, nil)
			if r.status != test.want || calls.Load() != test.calls || h.source.renewed != test.renewed {
				t.Errorf("got %d %s after %d calls and %d renewals", r.status, r.body, calls.Load(), h.source.renewed)
			}
			if r.status == http.StatusOK && r.body != fmt.Sprint(length) {
				t.Errorf("%s bytes of %d came", r.body, length)
			}
			if got := retries(h); got != float64(test.calls-1) {
				t.Errorf("%v retries were counted", got)
			}
		})
	}
}

// A connection that was made with one certificate never carries a token that is bound to
// another, however often they are switched.
func TestRefusesTokenOnAnotherCertificatesConnection(t *testing.T) {
	for name, http2 := range map[string]bool{"HTTP/1.1": false, "HTTP/2": true} {
		t.Run(name, func(t *testing.T) {
			h := newHouse(t, func(w http.ResponseWriter, r *http.Request) {
				if (r.ProtoMajor == 2) != http2 {
					t.Errorf("the upstream was called over %s", r.Proto)
				}
				if r.Header.Get("Authorization") != "Bearer token-of-"+shown(r) {
					w.WriteHeader(http.StatusUnauthorized)
				}
			}, func(s *httptest.Server) { s.EnableHTTP2 = http2 })
			var all []*tokens.Token
			for i := range 4 {
				c := testcert.New(t, fmt.Sprint("checkout-", i))
				all = append(all, bound("token-of-"+bound("", c).Thumbprint, c))
			}
			h.source.token = all[0]
			var wg sync.WaitGroup
			for range 4 {
				wg.Go(func() {
					for i := range 60 {
						if r := h.call(http.MethodGet, "/", http.NoBody, nil); r.status != http.StatusOK {
							t.Errorf("call %d: %d %s", i, r.status, r.body)
						}
						h.source.set(all[i%len(all)])
					}
				})
			}
			wg.Wait()
		})
	}
}

func TestRefusesTokenWithoutItsCertificate(t *testing.T) {
	h := newHouse(t, func(http.ResponseWriter, *http.Request) { t.Error("the upstream was called") })
	token := bound("token-1", testcert.New(t, "checkout"))
	other := testcert.New(t, "another")
	for name, certificate := range map[string]*tls.Certificate{"none": nil, "another": &other, "an empty one": {}} {
		t.Run(name, func(t *testing.T) {
			mixed := *token
			mixed.Certificate = certificate
			h.source.set(&mixed)
			if r := h.call(http.MethodGet, "/", http.NoBody, nil); r.status != http.StatusServiceUnavailable || !strings.Contains(r.body, `"token_unavailable"`) {
				t.Errorf("got %+v", r)
			}
		})
	}
}

func TestClosesConnectionsOfTheOldCertificate(t *testing.T) {
	var mu sync.Mutex
	open := map[net.Conn]bool{}
	isOpen := func() int { mu.Lock(); defer mu.Unlock(); return len(open) }
	release := make(chan struct{})
	h := newHouse(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/slow" {
			w.WriteHeader(http.StatusOK)
			_ = http.NewResponseController(w).Flush()
			<-release
		}
		_, _ = io.WriteString(w, "all of it")
	}, func(s *httptest.Server) {
		s.Config.ConnState = func(c net.Conn, state http.ConnState) {
			mu.Lock()
			defer mu.Unlock()
			if state == http.StateNew {
				open[c] = true
			}
			if state == http.StateClosed {
				delete(open, c)
			}
		}
	})
	h.source.token = bound("token-1", testcert.New(t, "old"))
	slow := make(chan reply)
	go func() { slow <- h.call(http.MethodGet, "/slow", http.NoBody, nil) }()
	waitFor(t, "the slow call to begin", func() bool { return isOpen() == 1 })
	h.source.set(bound("token-2", testcert.New(t, "new")))
	if r := h.call(http.MethodGet, "/", http.NoBody, nil); r.status != http.StatusOK {
		t.Fatalf("got %+v", r)
	}
	if n := isOpen(); n != 2 {
		t.Errorf("%d connections are open while the old one is used, want 2", n)
	}
	close(release)
	if r := <-slow; r.body != "all of it" {
		t.Errorf("the slow call got %+v", r)
	}
	waitFor(t, "the old connection to be closed", func() bool { return isOpen() == 1 })
}

func TestStreamsAnswers(t *testing.T) {
	more := make(chan struct{})
	h := newHouse(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Trailer", "Grpc-Status")
		_, _ = io.WriteString(w, "first\n")
		_ = http.NewResponseController(w).Flush()
		<-more
		_, _ = io.WriteString(w, "second\n")
		w.Header().Set("Grpc-Status", "0")
	})
	h.source.token = bound("token-1", testcert.New(t, "checkout"))
	protocols := new(http.Protocols)
	protocols.SetUnencryptedHTTP2(true)
	for name, transport := range map[string]*http.Transport{"HTTP/1.1": {}, "HTTP/2 without TLS, as gRPC": {Protocols: protocols}} {
		t.Run(name, func(t *testing.T) {
			r, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, h.url, http.NoBody)
			response, err := (&http.Client{Transport: transport}).Do(r)
			if err != nil {
				t.Fatal(err)
			}
			defer response.Body.Close()
			reader := bufio.NewReader(response.Body)
			if line, err := reader.ReadString('\n'); line != "first\n" || err != nil {
				t.Fatalf("got %q, %v before the upstream went on", line, err)
			}
			more <- struct{}{}
			if rest, err := io.ReadAll(reader); string(rest) != "second\n" || err != nil || response.Trailer.Get("Grpc-Status") != "0" {
				t.Errorf("got %q, %v and the trailer %v", rest, err, response.Trailer)
			}
		})
	}
}

func TestTunnelsWebSockets(t *testing.T) {
	h := newHouse(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Upgrade") != "websocket" || r.Header.Get("Authorization") != "Bearer token-1" || shown(r) == "" {
			t.Errorf("the upgrade came as %v", r.Header)
		}
		w.Header().Set("Connection", "Upgrade")
		w.Header().Set("Upgrade", "websocket")
		w.WriteHeader(http.StatusSwitchingProtocols)
		conn, buffered, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		defer conn.Close()
		line, _ := buffered.ReadString('\n')
		_, _ = io.WriteString(conn, "echo "+line)
	})
	h.source.token = bound("token-1", testcert.New(t, "checkout"))
	conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", strings.TrimPrefix(h.url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprintf(conn, "GET /ws HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\r\n")
	reader := bufio.NewReader(conn)
	response, err := http.ReadResponse(reader, nil)
	if err != nil || response.StatusCode != http.StatusSwitchingProtocols {
		t.Fatalf("got %+v, %v", response, err)
	}
	fmt.Fprint(conn, "hello\n")
	if line, err := reader.ReadString('\n'); line != "echo hello\n" {
		t.Errorf("got %q, %v", line, err)
	}
}
