package verifier

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"github.com/lanyard-dev/lanyard/issuer/jose"
)

const (
	// refreshAfter is the age at which keys are fetched anew: the max-age that
	// the issuer gives them. It publishes a key for longer before it signs.
	refreshAfter = 5 * time.Minute
	// discardAfter is the age at which keys are no longer believed. Until then
	// an issuer that is down stops nobody; a dropped key ends with it.
	discardAfter = 24 * time.Hour
	// attemptEvery bounds how often the issuer is asked, whatever strangers
	// write into their tokens.
	attemptEvery = 10 * time.Second
)

// ErrUnavailable says that a token could not be judged, because the issuer's
// keys could not be fetched, or because too many DPoP proofs are remembered. It is
// no refusal: the same token may be accepted in a moment. Middleware answers 503.
var ErrUnavailable = errors.New("the token cannot be judged now")

// keyCache holds the issuer's keys. It starts at most one fetch at a time, and
// one in attemptEvery.
type keyCache struct {
	fetch func(context.Context) (jose.Keys, error)
	now   func() time.Time
	log   *slog.Logger

	mu          sync.Mutex
	keys        jose.Keys
	fetchedAt   time.Time
	attemptedAt time.Time
	lastError   error         // of the last attempt
	flight      chan struct{} // closed when the running fetch ends
}

// current returns the keys that are known, perhaps none, without waiting. Keys
// of some age are fetched anew meanwhile.
func (c *keyCache) current(ctx context.Context) jose.Keys {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := c.now()
	keys := c.believed(now)
	if keys != nil && now.Sub(c.fetchedAt) >= refreshAfter {
		c.start(ctx, now)
	}
	return keys
}

// renewed returns the keys after the fetch that runs or may run now, for a token
// whose key is unknown. The error is ErrUnavailable: the last fetch failed, so
// nobody knows whether the key exists.
func (c *keyCache) renewed(ctx context.Context) (jose.Keys, error) {
	c.mu.Lock()
	flight := c.start(ctx, c.now())
	c.mu.Unlock()
	if flight != nil {
		select {
		case <-flight:
		case <-ctx.Done():
			return nil, fmt.Errorf("%w: wait for the issuer's keys: %w", ErrUnavailable, ctx.Err())
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.lastError != nil {
		return nil, fmt.Errorf("%w: %w", ErrUnavailable, c.lastError)
	}
	return c.believed(c.now()), nil
}

// believed returns the keys unless they are too old. c.mu is held.
func (c *keyCache) believed(now time.Time) jose.Keys {
	if c.keys == nil || now.Sub(c.fetchedAt) >= discardAfter {
		return nil
	}
	return c.keys
}

// start returns the fetch that runs, begun now if one is due, or nil. c.mu is
// held. The fetch is nobody's own: it outlives the request that caused it, as
// others may wait for it too.
func (c *keyCache) start(ctx context.Context, now time.Time) chan struct{} {
	if c.flight != nil {
		return c.flight
	}
	if !c.attemptedAt.IsZero() && now.Sub(c.attemptedAt) < attemptEvery {
		return nil
	}
	c.attemptedAt = now
	flight := make(chan struct{})
	c.flight = flight
	go c.run(context.WithoutCancel(ctx), flight)
	return flight
}

func (c *keyCache) run(ctx context.Context, flight chan struct{}) {
	ctx, cancel := context.WithTimeout(ctx, fetchTimeout)
	defer cancel()
	keys, err := c.fetch(ctx)
	if err != nil {
		c.log.Warn("could not fetch the issuer's keys", "error", err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.lastError = err; err == nil {
		c.keys, c.fetchedAt = keys, c.now()
	}
	c.flight = nil
	close(flight)
}

// fetcher returns the function that fetches and parses the key set.
func fetcher(client *http.Client, url string) func(context.Context) (jose.Keys, error) {
	return func(ctx context.Context) (jose.Keys, error) {
		keys, err := fetchKeys(ctx, client, url)
		if err != nil {
			return nil, fmt.Errorf("fetch keys from %s: %w", url, err)
		}
		return keys, nil
	}
}

func fetchKeys(ctx context.Context, client *http.Client, url string) (keys jose.Keys, err error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return nil, err
	}
	request.Header.Set("Accept", "application/jwk-set+json, application/json")
	response, err := client.Do(request)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, response.Body.Close()) }()
	if response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("the answer is %s, not 200; redirects are not followed", response.Status)
	}
	body, err := io.ReadAll(io.LimitReader(response.Body, jose.MaxJWKSBytes+1))
	if err != nil {
		return nil, err
	}
	if keys, err = jose.ParseJWKS(body); err != nil {
		return nil, err
	}
	if len(keys) == 0 {
		// An issuer always has a key. Believing an empty answer would refuse
		// everybody for a mistake.
		return nil, errors.New("the key set has no key that can be used")
	}
	return keys, nil
}
