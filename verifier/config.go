package verifier

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/lanyard-dev/lanyard/issuer/jose"
	"github.com/lanyard-dev/lanyard/issuer/oauth"
)

// Config says which tokens are accepted. Issuer and Audience are required; the
// zero value of everything else is what most servers want.
type Config struct {
	// Issuer is the issuer's identifier, byte for byte as in the claim iss: an
	// https URL, without a slash at the end.
	Issuer string
	// Audience is this server's identifier, the spec.identifier of its
	// ProtectedResource.
	Audience string
	// JWKSURL is where the issuer's keys are: an https URL. Empty means
	// <Issuer>/oauth2/keys. It is never taken from a token.
	JWKSURL string
	// RootCAs are the authorities that may have signed the issuer's own
	// certificate. Nil means those of the system. Not used with HTTPClient.
	RootCAs *x509.CertPool
	// HTTPClient fetches the keys. Nil means one with a timeout of 10 s. In no
	// case does it follow redirects.
	HTTPClient *http.Client
	// AllowUnbound also accepts tokens that are not bound to a certificate. Set
	// it only for a resource whose tokenBindingPolicy is Optional: whoever sees
	// such a token can use it.
	AllowUnbound bool
	// Algorithms narrows the signature algorithms. None means RS256, PS256,
	// ES256, ES384 and EdDSA, each for the keys that are published for it.
	Algorithms []jose.Algorithm
	// Leeway is how far the clocks of issuer and server may be apart. Zero means
	// 30 s.
	Leeway time.Duration
	// Now is the clock. Nil means time.Now.
	Now func() time.Time
	// Logger hears of keys that could not be fetched, and at debug level why
	// requests were refused; never of a token. Nil means silence.
	Logger *slog.Logger
}

// Verifier verifies access tokens. It is safe for use by several goroutines, and
// needs no closing.
type Verifier struct {
	expected     jose.Expected // without Now
	audience     string
	allowUnbound bool
	now          func() time.Time
	keys         *keyCache
	log          *slog.Logger
}

// fetchTimeout bounds one fetch of the issuer's keys.
const fetchTimeout = 10 * time.Second

// New returns a Verifier. It fetches nothing yet. The error says which field of c
// is wrong and what to write instead.
func New(c Config) (*Verifier, error) {
	c, err := c.complete()
	if err != nil {
		return nil, fmt.Errorf("verifier: %w", err)
	}
	return &Verifier{
		expected: jose.Expected{
			Issuer:     c.Issuer,
			Audiences:  []string{c.Audience},
			Types:      []string{oauth.TypAccessToken},
			Algorithms: c.Algorithms,
			Leeway:     c.Leeway,
			// Lanyard signs with a low s, so each of its tokens has one form.
			RequireLowS: true,
		},
		audience:     c.Audience,
		allowUnbound: c.AllowUnbound,
		now:          c.Now,
		keys:         &keyCache{fetch: fetcher(c.HTTPClient, c.JWKSURL), now: c.Now, log: c.Logger},
		log:          c.Logger,
	}, nil
}

// complete checks c and fills in its defaults.
func (c Config) complete() (Config, error) {
	if err := checkURL("Issuer", c.Issuer); err != nil {
		return c, err
	}
	if strings.HasSuffix(c.Issuer, "/") {
		return c, fmt.Errorf("field Issuer is %q; write it without the slash at the end", c.Issuer)
	}
	if c.JWKSURL == "" {
		c.JWKSURL = c.Issuer + "/oauth2/keys"
	}
	if err := checkURL("JWKSURL", c.JWKSURL); err != nil {
		return c, err
	}
	if c.Audience == "" {
		return c, errors.New("field Audience is empty; write the spec.identifier of the ProtectedResource")
	}
	if quotable(c.Audience) != c.Audience {
		return c, fmt.Errorf("field Audience %q has characters that no identifier has", c.Audience)
	}
	for _, a := range c.Algorithms {
		if !a.Known() {
			return c, fmt.Errorf("field Algorithms has %q; write some of %v", a, jose.Algorithms())
		}
	}
	if c.Leeway < 0 {
		return c, fmt.Errorf("field Leeway is %s; it cannot be negative", c.Leeway)
	}
	if c.Now == nil {
		c.Now = time.Now //nolint:forbidigo // the one default of a public package; tests set Config.Now
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	c.HTTPClient = keyClient(c.HTTPClient, c.RootCAs)
	return c, nil
}

func checkURL(field, text string) error {
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "https" || u.Host == "" || u.User != nil || u.RawQuery != "" || u.ForceQuery || u.Fragment != "" {
		return fmt.Errorf("field %s is %q; write an https URL without user, query and fragment", field, text)
	}
	return nil
}

// keyClient returns a client that follows no redirect: keys come from the
// configured place or not at all.
func keyClient(given *http.Client, roots *x509.CertPool) *http.Client {
	client := http.Client{Timeout: fetchTimeout}
	if given != nil {
		client = *given
	} else if base, ok := http.DefaultTransport.(*http.Transport); ok {
		transport := base.Clone()
		transport.TLSClientConfig = &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}
		client.Transport = transport
	}
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &client
}
