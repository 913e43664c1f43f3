package app

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

// Call is one request to an API.
type Call struct {
	Method string            `json:"method,omitempty"` // GET if empty
	URL    string            `json:"url"`
	Header map[string]string `json:"header,omitempty"`
	Body   string            `json:"body,omitempty"`
	// Directory is one of /var/run/lanyard/bound: the call is made with its certificate, and with
	// its token unless Token is set.
	Directory string `json:"directory,omitempty"`
	// Token goes into the header Authorization.
	Token string `json:"token,omitempty"`
	// Timeout is 10 s if zero.
	Timeout time.Duration `json:"timeout,omitempty"`
}

// Answer is what came of a [Call]: an answer of the API, or an error.
type Answer struct {
	Status int           `json:"status,omitempty"`
	Header http.Header   `json:"header,omitempty"`
	Body   string        `json:"body,omitempty"` // at most 64 KiB
	Error  string        `json:"error,omitempty"`
	Took   time.Duration `json:"took"`
}

// Refusal is empty if the API answered 2xx, and says what came instead otherwise.
func (a Answer) Refusal() string {
	switch {
	case a.Error != "":
		return a.Error
	case a.Status/100 != 2:
		return strings.TrimSpace(fmt.Sprintf("%d %.300s", a.Status, strings.TrimSpace(a.Body)))
	}
	return ""
}

const (
	callTimeout = 10 * time.Second
	maxBody     = 64 << 10
	// maxIdle is how many connections are kept for the next calls: as many as may be under way.
	maxIdle = maxUnderWay
)

// Caller makes calls. It keeps connections, one set for each certificate.
type Caller struct {
	roots *x509.CertPool // nil: the system's

	mu      sync.Mutex
	plain   *http.Client
	bound   *http.Client
	boundTo string // the certificate that bound connects with, DER
}

// NewCaller trusts the authorities of a PEM file when it connects; none means the system's.
func NewCaller(caFile string) (*Caller, error) {
	c := &Caller{}
	if caFile != "" {
		pem, err := os.ReadFile(caFile)
		if err != nil {
			return nil, err
		}
		c.roots = x509.NewCertPool()
		if !c.roots.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("%s holds no PEM certificate", caFile)
		}
	}
	c.plain = c.client(nil)
	return c, nil
}

func (c *Caller) client(certificate *tls.Certificate) *http.Client {
	config := &tls.Config{RootCAs: c.roots, MinVersion: tls.VersionTLS12}
	if certificate != nil {
		config.Certificates = []tls.Certificate{*certificate}
	}
	return &http.Client{Transport: &http.Transport{
		TLSClientConfig: config, MaxIdleConnsPerHost: maxIdle, IdleConnTimeout: time.Minute, ForceAttemptHTTP2: true,
	}}
}

// Do makes a call.
func (c *Caller) Do(ctx context.Context, call Call) Answer {
	begun := time.Now()
	answer, err := c.do(ctx, call)
	if err != nil {
		answer = Answer{Error: err.Error()}
	}
	answer.Took = time.Since(begun)
	return answer
}

func (c *Caller) do(ctx context.Context, call Call) (answer Answer, err error) {
	timeout := call.Timeout
	if timeout <= 0 {
		timeout = callTimeout
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	client, token := c.plain, call.Token
	if call.Directory != "" {
		var inDirectory string
		if client, inDirectory, err = c.withDirectory(call.Directory); err != nil {
			return answer, err
		}
		if token == "" {
			token = inDirectory
		}
	}
	method := call.Method
	if method == "" {
		method = http.MethodGet
	}
	request, err := http.NewRequestWithContext(ctx, method, call.URL, strings.NewReader(call.Body))
	if err != nil {
		return answer, err
	}
	for name, value := range call.Header {
		request.Header.Set(name, value)
	}
	if token != "" {
		request.Header.Set("Authorization", "Bearer "+token)
	}
	response, err := client.Do(request)
	if err != nil {
		return answer, err
	}
	body, err := io.ReadAll(io.LimitReader(response.Body, maxBody))
	if err := errors.Join(err, response.Body.Close()); err != nil {
		return answer, fmt.Errorf("reading the answer: %w", err)
	}
	return Answer{Status: response.StatusCode, Header: response.Header, Body: string(body)}, nil
}

// withDirectory reads token and certificate of a directory that is switched as a whole: it is
// resolved once, so that what is read of it belongs together.
func (c *Caller) withDirectory(directory string) (*http.Client, string, error) {
	resolved, err := filepath.EvalSymlinks(directory)
	if err != nil {
		return nil, "", err
	}
	token, err := os.ReadFile(filepath.Join(resolved, "token"))
	if err != nil {
		return nil, "", err
	}
	certificate, err := tls.LoadX509KeyPair(filepath.Join(resolved, "tls.crt"), filepath.Join(resolved, "tls.key"))
	if err != nil {
		return nil, "", err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if made := string(certificate.Certificate[0]); c.bound == nil || c.boundTo != made {
		c.bound, c.boundTo = c.client(&certificate), made
	}
	return c.bound, strings.TrimSpace(string(token)), nil
}
