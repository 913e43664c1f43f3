// Command controller reconciles Lanyard's kinds: it judges clients, resources, roles
// and assignments, has cert-manager make client certificates and pins them, rotates the
// issuer's signing keys, and removes revocations of tokens that have ended. One replica
// works at a time; others wait. All of them answer the API server's admission reviews.
//
// It reads Lanyard's kinds, the metadata of namespaces, and cert-manager's
// Certificates and CertificateRequests. It writes the status of Lanyard's kinds,
// Certificates that it made itself, events, its Lease, and one Secret: the signing
// keys in its own namespace, the only Secret that it may read. With --client-secrets it
// also creates and patches the Secrets of clients that list clientSecret; a policy holds
// it to those.
package main

import (
	"context"
	"io"
	"os"

	"github.com/lanyard-dev/lanyard/cmd/internal/program"
)

func main() {
	var o Options
	os.Exit(program.Main("controller", os.Args[1:], &o, func(ctx context.Context, log io.Writer) error { return Run(ctx, o, log) }))
}
