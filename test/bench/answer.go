package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"strconv"
)

// maxBody bounds an answer; those with a token have about 1.5 KiB.
const maxBody = 64 << 10

// answer is what the load wants to know of one.
type answer struct {
	status int
	body   []byte
	// nonce is the server's for the next DPoP proof (RFC 9449 section 8.2).
	nonce string
}

// readAnswer reads one answer of HTTP/1.1 from a kept connection, its body into
// buffer if that is large enough. It knows what a token endpoint sends and no more:
// a length, never chunks, and a connection that stays.
func readAnswer(r *bufio.Reader, buffer []byte) (answer, error) {
	a := answer{body: buffer}
	line, err := r.ReadSlice('\n')
	if err != nil {
		return a, err
	}
	// HTTP/1.1 200 OK
	if len(line) < 12 || !bytes.HasPrefix(line, []byte("HTTP/1.1 ")) {
		return a, errors.New("this is not HTTP/1.1")
	}
	if a.status, err = strconv.Atoi(string(line[9:12])); err != nil || a.status < 100 {
		return a, errors.New("the status is not a number of three digits")
	}
	length := -1
	for {
		line, err := r.ReadSlice('\n')
		if err != nil {
			return a, err
		}
		line = bytes.TrimRight(line, "\r\n")
		if len(line) == 0 {
			break
		}
		name, value, _ := bytes.Cut(line, []byte(":"))
		value = bytes.TrimSpace(value)
		switch {
		case is(name, "Content-Length"):
			if length, err = strconv.Atoi(string(value)); err != nil {
				return a, errors.New("Content-Length is not a number")
			}
		case is(name, "DPoP-Nonce"):
			a.nonce = string(value)
		case a.status == 200 && is(name, "Connection") && is(value, "close"):
			return a, errors.New("the server closes the connection; this measures kept ones")
		}
	}
	if length < 0 || length > maxBody {
		return a, fmt.Errorf("Content-Length must be given and at most %d", maxBody)
	}
	if cap(a.body) < length {
		a.body = make([]byte, length)
	}
	a.body = a.body[:length]
	_, err = io.ReadFull(r, a.body)
	return a, err
}

func is(b []byte, word string) bool { return len(b) == len(word) && bytes.EqualFold(b, []byte(word)) }
