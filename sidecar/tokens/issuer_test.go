package tokens_test

import (
	"context"
	"crypto/tls"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/lanyard-dev/lanyard/issuer/oauth"
	"github.com/lanyard-dev/lanyard/sidecar/tokens"
)

// issuer is a fake one. It gives tokens that say which they are, and fails the test if
// two requests for one resource are in flight.
type issuer struct {
	t     *testing.T
	takes time.Duration
	life  time.Duration // zero: ten minutes

	mu       sync.Mutex
	away     error // what every request fails with
	refuses  map[string]error
	unpinned *tls.Certificate // not pinned yet
	binds    *tls.Certificate // what tokens are bound to; nil: the connection's
	requests []asked
	inFlight map[string]bool
}

type asked struct {
	resource    string
	certificate *tls.Certificate
	at          time.Time
}

// Token implements tokens.Issuer.
func (i *issuer) Token(ctx context.Context, resource string, certificate *tls.Certificate) (tokens.Grant, error) {
	i.mu.Lock()
	if i.inFlight[resource] {
		i.t.Errorf("two requests for %s are in flight", resource)
	}
	if i.inFlight == nil {
		i.inFlight = map[string]bool{}
	}
	i.inFlight[resource] = true
	i.requests = append(i.requests, asked{resource, certificate, time.Now()})
	number := i.count(resource)
	i.mu.Unlock()

	select {
	case <-time.After(i.takes):
	case <-ctx.Done():
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	i.inFlight[resource] = false
	switch {
	case ctx.Err() != nil:
		return tokens.Grant{}, &tokens.Unavailable{Resource: resource, Cause: ctx.Err()}
	case i.away != nil:
		return tokens.Grant{}, i.away
	case i.refuses[resource] != nil:
		return tokens.Grant{}, i.refuses[resource]
	case certificate != nil && certificate == i.unpinned:
		return tokens.Grant{}, &tokens.Refused{Resource: resource, Code: oauth.InvalidClient, Number: oauth.ErrCertificateNotPinned}
	}
	g := tokens.Grant{AccessToken: fmt.Sprintf("%s %d", resource, number), TokenType: "Bearer", ExpiresIn: 10 * time.Minute}
	if i.life != 0 {
		g.ExpiresIn = i.life
	}
	if i.binds != nil {
		certificate = i.binds
	}
	if certificate != nil {
		g.Thumbprint = tokens.Thumbprint(certificate)
	}
	return g, nil
}

func (i *issuer) set(change func()) {
	i.mu.Lock()
	defer i.mu.Unlock()
	change()
}

func (i *issuer) count(resource string) (n int) {
	for _, r := range i.requests {
		if r.resource == resource {
			n++
		}
	}
	return n
}

// asked is how often it was asked for a resource's token.
func (i *issuer) asked(resource string) int {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.count(resource)
}

// want fails the test unless there is a token.
func (i *issuer) want(token *tokens.Token, err error) *tokens.Token {
	i.t.Helper()
	if err != nil {
		i.t.Fatalf("no token: %v", err)
	}
	return token
}
