package tokens

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/lanyard-dev/lanyard/issuer/oauth"
)

const (
	// attemptTimeout bounds a request with all its tries; see maxBackoff.
	attemptTimeout = 8 * time.Second
	// connectTimeout bounds the way to one replica, so that a dead one leaves time for another.
	connectTimeout = 2500 * time.Millisecond
	// answerTimeout bounds how long a replica thinks. The handshake has no bound of its own: an
	// issuer that many ask at once lets new ones wait before it.
	answerTimeout = 4 * time.Second
	// tries is how often a request is sent whose connection broke. The next connection
	// may lead to a replica that lives.
	tries = 3

	maxAnswer    = 256 << 10
	maxAssertion = 16 << 10
)

// ClientConfig is what a Client needs.
type ClientConfig struct {
	// Issuer is the issuer's URL; the token endpoint is below it.
	Issuer string
	// ClientID is needed with a certificate alone, and else says which of a service
	// account's clients asks.
	ClientID string
	// AssertionFile holds the service account token that authenticates, read at each
	// request because the kubelet replaces it. Empty: the certificate does
	// (tls_client_auth of RFC 8705 section 2.1).
	AssertionFile string
	// CAFile holds the roots of the issuer's certificate, PEM, read at each request
	// because they are replaced one day. Empty: the system's.
	CAFile string
}

// Client asks the issuer for tokens. Each request has a connection of its own: it comes
// with the certificate of the moment, goes to whichever replica lives, and costs nothing
// between two requests, which are minutes apart.
type Client struct {
	cfg ClientConfig
	url string
}

// NewClient returns the client of an issuer.
func NewClient(cfg ClientConfig) *Client {
	return &Client{cfg: cfg, url: strings.TrimSuffix(cfg.Issuer, "/") + "/oauth2/token"}
}

// Token implements Issuer.
func (c *Client) Token(ctx context.Context, resource string, certificate *tls.Certificate) (Grant, error) {
	unavailable := func(err error) (Grant, error) { return Grant{}, &Unavailable{Resource: resource, Cause: err} }
	form, err := c.form(resource)
	if err != nil {
		return unavailable(err)
	}
	transport, err := c.transport(certificate)
	if err != nil {
		return unavailable(err)
	}
	ctx, cancel := context.WithTimeout(ctx, attemptTimeout)
	defer cancel()
	for try := 1; ; try++ {
		grant, err := c.send(ctx, transport, resource, form)
		var broken *url.Error
		if errors.As(err, &broken) && try < tries && ctx.Err() == nil {
			continue
		}
		if broken != nil {
			return unavailable(fmt.Errorf("the issuer at %s cannot be reached: %w", c.cfg.Issuer, broken.Err))
		}
		return grant, err
	}
}

// form is the request (RFC 6749 section 4.4.2 with RFC 7523 section 2.2).
func (c *Client) form(resource string) (string, error) {
	form := url.Values{
		"grant_type": {string(oauth.GrantClientCredentials)},
		"scope":      {resource + "/" + oauth.DefaultScope},
	}
	if c.cfg.ClientID != "" {
		form.Set("client_id", c.cfg.ClientID)
	}
	if c.cfg.AssertionFile != "" {
		assertion, err := readFile(c.cfg.AssertionFile, maxAssertion)
		if err != nil {
			return "", fmt.Errorf("--assertion-file: %w", err)
		}
		form.Set("client_assertion_type", oauth.AssertionTypeJWTBearer)
		form.Set("client_assertion", strings.TrimSpace(string(assertion)))
	}
	return form.Encode(), nil
}

// transport makes connections with a certificate, one for each request.
func (c *Client) transport(certificate *tls.Certificate) (*http.Transport, error) {
	config := &tls.Config{MinVersion: tls.VersionTLS12}
	if certificate != nil {
		// Sent whatever CAs the issuer names: it judges certificates by their thumbprints.
		config.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return certificate, nil }
	}
	if c.cfg.CAFile != "" {
		text, err := readFile(c.cfg.CAFile, maxFile)
		if err != nil {
			return nil, fmt.Errorf("--ca: %w", err)
		}
		config.RootCAs = x509.NewCertPool()
		if !config.RootCAs.AppendCertsFromPEM(text) {
			return nil, fmt.Errorf("--ca=%s: the file holds no certificate in PEM", c.cfg.CAFile)
		}
	}
	return &http.Transport{
		Proxy:                  http.ProxyFromEnvironment,
		DialContext:            (&net.Dialer{Timeout: connectTimeout}).DialContext,
		TLSClientConfig:        config,
		ResponseHeaderTimeout:  answerTimeout,
		DisableKeepAlives:      true,
		DisableCompression:     true,
		MaxResponseHeaderBytes: 32 << 10,
	}, nil
}

// send sends the request once. A *url.Error says that no whole answer came.
func (c *Client) send(ctx context.Context, transport *http.Transport, resource, form string) (Grant, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.url, strings.NewReader(form))
	if err != nil {
		return Grant{}, &Unavailable{Resource: resource, Cause: err}
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("User-Agent", "lanyard-sidecar")
	// A redirect would carry the assertion to somewhere else.
	client := http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	resp, err := client.Do(req)
	if err != nil {
		return Grant{}, err
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return Grant{}, &url.Error{Op: "Post", URL: c.url, Err: err}
	}
	return parseAnswer(resource, resp.StatusCode, resp.Header, body)
}

// readFile reads a file that has at most so many bytes, and some.
func readFile(name string, most int64) ([]byte, error) {
	f, err := os.Open(name) //nolint:gosec // the file that a flag names
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	text, err := io.ReadAll(io.LimitReader(f, most+1))
	switch {
	case err != nil:
		return nil, err
	case len(text) == 0:
		return nil, fmt.Errorf("%s is empty", name)
	case int64(len(text)) > most:
		return nil, fmt.Errorf("%s has more than %d KiB", name, most>>10)
	}
	return text, nil
}
