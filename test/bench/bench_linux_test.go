package main

import (
	"os"
	"testing"
	"time"
)

// What is measured must be tokens: every contender is asked for a moment, on real
// sockets, and its answers are looked into.
func TestEveryContenderGivesTokens(t *testing.T) {
	f, err := newFixture(time.Now())
	if err != nil {
		t.Fatal(err)
	}
	addresses := map[string]string{}
	for _, name := range []string{serverFloor, serverIssuer} {
		s, err := newServer(name, f)
		if err != nil {
			t.Fatal(err)
		}
		address, stop, err := serve(t.Context(), s)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := stop(); err != nil {
				t.Error(err)
			}
		})
		addresses[name] = address
	}
	for _, c := range contenders() {
		t.Run(c.name, func(t *testing.T) {
			j := job{
				Address: addresses[c.server], Root: f.Server.DER, ServerPID: os.Getpid(),
				Connections: c.connections(f, c.path, 3), Duration: 50 * time.Millisecond,
			}
			s, err := j.run(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if err := c.check(f, j.Connections, s.First); err != nil {
				t.Error(err)
			}
			if s.Tokens == 0 || s.P50 <= 0 || s.P99 < s.P50 {
				t.Errorf("measured %+v", s)
			}
		})
	}
}

// A bearer token where a bound one is due must not pass for a measurement.
func TestCheckRefusesWhatIsNoToken(t *testing.T) {
	f, err := newFixture(time.Now())
	if err != nil {
		t.Fatal(err)
	}
	signing, err := f.signingKey()
	if err != nil {
		t.Fatal(err)
	}
	c := f.some(1, true)[0]
	bearer, err := (&floor{signingKey: signing}).token(c.ID(), time.Now())
	if err != nil {
		t.Fatal(err)
	}
	answer := func(token string) [][]byte { return [][]byte{[]byte(`{"access_token":"` + token + `"}`)} }
	peers := []connection{{Certificate: &c.Certificate}}
	for name, tt := range map[string]struct {
		bound   bool
		answers [][]byte
		ok      bool
	}{
		"a bearer token where one is due":         {false, answer(bearer), true},
		"a bearer token where a bound one is due": {true, answer(bearer), false},
		"a token with another signature":          {false, answer(bearer[:len(bearer)-8] + "AAAAAAAA"), false},
		"an answer without a token":               {false, [][]byte{[]byte(`{}`)}, false},
		"an answer that is not JSON":              {false, [][]byte{[]byte(`ok`)}, false},
		"no answer":                               {false, nil, false},
	} {
		t.Run(name, func(t *testing.T) {
			if err := (contender{bound: tt.bound}).check(f, peers, tt.answers); (err == nil) != tt.ok {
				t.Errorf("got %v", err)
			}
		})
	}
}
