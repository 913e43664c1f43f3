package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/lanyard-dev/lanyard/issuer/oauth"
	"github.com/lanyard-dev/lanyard/test/testenv"
)

type answer struct {
	Status      int
	AccessToken string `json:"access_token"`
	ErrorCodes  []int  `json:"error_codes"`
	raw         string
}

// ask sends a token request, with an assertion or as a client over mutual TLS.
func (s *stage) ask(ctx context.Context, t *testing.T, assertion, clientID string) answer {
	t.Helper()
	form := url.Values{"grant_type": {"client_credentials"}, "scope": {s.identifier() + "/.default"}}
	if assertion != "" {
		form.Set("client_assertion_type", oauth.AssertionTypeJWTBearer)
		form.Set("client_assertion", assertion)
	}
	if clientID != "" {
		form.Set("client_id", clientID)
	}
	return s.post(ctx, t, "/oauth2/token", form)
}

// post sends a form to an endpoint.
func (s *stage) post(ctx context.Context, t *testing.T, path string, form url.Values) answer {
	t.Helper()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.opts.IssuerURL+path, strings.NewReader(form.Encode()))
	check(t, err)
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	resp, err := s.http.Do(req)
	check(t, err)
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	check(t, err)
	a := answer{Status: resp.StatusCode, raw: string(body)}
	if len(body) > 0 {
		check(t, json.Unmarshal(body, &a))
	}
	return a
}

func (s *stage) get(ctx context.Context, t *testing.T, path string) (int, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+s.ops+path, http.NoBody)
	check(t, err)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, err.Error()
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	check(t, err)
	return resp.StatusCode, string(body)
}

// tries is how often a change is made until it was in force in time: a machine on which much
// else runs is slow now and then, and an issuer that is slow is so each time.
const tries = 8

// within makes a change, again and again if need be, until the issuer came to answer want within
// the promise. change returns once it is made, with what asks. What counts is when that asked: how
// long the answer takes is another question.
func (s *stage) within(t *testing.T, what string, want int, change func() (ask func() answer)) {
	t.Helper()
	for range tries {
		ask := change()
		took := s.comesTo(t, what, want, ask)
		t.Logf("%s: in force after %s", what, took.Round(time.Millisecond))
		if took <= promise {
			return
		}
	}
	t.Errorf("%s: not in force within %s, %d times", what, promise, tries)
}

// comesTo waits until the issuer answers want, and returns after how long it was asked for that.
func (s *stage) comesTo(t *testing.T, what string, want int, ask func() answer) (asked time.Duration) {
	t.Helper()
	began := time.Now()
	testenv.Eventually(t, func(context.Context) error {
		asked = time.Since(began)
		if a := ask(); a.Status != want {
			return fmt.Errorf("%s: not in force: %d %s", what, a.Status, a.raw)
		}
		return nil
	})
	return asked
}

// remembers waits until the issuer accepts an assertion without a question to the API server: its
// watches have brought the pod and the account. Before that, one that it cannot ask is a 503.
func (s *stage) remembers(t *testing.T, assertion string) {
	t.Helper()
	testenv.Eventually(t, func(ctx context.Context) error {
		before := s.lookUps(ctx, t)
		if a := s.ask(ctx, t, assertion, ""); a.Status != http.StatusOK {
			return fmt.Errorf("got %d %s", a.Status, a.raw)
		}
		if !slices.Equal(s.lookUps(ctx, t), before) {
			return errors.New("the issuer still asks the API server")
		}
		return nil
	})
}

// lookUps returns what /metrics says of the questions that were put to the API server; none before
// the first.
func (s *stage) lookUps(ctx context.Context, t *testing.T) (lines []string) {
	t.Helper()
	status, text := s.get(ctx, t, "/metrics")
	if status != http.StatusOK {
		t.Fatalf("/metrics: %d %s", status, text)
	}
	for line := range strings.Lines(text) {
		if strings.HasPrefix(line, "lanyard_issuer_lookups_total{") {
			lines = append(lines, strings.TrimSpace(line))
		}
	}
	return lines
}
