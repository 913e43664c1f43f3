package main

import (
	"errors"
	"fmt"
	"net/url"
	"sync"
	"time"

	"github.com/lanyard-dev/lanyard/test/bench/stand"
)

// The servers: one process each, on the same core, idle while another is measured.
const (
	serverFloor  = "floor"
	serverIssuer = "issuer"
)

const (
	pathToken  = "/oauth2/token"
	jwtBearer  = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
	grantType  = "client_credentials"
	boundScope = stand.BoundResource + "/.default"
	openScope  = stand.OpenResource + "/.default"
)

// crowd is how many peers there are, and how many requests all of them together may
// need that nobody sent before.
type crowd struct{ peers, fresh int }

// way makes the peers and what they send.
type way func(f stand.Fixture, path string, n crowd) ([]connection, error)

// binding is what the tokens of a contender are bound to.
type binding int

const (
	unbound binding = iota
	toCertificate
	toProofKey
)

// contender is one thing that is measured in every round: which server and path
// are asked, and with what.
type contender struct {
	name, server, path string
	way                way
	binding            binding
}

// contenders in the order of a round. What is compared stands side by side. A new
// way to get a token is one line here and one in comparisons.
func contenders() []contender {
	return []contender{
		{"verify and sign", serverFloor, stand.PathVerifyAndSign, seen(stand.MTLS), unbound},
		{"federated, first seen", serverIssuer, pathToken, firstSeen, toCertificate},
		{"private_key_jwt", serverIssuer, pathToken, signed(stand.RSA), toCertificate},
		{"private_key_jwt, ES256", serverIssuer, pathToken, signed(stand.MTLS), toCertificate},
		{"look up and sign", serverFloor, stand.PathLookUpAndSign, seen(stand.MTLS), unbound},
		{"federated, seen before", serverIssuer, pathToken, seen(stand.MTLS), toCertificate},
		{"federated, bearer", serverIssuer, pathToken, seen(stand.Bearer), unbound},
		{"federated, DPoP", serverIssuer, pathToken, proven(seen(stand.DPoP)), toProofKey},
		{"client secret", serverIssuer, pathToken, secrets, unbound},
		{"sign", serverFloor, stand.PathSign, certificates, unbound},
		{"mtls", serverIssuer, pathToken, certificates, toCertificate},
		{"sign, new connection", serverFloor, stand.PathSign, redialed(certificates), unbound},
		{"mtls, new connection", serverIssuer, pathToken, redialed(certificates), toCertificate},
	}
}

// comparison sets one contender beside another.
type comparison struct {
	name        string
	ours, floor string
	// goal is the least ratio of tokens per second; zero: there is none. With a goal
	// goes another one: at half of the greatest rate p99 is at most latencyGoal times
	// the floor's at half of its own.
	goal float64
}

const latencyGoal = 2

func comparisons() []comparison {
	return []comparison{
		{"federated, first seen", "federated, first seen", "verify and sign", 0.75},
		{"federated, seen before", "federated, seen before", "look up and sign", 0.8},
		{"private_key_jwt", "private_key_jwt", "verify and sign", 0.7},
		{"mtls", "mtls", "sign", 0.75},
		{"mtls, new connection", "mtls, new connection", "sign, new connection", 0.8},
		{"private_key_jwt, ES256", "private_key_jwt, ES256", "verify and sign", 0},
		{"federated, bearer", "federated, bearer", "look up and sign", 0},
		{"federated, DPoP", "federated, DPoP", "verify and sign", 0},
		{"client secret", "client secret", "sign", 0},
	}
}

// peersOf gives each peer a client of a kind, with its certificate.
func peersOf(f stand.Fixture, n int, kind stand.Kind, of func(*connection, stand.Client) error) ([]connection, error) {
	out := make([]connection, n)
	failures := make([]error, n)
	var all sync.WaitGroup
	for i, c := range f.Some(n, kind) {
		all.Go(func() {
			if kind == stand.MTLS || kind == stand.RSA {
				out[i].Certificate = &c.Certificate
			}
			failures[i] = of(&out[i], c)
		})
	}
	all.Wait()
	for _, err := range failures {
		if err != nil {
			return nil, err
		}
	}
	return out, nil
}

