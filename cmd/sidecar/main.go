// Command sidecar holds access tokens for the pod, or the machine, that it runs in: it
// asks the issuer for them, keeps them fresh, and hands them out on loopback, in files,
// and through local proxies to the APIs.
//
// It reads the files that its flags name, and nothing of the cluster. It writes below
// --directory.
package main

import (
	"context"
	"io"
	"os"

	"github.com/lanyard-dev/lanyard/cmd/internal/program"
)

func main() {
	args := os.Args[1:]
	if len(args) > 0 && args[0] == "started" {
		os.Exit(started(args[1:], os.Stdout))
	}
	if len(args) > 0 && args[0] == "ingress" {
		os.Exit(Ingress(args[1:]))
	}
	var o Options
	os.Exit(program.Main("sidecar", args, &o, func(ctx context.Context, log io.Writer) error { return Run(ctx, o, log) }))
}
