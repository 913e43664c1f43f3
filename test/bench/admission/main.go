// Command admission measures what Lanyard's admission adds to a write: of each of its own
// kinds, and of a kind that is none of its business. On a real control plane, with the real
// controller behind the webhooks, objects are created, changed and deleted one at a time as a
// team would, in turn with webhooks and policies and without them, because the machine drifts.
// It prints a table, adds its rows to bench.json, and fails if a goal was missed.
//
// How many milliseconds a write takes says little: the control plane runs on the same cores.
// What counts is how many more it takes with admission than without, in the same run.
//
//	go run ./test/bench/admission           # what make bench does
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"time"

	"github.com/lanyard-dev/lanyard/test/bench/figures"
	"github.com/lanyard-dev/lanyard/test/testenv"
)

// maxLength bounds everything.
const maxLength = 10 * time.Minute

func main() {
	ctx, cancel := signal.NotifyContext(context.Background(), os.Interrupt)
	defer cancel()
	ctx, end := context.WithTimeout(ctx, maxLength)
	defer end()
	if err := run(ctx, os.Args[1:], os.Stdout); err != nil {
		if !errors.Is(err, flag.ErrHelp) {
			fmt.Fprintln(os.Stderr, "admission:", err)
		}
		os.Exit(1) //nolint:gocritic // the process ends, and with it the signal handler
	}
}

type options struct {
	rounds, writes int
	out            string
}

func parseOptions(args []string) (o options, err error) {
	flags := flag.NewFlagSet("admission", flag.ContinueOnError)
	flags.IntVar(&o.rounds, "rounds", 6, "how often everything is measured in turn; up to twice as often while a goal is missed")
	flags.IntVar(&o.writes, "writes", 60, "how many objects of each kind are created, changed and deleted in a round, with admission and without")
	flags.StringVar(&o.out, "out", "bench.json", "the file that the figures are added to")
	if err := flags.Parse(args); err != nil {
		return options{}, err
	}
	switch {
	case flags.NArg() > 0:
		return options{}, fmt.Errorf("unknown argument %q", flags.Arg(0))
	case o.rounds < 1 || o.rounds > 100:
		return options{}, errors.New("-rounds must be between 1 and 100")
	case o.writes < 1 || o.writes > 500:
		return options{}, errors.New("-writes must be between 1 and 500")
	}
	return o, nil
}

// run measures, tells and writes.
func run(ctx context.Context, args []string, out io.Writer) (err error) {
	o, err := parseOptions(args)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "admission: starting a control plane; then %d rounds of %d writes of each sort, with admission and without, and up to as many more\n", o.rounds, o.writes)
	env, err := testenv.Start(ctx, testenv.Options{Admission: true, ServiceAccounts: true})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, env.Stop()) }()
	s, err := newStage(ctx, env)
	if err != nil {
		return err
	}
	asked, err := s.askedForOthers(ctx, o.writes)
	if err != nil {
		return err
	}
	taken, err := s.rounds(ctx, o, out)
	if err != nil {
		return err
	}
	rows := report(taken)
	figures.WriteTable(out, rows)
	fmt.Fprintf(out, "\nvalue is with admission, floor without: of each the least of the rounds. Added to %s.\n", o.out)
	fmt.Fprintf(out, "%d writes of ConfigMaps asked Lanyard's webhooks %d times, and its policies are for its own kinds.\n", 3*o.writes, asked)
	if why := doubt(taken); why != "" {
		fmt.Fprintln(out, "warning:", why)
	}
	if asked > 0 {
		err = errors.New("other kinds ask Lanyard's admission; its rules must name its own kinds only")
	}
	return errors.Join(err, figures.Merge(o.out, rows), figures.Missed(rows))
}
