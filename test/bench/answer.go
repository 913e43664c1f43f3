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

// readAnswer reads one answer of HTTP/1.1 from a kept connection, its body into
// buffer if that is large enough. It knows what a token endpoint sends and no more:
// a length, never chunks, and a connection that stays.
func readAnswer(r *bufio.Reader, buffer []byte) (status int, body []byte, err error) {
	line, err := r.ReadSlice('\n')
	if err != nil {
		return 0, buffer, err
	}
	// HTTP/1.1 200 OK
	if len(line) < 12 || !bytes.HasPrefix(line, []byte("HTTP/1.1 ")) {
		return 0, buffer, errors.New("this is not HTTP/1.1")
	}
	if status, err = strconv.Atoi(string(line[9:12])); err != nil || status < 100 {
		return 0, buffer, errors.New("the status is not a number of three digits")
	}
	length := -1
	for {
		line, err := r.ReadSlice('\n')
		if err != nil {
			return 0, buffer, err
		}
		line = bytes.TrimRight(line, "\r\n")
		if len(line) == 0 {
			break
		}
		name, value, _ := bytes.Cut(line, []byte(":"))
		value = bytes.TrimSpace(value)
		switch {
		case len(name) == len("Content-Length") && bytes.EqualFold(name, []byte("Content-Length")):
			if length, err = strconv.Atoi(string(value)); err != nil {
				return 0, buffer, errors.New("Content-Length is not a number")
			}
		case status == 200 && len(name) == len("Connection") && bytes.EqualFold(value, []byte("close")):
			return 0, buffer, errors.New("the server closes the connection; this measures kept ones")
		}
	}
	if length < 0 || length > maxBody {
		return 0, buffer, fmt.Errorf("Content-Length must be given and at most %d", maxBody)
	}
	if cap(buffer) < length {
		buffer = make([]byte, length)
	}
	body = buffer[:length]
	if _, err := io.ReadFull(r, body); err != nil {
		return 0, body, err
	}
	return status, body, nil
}
