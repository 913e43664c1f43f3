package main

import (
	"os"
	"testing"
	"time"

	"github.com/lanyard-dev/lanyard/test/bench/stand"
)

// What is measured must be tokens: every contender is asked for a moment, on real
// sockets, and its answers are looked into.
func TestEveryContenderGivesTokens(t *testing.T) {
	f, err := stand.NewFixture(time.Now())
	if err != nil {
		t.Fatal(err)
	}
	addresses := map[string]string{}
	for name, newServer := range servers() {
		s, err := newServer(f)
		if err != nil {
			t.Fatal(err)
		}
		address, stop, err := stand.Listen(t.Context(), s)
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
			j := job{Address: addresses[c.server], Root: f.Server.DER, ServerPID: os.Getpid()}
			var s sample
			for j.Duration = 50 * time.Millisecond; s.Tokens == 0 && j.Duration < 10*time.Second; j.Duration *= 4 { // the machine may be busy
				var err error
				if j.Connections, err = c.way(f, c.path, crowd{peers: 3, fresh: 600}); err != nil {
					t.Fatal(err)
				}
				if s, err = j.run(t.Context()); err != nil {
					t.Fatal(err)
				}
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
	f, err := stand.NewFixture(time.Now())
	if err != nil {
		t.Fatal(err)
	}
	floor, err := stand.NewFloor(f)
	if err != nil {
		t.Fatal(err)
	}
	c := f.Some(1, stand.MTLS)[0]
	bearer, err := floor.Token(c.ID(), time.Now())
	if err != nil {
		t.Fatal(err)
	}
	answer := func(token string) [][]byte { return [][]byte{[]byte(`{"access_token":"` + token + `"}`)} }
	peers := []connection{{Certificate: &c.Certificate}}
	for name, tt := range map[string]struct {
		binding binding
		answers [][]byte
		ok      bool
	}{
		"a bearer token where one is due":          {unbound, answer(bearer), true},
		"a bearer token where a bound one is due":  {toCertificate, answer(bearer), false},
		"a token with another signature":           {unbound, answer(bearer[:len(bearer)-8] + "AAAAAAAA"), false},
		"an answer without a token":                {unbound, [][]byte{[]byte(`{}`)}, false},
		"an answer that is not JSON":               {unbound, [][]byte{[]byte(`ok`)}, false},
		"a bearer token where one of a key is due": {toProofKey, answer(bearer), false},
		"no answer": {unbound, nil, false},
	} {
		t.Run(name, func(t *testing.T) {
			if err := (contender{binding: tt.binding}).check(f, peers, tt.answers); (err == nil) != tt.ok {
				t.Errorf("got %v", err)
			}
		})
	}
}

// At half of the rate, requests are sent on a schedule: as many as were asked for.
func TestARateIsKept(t *testing.T) {
	f, err := stand.NewFixture(time.Now())
	if err != nil {
		t.Fatal(err)
	}
	s, err := stand.NewFloorServer(f)
	if err != nil {
		t.Fatal(err)
	}
	address, stop, err := stand.Listen(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := stop(); err != nil {
			t.Error(err)
		}
	})
	peers, err := certificates(f, stand.PathSign, crowd{peers: 2})
	if err != nil {
		t.Fatal(err)
	}
	var got sample
	for try := 0; try < 10 && got.Tokens < 20; try++ { // the machine may be busy
		got, err = job{
			Address: address, Root: f.Server.DER, ServerPID: os.Getpid(),
			Connections: peers, Rate: 100, Duration: 500 * time.Millisecond,
		}.run(t.Context())
		if err != nil {
			t.Fatal(err)
		}
	}
	if got.Tokens < 20 || got.Tokens > 51 {
		t.Errorf("%d requests were answered in half a second; 100 a second were due", got.Tokens)
	}
}
