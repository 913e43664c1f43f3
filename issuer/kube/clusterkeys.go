package kube

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"sync/atomic"
	"time"

	"golang.org/x/sync/singleflight"
	"k8s.io/client-go/rest"

	"github.com/lanyard-dev/lanyard/issuer/jose"
)

const (
	// keysEvery is how often the cluster's keys are fetched without a reason.
	keysEvery = 5 * time.Minute
	// keysAtMost bounds how often an unknown key id makes us ask: whoever may open a
	// connection can make one up.
	keysAtMost  = 10 * time.Second
	keysTimeout = 5 * time.Second
)

// ClusterKeys holds the keys that the cluster signs service account tokens with,
// and its issuers. It implements clientauth.Cluster.
//
// Both come from the API server itself, over the connection that the kubeconfig or
// the pod's own service account vouches for. The jwks_uri that its discovery
// document advertises may lead anywhere, and is never read.
type ClusterKeys struct {
	get    func(ctx context.Context, path string) ([]byte, error)
	extra  []string
	now    func() time.Time
	log    *slog.Logger
	state  atomic.Pointer[clusterState]
	last   atomic.Pointer[attempt]
	flight singleflight.Group
	// contact is when the keys were last fetched.
	contact contact
}

type clusterState struct {
	issuers []string
	keys    jose.Keys
}

// attempt is the last time that the keys were asked for.
type attempt struct {
	at  time.Time
	err error
}

func newClusterKeys(cfg *rest.Config, extra []string, now func() time.Time, log *slog.Logger) (*ClusterKeys, error) {
	base, _, err := rest.DefaultServerUrlFor(cfg)
	if err != nil {
		return nil, fmt.Errorf("the API server's address: %w", err)
	}
	client, err := rest.HTTPClientFor(cfg)
	if err != nil {
		return nil, err
	}
	c := *client
	c.CheckRedirect = func(*http.Request, []*http.Request) error {
		return errors.New("the API server redirects elsewhere; its keys are taken from itself only")
	}
	return &ClusterKeys{
		get:   func(ctx context.Context, path string) ([]byte, error) { return fetch(ctx, &c, base.JoinPath(path)) },
		extra: extra, now: now, log: log,
	}, nil
}

// fetch reads one document of the API server.
func fetch(ctx context.Context, c *http.Client, u *url.URL) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), http.NoBody)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Accept", "application/jwk-set+json, application/json")
	resp, err := c.Do(req)
	if err != nil {
		return nil, err
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("the API server answered %s to GET %s", resp.Status, u.Path)
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, jose.MaxJWKSBytes+1))
	if err == nil && len(body) > jose.MaxJWKSBytes {
		err = fmt.Errorf("the answer to GET %s has more than %d bytes", u.Path, jose.MaxJWKSBytes)
	}
	return body, err
}

// Issuers implements clientauth.Cluster.
func (c *ClusterKeys) Issuers() []string {
	if s := c.state.Load(); s != nil {
		return s.issuers
	}
	return nil
}

// Keys implements clientauth.Cluster.
func (c *ClusterKeys) Keys(ctx context.Context, kid string) (jose.KeySet, error) {
	if s := c.state.Load(); s != nil {
		if _, ok := s.keys.Key(kid); ok {
			return s.keys, nil
		}
	}
	if err := c.refresh(ctx, keysAtMost); err != nil {
		return nil, err
	}
	return c.state.Load().keys, nil
}

// run fetches the keys until ctx ends: soon again where that failed.
func (c *ClusterKeys) run(ctx context.Context) {
	for {
		pause := keysEvery
		if err := c.refresh(ctx, 0); err != nil {
			if ctx.Err() != nil {
				return
			}
			pause = keysAtMost
			if c.state.Load() == nil {
				pause = time.Second
			}
			c.log.Error("the cluster's service account keys could not be fetched", "error", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(pause):
		}
	}
}

// refresh fetches the keys unless that was tried less than atMost ago; then its
// outcome still stands.
func (c *ClusterKeys) refresh(ctx context.Context, atMost time.Duration) error {
	_, err, _ := c.flight.Do("", func() (any, error) {
		if last := c.last.Load(); last != nil && c.now().Sub(last.at) < atMost {
			return nil, last.err
		}
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), keysTimeout)
		defer cancel()
		s, err := c.load(ctx)
		if err == nil {
			c.state.Store(s)
			c.contact.mark(c.now())
		}
		c.last.Store(&attempt{at: c.now(), err: err})
		return nil, err
	})
	return err
}

func (c *ClusterKeys) load(ctx context.Context) (*clusterState, error) {
	document, err := c.get(ctx, "/.well-known/openid-configuration")
	if err != nil {
		return nil, err
	}
	var discovery struct {
		Issuer string `json:"issuer"`
	}
	if err := json.Unmarshal(document, &discovery); err != nil {
		return nil, fmt.Errorf("the API server's discovery document: %w", err)
	}
	if discovery.Issuer == "" {
		return nil, errors.New("the API server's discovery document names no issuer")
	}
	set, err := c.get(ctx, "/openid/v1/jwks")
	if err != nil {
		return nil, err
	}
	keys, err := jose.ParseJWKS(set)
	if err != nil {
		return nil, fmt.Errorf("the API server's keys: %w", err)
	}
	if len(keys) == 0 {
		return nil, errors.New("the API server publishes no key that can be used")
	}
	issuers := []string{discovery.Issuer}
	for _, i := range c.extra {
		if !slices.Contains(issuers, i) {
			issuers = append(issuers, i)
		}
	}
	return &clusterState{issuers: issuers, keys: keys}, nil
}
