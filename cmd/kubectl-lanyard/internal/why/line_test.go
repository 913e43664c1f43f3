package why

import (
	"encoding/json"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/google/go-cmp/cmp"
)

// refusedLine is as issuer/httpapi writes one.
const refusedLine = `{"time":"2026-03-01T12:00:00.5Z","level":"INFO","msg":"token request","trace_id":"5f6c","correlation_id":"order-7","peer":"10.0.0.7","method":"POST","path":"/oauth2/token","status":401,"outcome":"invalid_client","error_codes":[20001],"reason":"pod_gone","client_id":"shop/checkout","namespace":"shop","service_account":"checkout","pod":"checkout-1","duration_ms":0.4}`

func TestParseLine(t *testing.T) {
	refused := &Logged{
		Time: time.Date(2026, 3, 1, 12, 0, 0, 5e8, time.UTC), What: "token request", TraceID: "5f6c", CorrelationID: "order-7",
		Peer: "10.0.0.7", Path: "/oauth2/token", Status: 401,
		Refusal: &Refusal{Number: 20001, Error: "invalid_client", Title: "The client is not accepted", Page: "docs/reference/errors/20001.md"},
		Reason:  "pod_gone", Explanation: reasonSentence("pod_gone"),
		ClientID: "shop/checkout", Namespace: "shop", ServiceAccount: "checkout", Pod: "checkout-1",
	}
	tests := map[string]struct {
		line string
		want *Logged
	}{
		"a request that was refused":           {refusedLine, refused},
		"what a collector wrote before it":     {"2026-03-01T12:00:00Z stdout F " + refusedLine + "\n", refused},
		"what a stranger wrote for a terminal": {`{"trace_id":"1","client_id":"\u001b[2J\u202eevil"}`, &Logged{TraceID: "1", ClientID: "?[2J?evil"}},
		"a line about something else":          {`{"msg":"the issuer is ready"}`, nil},
		"no line of ours":                      {"panic: {", nil},
		"nothing":                              {"", nil},
		"a field of another type":              {`{"trace_id":"1","status":"500"}`, nil},
	}
	for sentence, test := range tests {
		t.Run(sentence, func(t *testing.T) {
			got, ok := parseLine([]byte(test.line))
			if diff := cmp.Diff(test.want, got); diff != "" || ok != (test.want != nil) {
				t.Errorf("found %t (-want +got):\n%s", ok, diff)
			}
		})
	}
}

func TestSearch(t *testing.T) {
	long := strings.Repeat("x", 3*maxLine) + refusedLine // would be found if the line were cut
	log := strings.Join([]string{`{"trace_id":"other","cause":"5f6c"}`, long, refusedLine, "garbage 5f6c", strings.Replace(refusedLine, "5f6c", "7a7a", 1)}, "\n")
	for id, want := range map[string][]string{"5f6c": {"5f6c"}, "order-7": {"5f6c", "7a7a"}, "nobody": nil} {
		found, err := search(strings.NewReader(log), id)
		var got []string
		for _, l := range found {
			got = append(got, l.TraceID)
		}
		if diff := cmp.Diff(want, got); err != nil || diff != "" {
			t.Errorf("search(%q): %v (-want +got):\n%s", id, err, diff)
		}
	}
}

// Whatever a log holds, what is read of it can be shown on a terminal, and is what JSON
// says.
func FuzzParseLine(f *testing.F) {
	for _, seed := range []string{refusedLine, "x " + refusedLine, `{"trace_id":"\u001b"}`, `{"trace_id":1}`, `{"error_codes":[-1],"trace_id":"a"}`, "{", ""} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, line []byte) {
		l, ok := parseLine(line)
		if !ok {
			return
		}
		for _, s := range []string{l.TraceID, l.CorrelationID, l.ClientID, l.Reason, l.Cause, l.Audience, l.Path, l.What, l.Pod} {
			if strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) }) {
				t.Errorf("%q could be obeyed by a terminal", s)
			}
		}
		if _, err := json.Marshal(l); err != nil {
			t.Error(err)
		}
	})
}

func FuzzParsePeer(f *testing.F) {
	f.Add([]byte("-----BEGIN CERTIFICATE-----\nMA==\n-----END CERTIFICATE-----\n"))
	f.Add([]byte(""))
	f.Fuzz(func(t *testing.T, data []byte) {
		peer, err := parsePeer(data)
		if (err == nil) == peer.IsZero() {
			t.Errorf("peer %+v, error %v", peer, err)
		}
	})
}
