// Command issuer is Lanyard's OAuth 2.0 authorization server. It serves tokens,
// metadata and keys over TLS, and health and metrics on a second, plain port.
//
// It reads Lanyard's kinds, namespaces, service accounts, the metadata of pods, the
// cluster's service account keys, one Secret with its signing keys and the
// controller's Lease. It writes revocations, and nothing else. Any number of replicas
// serve at once.
package main

import (
	"context"
	"io"
	"os"

	"github.com/lanyard-dev/lanyard/cmd/internal/program"
)

func main() {
	var o Options
	os.Exit(program.Main("issuer", os.Args[1:], &o, func(ctx context.Context, log io.Writer) error { return Run(ctx, o, log) }))
}
