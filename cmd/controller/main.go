// Command controller reconciles Lanyard's kinds: it judges clients, resources, roles
// and assignments, has cert-manager make client certificates and pins them, and
// rotates the issuer's signing keys. One replica works at a time; others wait.
//
// It reads Lanyard's kinds, the metadata of namespaces, and cert-manager's
// Certificates and CertificateRequests. It writes the status of Lanyard's kinds,
// Certificates that it made itself, events, its Lease, and one Secret: the signing
// keys in its own namespace, the only Secret that it may read.
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
// 1 if the controller could not run.
func mainExit() int {
	var o Options
	flags := pflag.NewFlagSet("controller", pflag.ContinueOnError)
	o.AddFlags(flags)
	version := flags.Bool("version", false, "print the version and end")
	switch err := flags.Parse(os.Args[1:]); {
	case errors.Is(err, pflag.ErrHelp):
		return 0
	case err != nil:
		fmt.Fprintf(os.Stderr, "controller: %v; controller --help lists the flags\n", err)
		return 2
	case flags.NArg() > 0:
		fmt.Fprintf(os.Stderr, "controller: %q is no flag; controller --help lists them\n", flags.Arg(0))
		return 2
	case *version:
		fmt.Fprintln(os.Stdout, "lanyard-controller", build.Version())
		return 0
	}
	o.Complete(os.Getenv)
	if err := o.Validate(); err != nil {
		fmt.Fprintln(os.Stderr, "controller:", err)
		return 2
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := Run(ctx, o, os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, "controller:", err)
		return 1
	}
	return 0
}
