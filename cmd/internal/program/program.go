// Package program is what Lanyard's long-running programs have in common: flags,
// signals, exit codes.
package program

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/pflag"
)

// Options are a program's flags.
type Options interface {
	AddFlags(flags *pflag.FlagSet)
	// Complete fills in what no flag says, from the environment.
	Complete(getenv func(string) string)
	// Validate says which flag is wrong, and what to write instead.
	Validate() error
}

// Main runs a program until it ends or is told to by SIGINT or SIGTERM. It returns the
// exit code: 0 after an orderly end, 2 if the flags are wrong, 1 if run failed.
func Main(name string, args []string, o Options, run func(ctx context.Context, log io.Writer) error) int {
	flags := pflag.NewFlagSet(name, pflag.ContinueOnError)
	o.AddFlags(flags)
	showVersion := flags.Bool("version", false, "print the version and end")
	switch err := flags.Parse(args); {
	case errors.Is(err, pflag.ErrHelp):
		return 0
	case err != nil:
		fmt.Fprintf(os.Stderr, "%s: %v; %[1]s --help lists the flags\n", name, err)
		return 2
	case flags.NArg() > 0:
		fmt.Fprintf(os.Stderr, "%s: %q is no flag; %[1]s --help lists them\n", name, flags.Arg(0))
		return 2
	case *showVersion:
		fmt.Fprintln(os.Stdout, "lanyard-"+name, Version())
		return 0
	}
	o.Complete(os.Getenv)
	if err := o.Validate(); err != nil {
		fmt.Fprintf(os.Stderr, "%s: %v\n", name, err)
		return 2
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Stderr); err != nil {
		fmt.Fprintf(os.Stderr, "%s: %v\n", name, err)
		return 1
	}
	return 0
}
