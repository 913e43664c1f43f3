package main

import (
	"path/filepath"
	"strings"
	"testing"
)

func TestRefusesToStartWithoutACertificateForTheWebhooks(t *testing.T) {
	dir := t.TempDir()
	o := parsed(t, []string{"--webhook-tls-cert=" + filepath.Join(dir, "tls.crt"), "--webhook-tls-key=" + filepath.Join(dir, "tls.key")}, nil)
	err := setUpWebhooks(t.Context(), nil, o) // it needs no manager to see that
	if err == nil {
		t.Fatal("it starts without a certificate")
	}
	for _, says := range []string{"--webhook-tls-cert=" + dir, "no such file", "--webhook-listen=0"} {
		if !strings.Contains(err.Error(), says) {
			t.Errorf("err = %v; want %q in it", err, says)
		}
	}
	if err := setUpWebhooks(t.Context(), nil, parsed(t, []string{"--webhook-listen=0"}, nil)); err != nil {
		t.Errorf("without webhooks: %v", err)
	}
}