// seen: each peer sends the service account tokens of its pods in turn, as a pod
// does all hour.
func seen(kind stand.Kind) way {
	return func(f stand.Fixture, path string, n crowd) ([]connection, error) {
		return peersOf(f, n.peers, kind, func(to *connection, c stand.Client) error {
			for _, p := range c.Pods {
				to.Requests = append(to.Requests, assertion(path, kind, p.Assertion))
			}
			return nil
		})
	}
}

// firstSeen: each peer sends service account tokens that nobody has seen.
func firstSeen(f stand.Fixture, path string, n crowd) ([]connection, error) {
	return peersOf(f, n.peers, stand.MTLS, func(to *connection, c stand.Client) error {
		to.Once = true
		for i := range n.each() {
			t, err := f.Projected(c, c.Pods[i%len(c.Pods)], time.Now())
			if err != nil {
				return err
			}
			to.Requests = append(to.Requests, assertion(path, stand.MTLS, t))
		}
		return nil
	})
}

// signed: each peer signs its assertions itself; each works once (RFC 7523 section 3).
func signed(kind stand.Kind) way {
	return func(f stand.Fixture, path string, n crowd) ([]connection, error) {
		return peersOf(f, n.peers, kind, func(to *connection, c stand.Client) error {
			to.Once = true
			for range n.each() {
				t, err := f.Signed(c, time.Now())
				if err != nil {
					return err
				}
				to.Requests = append(to.Requests, assertion(path, kind, t))
			}
			return nil
		})
	}
}

func (n crowd) each() int { return n.fresh/n.peers + 1 }

// certificates: each peer authenticates by its certificate and its client_id alone
// (RFC 8705 section 2).
func certificates(f stand.Fixture, path string, n crowd) ([]connection, error) {
	return peersOf(f, n.peers, stand.MTLS, func(to *connection, c stand.Client) error {
		to.Requests = [][]byte{post(path, url.Values{"grant_type": {grantType}, "client_id": {c.ID()}, "scope": {boundScope}})}
		return nil
	})
}

// secrets: each peer sends its client's secret in the form (RFC 6749 section 2.3.1).
func secrets(f stand.Fixture, path string, n crowd) ([]connection, error) {
	return peersOf(f, n.peers, stand.Bearer, func(to *connection, c stand.Client) error {
		to.Requests = [][]byte{post(path, url.Values{"grant_type": {grantType}, "client_id": {c.ID()}, "client_secret": {c.Secret}, "scope": {openScope}})}
		return nil
	})
}

// proven is another way with a DPoP proof for each request (RFC 9449).
func proven(w way) way {
	return func(f stand.Fixture, path string, n crowd) ([]connection, error) {
		out, err := w(f, path, n)
		for i := range out {
			key, e := newProofKey()
			err = errors.Join(err, e)
			out[i].ProofKey = key
		}
		return out, err
	}
}

// redialed is another way over a new connection for each token.
func redialed(w way) way {
	return func(f stand.Fixture, path string, n crowd) ([]connection, error) {
		out, err := w(f, path, n)
		for i := range out {
			out[i].Redial = true
		}
		return out, err
	}
}

func assertion(path string, kind stand.Kind, raw string) []byte {
	scope := boundScope
	if kind == stand.Bearer {
		scope = openScope
	}
	return post(path, url.Values{"grant_type": {grantType}, "client_assertion_type": {jwtBearer}, "client_assertion": {raw}, "scope": {scope}})
}

// post is a whole request of HTTP/1.1.
func post(path string, form url.Values) []byte {
	body := form.Encode()
	return fmt.Appendf(nil, "POST %s HTTP/1.1\r\nHost: lanyard-issuer.lanyard-system.svc\r\nUser-Agent: lanyard-bench\r\n"+
		"Accept: application/json\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: %d\r\n\r\n%s", path, len(body), body)
}
