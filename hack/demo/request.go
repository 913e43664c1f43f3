package demo

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"
)

// maxAnswer bounds what is read of an answer, in bytes.
const maxAnswer = 1 << 20

// request is an HTTP request of the story. It is printed and sent from the same description:
// what curl would do with the printed line is what happens.
type request struct {
	url string
	// folder, in the state folder, of the client certificate; empty: none.
	certificate string
	// form fields make it a POST.
	form []field
	// tokenFile, in the state folder, holds the access token; empty: none.
	tokenFile string
}

// field is a form parameter: its value, or the file in the state folder that holds it.
type field struct{ name, value, file string }

// curl is the line that sends the request.
func (d *Demo) curl(r request) string {
	var b strings.Builder
	b.WriteString("curl --cacert " + shellWord(d.typed("tls", "issuer", "ca.crt")))
	if r.certificate != "" {
		b.WriteString(" --cert " + shellWord(d.typed(r.certificate, "tls.crt")) + " --key " + shellWord(d.typed(r.certificate, "tls.key")))
	}
	for _, f := range r.form {
		if f.file != "" {
			b.WriteString(" \\\n--data-urlencode " + shellWord(f.name+"@"+d.typed(f.file)))
		} else {
			b.WriteString(" \\\n-d " + shellWord(f.name+"="+f.value))
		}
	}
	if r.tokenFile != "" {
		b.WriteString(" \\\n-H \"Authorization: Bearer $(cat " + shellWord(d.typed(r.tokenFile)) + ")\"")
	}
	b.WriteString(" \\\n" + shellWord(r.url))
	return b.String()
}

// answer is what came back.
type answer struct {
	status int
	header http.Header
	body   []byte
}

// send sends the request, over a connection of its own, as curl does.
func (d *Demo) send(ctx context.Context, r request) (answer, error) {
	method, body := http.MethodGet, io.Reader(nil)
	if r.form != nil {
		values := url.Values{}
		for _, f := range r.form {
			if f.file != "" {
				data, err := os.ReadFile(d.path(f.file))
				if err != nil {
					return answer{}, err
				}
				f.value = string(data)
			}
			values.Add(f.name, f.value)
		}
		method, body = http.MethodPost, strings.NewReader(values.Encode())
	}
	httpRequest, err := http.NewRequestWithContext(ctx, method, r.url, body)
	if err != nil {
		return answer{}, err
	}
	if r.form != nil {
		httpRequest.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	if r.tokenFile != "" {
		token, err := os.ReadFile(d.path(r.tokenFile))
		if err != nil {
			return answer{}, err
		}
		httpRequest.Header.Set("Authorization", "Bearer "+string(token))
	}
	httpClient, err := d.httpClient(r.certificate)
	if err != nil {
		return answer{}, err
	}
	response, err := httpClient.Do(httpRequest)
	if err != nil {
		return answer{}, err
	}
	defer func() { _ = response.Body.Close() }()
	data, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer))
	return answer{response.StatusCode, response.Header, data}, err
}

// httpClient trusts the platform's CA, and presents the certificate of that folder.
func (d *Demo) httpClient(certificate string) (*http.Client, error) {
	ca, err := os.ReadFile(d.path("tls", "issuer", "ca.crt"))
	if err != nil {
		return nil, err
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(ca) {
		return nil, errors.New(d.path("tls", "issuer", "ca.crt") + " holds no certificate")
	}
	config := &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}
	if certificate != "" {
		pair, err := tls.LoadX509KeyPair(d.path(certificate, "tls.crt"), d.path(certificate, "tls.key"))
		if err != nil {
			return nil, err
		}
		// Always, also where the server's list of acceptable CAs does not name its CA.
		config.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &pair, nil }
	}
	return &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{DisableKeepAlives: true, TLSClientConfig: config}}, nil
}

// show prints an answer: status, what tells a client how to go on, and the body. A token is
// shortened: it is long, and shown decoded where it matters.
func (d *Demo) show(a answer) {
	d.tell.saw(fmt.Sprintf("HTTP %d %s", a.status, http.StatusText(a.status)))
	if challenge := a.header.Get("WWW-Authenticate"); challenge != "" {
		d.tell.saw("WWW-Authenticate: " + challenge)
	}
	body, err := parseObject(a.body)
	if err != nil {
		d.tell.saw(strings.TrimSpace(string(a.body)))
		return
	}
	for i, m := range body {
		var token string
		if m.name == "access_token" && json.Unmarshal(m.value, &token) == nil && len(token) > 40 {
			body[i].value = json.RawMessage(strconv.Quote(token[:20] + "..." + token[len(token)-8:]))
		}
	}
	d.tell.saw(body.commented(nil, time.Now()))
}

// problem is an OAuth error answer.
type problem struct {
	Error   string `json:"error"`
	Codes   []int  `json:"error_codes"`
	TraceID string `json:"trace_id"`
}

// refusedWith is nil if the answer is that refusal; code 0 means whatever the number.
func (a answer) refusedWith(status int, name string, code int) error {
	var p problem
	if err := json.Unmarshal(a.body, &p); err != nil {
		return fmt.Errorf("HTTP %d with a body that is no OAuth error: %s", a.status, a.body)
	}
	if a.status != status || p.Error != name || (code != 0 && (len(p.Codes) != 1 || p.Codes[0] != code)) {
		return fmt.Errorf("HTTP %d %s %v", a.status, p.Error, p.Codes)
	}
	return nil
}

// ok is nil if the request was served.
func (a answer) ok() error {
	if a.status != http.StatusOK {
		return fmt.Errorf("HTTP %d: %s", a.status, bytes.TrimSpace(a.body))
	}
	return nil
}
