package caroots

import (
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// maxRoots is more than a CA that is replaced each day leaves within a month. A
// ConfigMap ends at 1 MiB.
const maxRoots = 32

// parseRoots reads the certificates of a PEM file. Other blocks are passed over: a
// private key that was put beside the certificate must not get into a ConfigMap.
func parseRoots(text []byte) ([]*x509.Certificate, error) {
	var roots []*x509.Certificate
	for {
		var block *pem.Block
		if block, text = pem.Decode(text); block == nil {
			break
		}
		if block.Type != "CERTIFICATE" {
			continue
		}
		root, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, fmt.Errorf("certificate %d: %w", len(roots)+1, err)
		}
		roots = append(roots, root)
	}
	if len(roots) == 0 {
		return nil, errors.New("it holds no block BEGIN CERTIFICATE; name a PEM file with the root certificates of the issuer's CA")
	}
	return roots, nil
}

// union returns each of the roots once that has not expired by now, the newest first,
// and in one order whatever order they came in. Where there are too many the current
// ones stay, and the oldest of the others go.
func union(current, older []*x509.Certificate, now time.Time) []*x509.Certificate {
	var all []*x509.Certificate
	for _, group := range [][]*x509.Certificate{current, older} {
		slices.SortStableFunc(group, newerFirst)
		for _, root := range group {
			if now.Before(root.NotAfter) && len(all) < maxRoots && !slices.ContainsFunc(all, root.Equal) {
				all = append(all, root)
			}
		}
	}
	slices.SortFunc(all, newerFirst)
	return all
}

func newerFirst(a, b *x509.Certificate) int {
	if c := b.NotBefore.Compare(a.NotBefore); c != 0 {
		return c
	}
	return bytes.Compare(a.Raw, b.Raw)
}

// encode writes the roots as PEM; empty if there is none.
func encode(roots []*x509.Certificate) string {
	var text strings.Builder
	for _, root := range roots {
		text.Write(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: root.Raw}))
	}
	return text.String()
}
