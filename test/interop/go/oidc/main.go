// Command oidc verifies an access token with github.com/coreos/go-oidc, as an API in Go would
// that knows only OpenID Connect Discovery. It reads what to verify from standard input, as JSON,
// and writes the claims to standard output, as JSON.
package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
)

// input is what to verify.
type input struct {
	Issuer   string `json:"issuer"`
	CA       string `json:"ca"`
	Audience string `json:"audience"`
	Token    string `json:"token"`
}

func main() {
	if err := run(context.Background(), os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(ctx context.Context, stdin io.Reader, stdout io.Writer) error {
	var in input
	if err := json.NewDecoder(stdin).Decode(&in); err != nil {
		return err
	}
	ca, err := os.ReadFile(in.CA)
	if err != nil {
		return err
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(ca) {
		return errors.New(in.CA + " holds no certificate")
	}
	ctx = oidc.ClientContext(ctx, &http.Client{
		Timeout:   20 * time.Second,
		Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}},
	})
	provider, err := oidc.NewProvider(ctx, in.Issuer)
	if err != nil {
		return err
	}
	token, err := provider.VerifierContext(ctx, &oidc.Config{ClientID: in.Audience}).Verify(ctx, in.Token)
	if err != nil {
		return err
	}
	var claims map[string]any
	if err := token.Claims(&claims); err != nil {
		return err
	}
	return json.NewEncoder(stdout).Encode(map[string]any{"step": "verified", "payload": claims})
}
