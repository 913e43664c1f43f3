// Command caller is the app of the end-to-end tests that calls an API; see package app.
//
// It prints its report as one line of JSON when it ends. Exit codes: 0, it ended as it should; 1,
// it could not begin; 3, a file of --expect was not there at its first instruction.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/lanyard-dev/lanyard/test/e2e/app"
)

func main() {
	begun := time.Now()
	var o app.Options
	var expect, ca string
	flag.StringVar(&o.Call.URL, "url", "", "what to call")
	flag.StringVar(&o.Call.Directory, "directory", "", "directory with token, tls.crt and tls.key to call with; empty: with nothing")
	flag.StringVar(&ca, "ca", "", "PEM file with the authorities of the API's certificate; empty: the system's")
	flag.DurationVar(&o.Call.Timeout, "timeout", 10*time.Second, "how long a call may take")
	flag.Float64Var(&o.PerSecond, "per-second", 10, "how many calls are begun each second")
	flag.IntVar(&o.Successes, "successes", 0, "end well after as many successful calls; 0: never")
	flag.DurationVar(&o.Drain, "drain", 0, "how long to go on after SIGTERM")
	flag.StringVar(&o.Control, "control", "", "address of the control port; empty: none")
	flag.StringVar(&expect, "expect", "", "files that must be there at the first instruction, separated by commas")
	flag.Parse()
	// Before anything else: what a program would meet that reads its token as it begins.
	if missing := missingFiles(expect); len(missing) > 0 {
		fmt.Fprintf(os.Stderr, "caller: not there at the first instruction: %s\n", strings.Join(missing, ", "))
		os.Exit(3)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, o, ca, begun)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "caller:", err)
		os.Exit(1)
	}
}

func missingFiles(list string) []string {
	var missing []string
	for file := range strings.SplitSeq(list, ",") {
		if file == "" {
			continue
		}
		if _, err := os.ReadFile(file); err != nil {
			missing = append(missing, err.Error())
		}
	}
	return missing
}

func run(ctx context.Context, o app.Options, ca string, begun time.Time) error {
	caller, err := app.NewCaller(ca)
	if err != nil {
		return fmt.Errorf("--ca: %w", err)
	}
	a := app.New(o, caller, begun)
	if err := a.Run(ctx); err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(a.Report())
}
