// Command demo shows Lanyard at work on a local cluster: see package demo.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"

	"github.com/lanyard-dev/lanyard/hack/demo"
)

const usage = `demo shows Lanyard at work, on a real local control plane.

Usage:
  demo                start everything, tell the story, leave everything running
  demo start          start what does not run, without the story
  demo status         list the processes; exits 1 if one of them is not running
  demo restart NAME   end one process and start it again
  demo down           end everything and remove the state folder

Flags, before the command:
  --state DIR         the state folder (default .demo, in the checkout)
`

// errUsage means that the message, with how to do it right, is on the screen already.
var errUsage = errors.New("wrong usage")

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:])
	interrupted := ctx.Err() != nil
	stop()
	switch {
	case err == nil, errors.Is(err, flag.ErrHelp):
	case errors.Is(err, errUsage):
		os.Exit(2)
	case interrupted:
		fmt.Fprintln(os.Stderr, "\ndemo: interrupted. What was started still runs: make demo goes on, make demo-down ends it.")
		os.Exit(130)
	default:
		fmt.Fprintln(os.Stderr, "\ndemo:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet("demo", flag.ContinueOnError)
	flags.Usage = func() { fmt.Fprint(flags.Output(), usage) }
	state := flags.String("state", ".demo", "")
	if err := flags.Parse(args); errors.Is(err, flag.ErrHelp) {
		return err
	} else if err != nil {
		return errUsage // flag has told
	}
	root, err := findRoot()
	if err != nil {
		return err
	}
	o := demo.Options{Root: root, StateDir: *state, Out: os.Stdout, Colour: colour()}
	command := flags.Arg(0)
	switch {
	case command == "restart" && flags.NArg() != 2:
		fmt.Fprint(os.Stderr, "demo restart: give the name of one process, as demo status lists it\n")
		return errUsage
	case command != "restart" && flags.NArg() > 1:
		fmt.Fprintf(os.Stderr, "demo %s: what is %q for? Flags come before the command\n", command, flags.Arg(1))
		return errUsage
	}
	switch command {
	case "":
		return demo.Run(ctx, o)
	case "start":
		_, release, err := demo.Start(ctx, o)
		if err == nil {
			release()
		}
		return err
	case "status", "restart", "down":
		return manage(ctx, o, command, flags.Arg(1))
	default:
		fmt.Fprintf(os.Stderr, "demo: there is no command %q\n\n%s", command, usage)
		return errUsage
	}
}

// manage works on a demo that is there.
func manage(ctx context.Context, o demo.Options, command, name string) error {
	d, err := demo.Open(o)
	if command == "down" && errors.Is(err, demo.ErrNoDemo) {
		fmt.Println("there is no demo to end")
		return nil
	}
	if err != nil {
		return err
	}
	switch command {
	case "status":
		return d.Status()
	case "restart":
		return d.Restart(ctx, name)
	default:
		return d.Down(ctx)
	}
}

// findRoot returns the folder of the checkout around the working directory.
func findRoot() (string, error) {
	start, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for dir := start; ; dir = filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, "hack", "demo", "manifests")); err == nil {
			return dir, nil
		} else if !errors.Is(err, fs.ErrNotExist) {
			return "", err
		}
		if dir == filepath.Dir(dir) {
			return "", fmt.Errorf("%s is not inside a checkout of lanyard: there is no hack/demo in it or above it", start)
		}
	}
}

// colour says whether standard output is a terminal that shows colours.
func colour() bool {
	info, err := os.Stdout.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0 && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"
}
