package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/lanyard-dev/lanyard/test/bench/stand"
)

// peer is a client that costs next to nothing: what it sends is ready, and of an
// answer it reads the status, the length and what DPoP needs.
type peer struct {
	connection

	address  string
	config   *tls.Config
	proofKey *ecdsa.PrivateKey
	nonce    string

	conn      net.Conn // nil between two that live for one request each
	reader    *bufio.Reader
	next      int
	body      []byte
	latencies []time.Duration
}

func newPeer(j job, c connection) (*peer, error) {
	server, err := x509.ParseCertificate(j.Root)
	if err != nil {
		return nil, err
	}
	p := &peer{
		connection: c,
		address:    j.Address,
		config:     &tls.Config{MinVersion: tls.VersionTLS13, RootCAs: x509.NewCertPool()},
		reader:     bufio.NewReaderSize(nil, 16<<10),
		latencies:  make([]time.Duration, 0, 1<<14),
	}
	p.config.RootCAs.AddCert(server)
	if c.Certificate != nil {
		pair, err := c.Certificate.TLS()
		if err != nil {
			return nil, err
		}
		p.config.Certificates = []tls.Certificate{pair}
	}
	if c.ProofKey != nil {
		key, err := x509.ParsePKCS8PrivateKey(c.ProofKey)
		if err != nil {
			return nil, err
		}
		p.proofKey = key.(*ecdsa.PrivateKey)
	}
	return p, nil
}

// patience is how long a connection is waited for in all.
const patience = 3 * time.Minute

func (p *peer) dial(ctx context.Context) error {
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", p.address)
	if err != nil {
		return fmt.Errorf("cannot connect to %s: %w", p.address, err)
	}
	p.config.ServerName = "127.0.0.1"
	p.conn = tls.Client(conn, p.config)
	p.reader.Reset(p.conn)
	return p.conn.SetDeadline(time.Now().Add(patience))
}

// hangUp ends the connection, without the goodbye of TLS, which nobody waits for.
func (p *peer) hangUp() {
	if c, ok := p.conn.(*tls.Conn); ok {
		_ = c.NetConn().Close() // the work is done by then
		p.conn = nil
	}
}

// first sends the first request; a second one if the server wants a nonce of its own
// in the proof (RFC 9449 section 8).
func (p *peer) first(ctx context.Context) error {
	err := p.exchange(ctx)
	if p.proofKey == nil || err == nil || p.nonce == "" {
		return err
	}
	return p.exchange(ctx)
}

// send sends until the end, and keeps the latencies of what was answered after the
// beginning.
func (p *peer) send(ctx context.Context, m *measurement, due func(n int) time.Time) error {
	answered := time.Now()
	for n := range maxRequests {
		if p.Once && p.next >= len(p.Requests) {
			return nil
		}
		asked := answered
		if due != nil {
			asked = due(n)
			if wait := time.Until(asked); wait > 0 {
				time.Sleep(wait)
				asked = time.Now() // being late is the load's, not the server's
			}
		}
		if err := p.exchange(ctx); err != nil {
			return err
		}
		answered = time.Now()
		if answered.After(*m.end.Load()) {
			return nil
		}
		if answered.After(m.begin) {
			p.latencies = append(p.latencies, answered.Sub(asked))
		}
	}
	return fmt.Errorf("a connection sent %d requests before the time was over; lower -duration", maxRequests)
}

// exchange sends the next request and reads its answer, which must be a 200.
func (p *peer) exchange(ctx context.Context) error {
	if p.conn == nil {
		if err := p.dial(ctx); err != nil {
			return err
		}
	}
	request := p.Requests[p.next%len(p.Requests)]
	p.next++
	if p.proofKey != nil {
		proof, err := p.proof(time.Now())
		if err != nil {
			return err
		}
		line, rest, _ := bytes.Cut(request, []byte("\r\n"))
		request = fmt.Appendf(nil, "%s\r\nDPoP: %s\r\n%s", line, proof, rest)
	}
	if _, err := p.conn.Write(request); err != nil {
		return fmt.Errorf("sending: %w", err)
	}
	a, err := readAnswer(p.reader, p.body)
	p.body = a.body
	if a.nonce != "" {
		p.nonce = a.nonce
	}
	if p.Redial {
		p.hangUp()
	}
	switch {
	case err != nil:
		return fmt.Errorf("reading the answer: %w", err)
	case a.status != http.StatusOK:
		return fmt.Errorf("a request was refused with %d, so nothing was measured: %s", a.status, a.body)
	}
	return nil
}

// proof is a DPoP proof for the token endpoint (RFC 9449 section 4.2).
func (p *peer) proof(now time.Time) (string, error) {
	point, err := p.proofKey.PublicKey.Bytes()
	if err != nil {
		return "", err
	}
	id := rand.Text()
	claims := jwt.MapClaims{"jti": id, "htm": http.MethodPost, "htu": stand.IssuerURL + pathToken, "iat": now.Unix()}
	if p.nonce != "" {
		claims["nonce"] = p.nonce
	}
	t := jwt.NewWithClaims(jwt.SigningMethodES256, claims)
	t.Header["typ"] = "dpop+jwt"
	t.Header["jwk"] = map[string]string{
		"kty": "EC", "crv": "P-256",
		"x": base64.RawURLEncoding.EncodeToString(point[1:33]),
		"y": base64.RawURLEncoding.EncodeToString(point[33:]),
	}
	return t.SignedString(p.proofKey)
}

// newProofKey makes a key for DPoP proofs, PKCS #8.
func newProofKey() ([]byte, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	return x509.MarshalPKCS8PrivateKey(key)
}
