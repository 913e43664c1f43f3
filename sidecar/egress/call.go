package egress

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"

	"github.com/lanyard-dev/lanyard/sidecar/tokens"
)

// call is one request of the app on its way to the upstream: an http.RoundTripper for once.
type call struct {
	*upstream

	seen  *observation
	pools []*pool // in use until the answer has been passed on
}

var errNotPaired = errors.New("the token is not bound to the certificate at hand")

// noTokenError says that no token could be had.
type noTokenError struct{ error }

func (e noTokenError) Unwrap() error { return e.error }

// RoundTrip sends the request with the token, and once more with another if the API says that it
// does not accept this one (RFC 6750 section 3.1): keys were changed at the issuer, or the
// certificate was renewed between the token's being taken and its coming there. A request that
// was refused so was not carried out; one whose body cannot be sent again is not repeated, but
// the next one has the other token.
func (c *call) RoundTrip(r *http.Request) (*http.Response, error) {
	token, err := c.token(r.Context())
	if err != nil {
		return nil, noTokenError{err}
	}
	response, err := c.send(r, token)
	if err != nil || !refusesToken(response) {
		return response, err
	}
	another, err := c.renew(r.Context(), token)
	if err != nil || another.Value == token.Value || !replayable(r) {
		return response, nil //nolint:nilerr // the API's own answer says more than that there is no other token
	}
	_, _ = io.CopyN(io.Discard, response.Body, maxReplay) // so that the connection can be used again
	_ = response.Body.Close()
	c.counts.retried(c.URL.Host)
	return c.send(r, another)
}

func (c *call) token(ctx context.Context) (*tokens.Token, error) {
	ctx, cancel := context.WithTimeout(ctx, tokenTimeout)
	defer cancel()
	return c.tokens.Token(ctx, c.Resource)
}

func (c *call) renew(ctx context.Context, instead *tokens.Token) (*tokens.Token, error) {
	ctx, cancel := context.WithTimeout(ctx, tokenTimeout)
	defer cancel()
	return c.tokens.Renew(ctx, c.Resource, instead)
}

// send sends the request over a connection that was made with the token's own certificate.
func (c *call) send(r *http.Request, token *tokens.Token) (*http.Response, error) {
	if !paired(token) {
		return nil, noTokenError{errNotPaired}
	}
	roots, err := c.roots.current()
	if err != nil {
		return nil, err
	}
	out := r.WithContext(r.Context())
	out.Header = r.Header.Clone()
	out.Header.Set("Authorization", "Bearer "+token.Value)
	if r.GetBody != nil {
		if out.Body, err = r.GetBody(); err != nil {
			return nil, err
		}
	}
	p := c.connections.take(token.Certificate, roots)
	c.pools = append(c.pools, p)
	return p.RoundTrip(out)
}

// end is called when the answer has been passed on, or the tunnel of an upgrade has ended.
func (c *call) end() {
	for _, p := range c.pools {
		c.connections.give(p)
	}
}

// paired reports whether a token that is bound to a certificate came with it.
func paired(t *tokens.Token) bool {
	if t.Thumbprint == "" {
		return true
	}
	return t.Certificate != nil && len(t.Certificate.Certificate) > 0 && tokens.Thumbprint(t.Certificate) == t.Thumbprint
}

func replayable(r *http.Request) bool {
	return r.Body == nil || r.Body == http.NoBody || r.GetBody != nil
}

// refusesToken reports whether the answer says invalid_token.
func refusesToken(response *http.Response) bool {
	if response.StatusCode != http.StatusUnauthorized {
		return false
	}
	for _, challenge := range response.Header.Values("WWW-Authenticate") {
		for parameter := range strings.FieldsFuncSeq(challenge, func(r rune) bool { return r == ',' || r == ' ' }) {
			name, value, _ := strings.Cut(parameter, "=")
			if strings.EqualFold(name, "error") && strings.Trim(value, `"`) == "invalid_token" {
				return true
			}
		}
	}
	return false
}
