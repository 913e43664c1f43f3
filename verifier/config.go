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

	"github.com/lanyard-dev/lanyard/issuer/dpop"
	"github.com/lanyard-dev/lanyard/issuer/jose"
	"github.com/lanyard-dev/lanyard/issuer/oauth"
	"github.com/lanyard-dev/lanyard/issuer/replay"
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
	// URLs are where clients reach this server: https, host and the path that a
	// proxy cuts off, such as https://orders.example.com/v1. The htu of a DPoP
	// proof must be the path of the request under one of them. None means https
	// and the Host of the request, if it came over TLS. Set it behind a proxy that
	// ends TLS or changes Host or path, or if other servers share the audience and
	// a proof for one of them must not serve at another.
	URLs []string
	// NonceKeys turns on nonces in DPoP proofs (RFC 9449 section 9), so that
	// nobody can make proofs in advance. Each is a random secret of at least 32
	// bytes that all replicas of the server share; the first makes nonces, all are
	// accepted. None means that no nonce is asked for.
	NonceKeys [][]byte
	// MaxProofs is how many DPoP proofs are remembered, so that none is used
	// twice: each for at most two minutes, at about 100 bytes. One client, or one
	// namespace, may fill half of it. When there is no room, requests with proofs
	// are answered 503. Zero means 262144, which is enough for 2,000 requests a second. The memory is
	// that of one process; replicas do not see each other's.
	MaxProofs int
	// AllowUnbound also accepts tokens that are bound to nothing. Set it only for a resource whose tokenBindingPolicy is Optional: whoever sees
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
	urls         []string
	nonces       dpop.Nonces
	// asksForNonces is whether there are any keys to make them.
	asksForNonces bool
	proofs        *replay.Memory
	now           func() time.Time
	keys          *keyCache
	log           *slog.Logger
}

const (
	// fetchTimeout bounds one fetch of the issuer's keys.
	fetchTimeout = 10 * time.Second
	// defaultMaxProofs is 1,000 requests a second of one client, each proof
	// remembered for two minutes.
	defaultMaxProofs = 1 << 18
	// minNonceKeyBytes is as long as the hash of an HMAC-SHA256.
	minNonceKeyBytes = 32
)

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
		audience:      c.Audience,
		allowUnbound:  c.AllowUnbound,
		urls:          c.URLs,
		nonces:        dpop.NewNonces(c.NonceKeys...),
		asksForNonces: len(c.NonceKeys) > 0,
		proofs:        replay.New(c.MaxProofs, (c.MaxProofs+1)/2),
		now:           c.Now,
		keys:          &keyCache{fetch: fetcher(c.HTTPClient, c.JWKSURL), now: c.Now, log: c.Logger},
		log:           c.Logger,
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
	if err := c.completeDPoP(); err != nil {
		return c, err
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

// completeDPoP is complete for what concerns DPoP.
func (c *Config) completeDPoP() error {
	bases := make([]string, 0, len(c.URLs))
	for _, text := range c.URLs {
		if err := checkURL("URLs", text); err != nil {
			return err
		}
		bases = append(bases, strings.TrimRight(text, "/"))
	}
	c.URLs = bases
	for i, key := range c.NonceKeys {
		if len(key) < minNonceKeyBytes {
			return fmt.Errorf("field NonceKeys[%d] has %d bytes; make it of at least %d random ones", i, len(key), minNonceKeyBytes)
		}
	}
	if c.MaxProofs < 0 {
		return fmt.Errorf("field MaxProofs is %d; it cannot be negative", c.MaxProofs)
	}
	if c.MaxProofs == 0 {
		c.MaxProofs = defaultMaxProofs
	}
	return nil
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
