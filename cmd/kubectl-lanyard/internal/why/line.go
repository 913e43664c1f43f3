package why

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"
	"unicode"

	"github.com/lanyard-dev/lanyard/issuer/oauth"
)

// Logged is a request as the issuer's log tells it (issuer/httpapi writes one line each).
// Strangers write parts of it: what is not printable was replaced.
type Logged struct {
	Time time.Time `json:"time"`
	// What is the kind of the request, such as "token request".
	What          string `json:"what"`
	TraceID       string `json:"traceID"`
	CorrelationID string `json:"correlationID,omitempty"`
	// From says whose log it was found in.
	From   string `json:"from,omitempty"`
	Peer   string `json:"peer,omitempty"`
	Path   string `json:"path,omitempty"`
	Status int    `json:"status"`
	// Refusal is nil for a request that was answered.
	Refusal *Refusal `json:"refusal,omitempty"`
	// Reason is the detail that the caller was not told, Explanation what it means, and
	// Cause what happened underneath.
	Reason      string `json:"reason,omitempty"`
	Explanation string `json:"explanation,omitempty"`
	Cause       string `json:"cause,omitempty"`
	// ClientID is only what the caller claimed where AuthMethod is empty.
	ClientID       string `json:"clientID,omitempty"`
	AuthMethod     string `json:"authMethod,omitempty"`
	Thumbprint     string `json:"thumbprint,omitempty"`
	Namespace      string `json:"namespace,omitempty"`
	ServiceAccount string `json:"serviceAccount,omitempty"`
	Pod            string `json:"pod,omitempty"`
	Audience       string `json:"audience,omitempty"`
	Roles          string `json:"roles,omitempty"`
}

const tokenRequest = "token request"

// wire is a line of the log.
type wire struct {
	Time          time.Time      `json:"time"`
	Message       string         `json:"msg"`
	TraceID       string         `json:"trace_id"`
	CorrelationID string         `json:"correlation_id"`
	Peer          string         `json:"peer"`
	Path          string         `json:"path"`
	Status        int            `json:"status"`
	ErrorCodes    []oauth.Number `json:"error_codes"`
	Reason        string         `json:"reason"`
	Cause         string         `json:"cause"`
	ClientID      string         `json:"client_id"`
	AuthMethod    string         `json:"auth_method"`
	Thumbprint    string         `json:"thumbprint"`
	Namespace     string         `json:"namespace"`
	Account       string         `json:"service_account"`
	Pod           string         `json:"pod"`
	Audience      string         `json:"audience"`
	Roles         string         `json:"roles"`
}

// parseLine reads a line of the issuer's log. What a collector wrote before the JSON is
// passed over. False: it is no line about a request.
func parseLine(line []byte) (*Logged, bool) {
	begin := bytes.IndexByte(line, '{')
	if begin < 0 {
		return nil, false
	}
	var l wire
	if err := json.Unmarshal(line[begin:], &l); err != nil || l.TraceID == "" {
		return nil, false
	}
	out := &Logged{
		Time: l.Time, What: printable(l.Message), TraceID: printable(l.TraceID), CorrelationID: printable(l.CorrelationID),
		Peer: printable(l.Peer), Path: printable(l.Path), Status: l.Status, Reason: printable(l.Reason), Cause: printable(l.Cause),
		ClientID: printable(l.ClientID), AuthMethod: printable(l.AuthMethod), Thumbprint: printable(l.Thumbprint),
		Namespace: printable(l.Namespace), ServiceAccount: printable(l.Account), Pod: printable(l.Pod),
		Audience: printable(l.Audience), Roles: printable(l.Roles),
	}
	if len(l.ErrorCodes) > 0 {
		out.Refusal = refusalOf(l.ErrorCodes[0])
		if out.Reason != "" {
			out.Explanation = reasonSentence(out.Reason)
		}
	}
	return out, true
}

// printable replaces what a terminal would obey.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return '?'
	}, s)
}

const (
	// maxLine is more than the issuer writes in one.
	maxLine = 64 << 10
	// maxLog is how much of one log is read.
	maxLog = 1 << 30
)

// search finds the requests of a trace_id or correlation_id in a log.
func search(log io.Reader, id string) (found []*Logged, err error) {
	in := bufio.NewReaderSize(io.LimitReader(log, maxLog), maxLine)
	for whole := true; ; {
		line, err := in.ReadSlice('\n')
		// A longer line than any of ours comes in several pieces.
		begins, ends := whole, !errors.Is(err, bufio.ErrBufferFull)
		if whole = ends; begins && ends && bytes.Contains(line, []byte(id)) {
			if l, ok := parseLine(line); ok && (l.TraceID == id || l.CorrelationID == id) {
				found = append(found, l)
			}
		}
		switch {
		case errors.Is(err, io.EOF):
			return found, nil
		case err != nil && !errors.Is(err, bufio.ErrBufferFull):
			return found, fmt.Errorf("reading the log: %w", err)
		}
	}
}
