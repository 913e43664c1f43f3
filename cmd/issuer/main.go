// Command issuer is Lanyard's OAuth 2.0 authorization server. It serves tokens,
// metadata and keys over TLS, and health and metrics on a second, plain port.
//
// It reads Lanyard's kinds, namespaces, service accounts, the metadata of pods, the
// cluster's service account keys, one Secret with its signing keys and the
// controller's Lease. It writes nothing. Any number of replicas serve at once.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/pflag"

	"github.com/lanyard-dev/lanyard/cmd/internal/build"
)

func main() {
	os.Exit(mainExit())
}

// mainExit returns the exit code: 0 after an orderly end, 2 if the flags are wrong,
// 1 if the issuer could not run.
func mainExit() int {
	var o Options
	flags := pflag.NewFlagSet("issuer", pflag.ContinueOnError)
	o.AddFlags(flags)
	version := flags.Bool("version", false, "print the version and end")
	switch err := flags.Parse(os.Args[1:]); {
	case errors.Is(err, pflag.ErrHelp):
		return 0
	case err != nil:
		fmt.Fprintf(os.Stderr, "issuer: %v; issuer --help lists the flags\n", err)
		return 2
	case flags.NArg() > 0:
		fmt.Fprintf(os.Stderr, "issuer: %q is no flag; issuer --help lists them\n", flags.Arg(0))
		return 2
	case *version:
		fmt.Fprintln(os.Stdout, "lanyard-issuer", build.Version())
		return 0
	}
	o.Complete(os.Getenv)
	if err := o.Validate(); err != nil {
		fmt.Fprintln(os.Stderr, "issuer:", err)
		return 2
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := Run(ctx, o, os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, "issuer:", err)
		return 1
	}
	return 0
}
