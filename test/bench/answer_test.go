package main

import (
	"bufio"
	"strings"
	"testing"
)

func TestReadAnswer(t *testing.T) {
	for name, tt := range map[string]struct {
		sent   string
		status int
		body   string
		ok     bool
	}{
		"an answer with a body":                 {"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nX: y\r\n\r\n{}", 200, "{}", true},
		"a refusal, whatever it does next":      {"HTTP/1.1 401 Unauthorized\r\nConnection: close\r\nContent-Length: 1\r\n\r\nx", 401, "x", true},
		"a connection that would not stay":      {"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\n{}", 0, "", false},
		"chunks":                                {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n", 0, "", false},
		"a length that is none":                 {"HTTP/1.1 200 OK\r\nContent-Length: two\r\n\r\n{}", 0, "", false},
		"a length below zero":                   {"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n{}", 0, "", false},
		"a length that would eat the memory":    {"HTTP/1.1 200 OK\r\nContent-Length: 99999999\r\n\r\n{}", 0, "", false},
		"a body that is cut short":              {"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n{}", 0, "", false},
		"a status that is none":                 {"HTTP/1.1 abc OK\r\n\r\n", 0, "", false},
		"something that is not HTTP/1.1":        {"SSH-2.0-OpenSSH\r\n\r\n", 0, "", false},
		"nothing":                               {"", 0, "", false},
		"headers without an end":                {"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n", 0, "", false},
		"a header longer than the small buffer": {"HTTP/1.1 200 OK\r\nX: " + strings.Repeat("x", 5000) + "\r\n\r\n", 0, "", false},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := readAnswer(bufio.NewReader(strings.NewReader(tt.sent)), nil)
			if (err == nil) != tt.ok {
				t.Fatalf("err is %v", err)
			}
			if tt.ok && (got.status != tt.status || string(got.body) != tt.body) {
				t.Errorf("got %d %q", got.status, got.body)
			}
		})
	}
}

func TestReadAnswerReadsOneAfterTheOther(t *testing.T) {
	r := bufio.NewReader(strings.NewReader(
		"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nfirst" +
			"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nand" +
			"HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\nanother"))
	var buffer []byte
	for _, want := range []string{"first", "and", "another"} {
		got, err := readAnswer(r, buffer)
		if err != nil || string(got.body) != want {
			t.Fatalf("got %q, %v", got.body, err)
		}
		buffer = got.body
	}
}

func FuzzReadAnswer(f *testing.F) {
	f.Add("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")
	f.Add("HTTP/1.1 503 \r\nContent-Length:0\r\nRetry-After: 1\r\n\r\n")
	f.Fuzz(func(t *testing.T, sent string) {
		got, err := readAnswer(bufio.NewReader(strings.NewReader(sent)), nil)
		if err == nil && (got.status < 0 || len(got.body) > maxBody || !strings.Contains(sent, string(got.body))) {
			t.Errorf("read %d %q of %q", got.status, got.body, sent)
		}
	})
}
