// Command clientcredentials asks for a token with golang.org/x/oauth2/clientcredentials and
// nothing else. It reads what to ask for from standard input, as JSON, and writes the answer to
// standard output, as JSON.
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
	"net/url"
	"os"
	"time"

	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"
)

// input is what to ask for, and with what.
type input struct {
	TokenURL string `json:"tokenURL"`
	CA       string `json:"ca"`
	ClientID string `json:"clientID"`
	Secret   string `json:"secret"`
	// Style is auto, header or params.
	Style          string     `json:"style"`
	Scopes         []string   `json:"scopes"`
	Params         url.Values `json:"params"`
	Certificate    string     `json:"certificate"`
	CertificateKey string     `json:"certificateKey"`
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
	style, known := map[string]oauth2.AuthStyle{
		"auto": oauth2.AuthStyleAutoDetect, "header": oauth2.AuthStyleInHeader, "params": oauth2.AuthStyleInParams,
	}[in.Style]
	if !known {
		return fmt.Errorf("style %q: write auto, header or params", in.Style)
	}
	httpClient, err := in.httpClient()
	if err != nil {
		return err
	}
	config := clientcredentials.Config{
		ClientID: in.ClientID, ClientSecret: in.Secret, TokenURL: in.TokenURL,
		Scopes: in.Scopes, AuthStyle: style, EndpointParams: in.Params,
	}
	token, err := config.Token(context.WithValue(ctx, oauth2.HTTPClient, httpClient))
	if err != nil {
		return err
	}
	return json.NewEncoder(stdout).Encode(map[string]any{
		"step": "token", "access_token": token.AccessToken, "token_type": token.TokenType,
		"expires_in": int(time.Until(token.Expiry).Seconds()), "scope": token.Extra("scope"),
	})
}

func (in input) httpClient() (*http.Client, error) {
	ca, err := os.ReadFile(in.CA)
	if err != nil {
		return nil, err
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(ca) {
		return nil, errors.New(in.CA + " holds no certificate")
	}
	config := &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}
	if in.Certificate != "" {
		pair, err := tls.LoadX509KeyPair(in.Certificate, in.CertificateKey)
		if err != nil {
			return nil, err
		}
		config.Certificates = []tls.Certificate{pair}
	}
	return &http.Client{Timeout: 20 * time.Second, Transport: &http.Transport{TLSClientConfig: config}}, nil
}
