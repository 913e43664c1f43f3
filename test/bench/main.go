// Command bench measures how many tokens the issuer gives in a second on one core,
// beside floors: bare net/http TLS handlers that do the cryptography and nothing
// else, on the same core in the same run. It prints a table with what must be
// reached, writes bench.json, and fails if a goal was missed.
//
// The issuer is the real one: handler, authentication, registry with a hundred
// clients, policy, rate limiter, audit log and metrics; only the API server is
// missing, whose caches two maps stand for. Servers run in processes of their own,
// pinned to one core, the load in another, pinned to a second one, and everything
// stays on the loopback interface. What is compared is measured in turn, in many
// short rounds, because the machine drifts. The bench ends what it started, and nothing else.
//
// One row is measured in this process: what a decision costs in a large world.
//
//	go run ./test/bench                         # what make bench does
//	go run ./test/bench -only mtls -profile /tmp/prof   # CPU and allocation profiles
//	go run ./test/bench -only mtls -rounds 1 -tokens 1000000   # memory over a million tokens
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"time"

	"github.com/lanyard-dev/lanyard/test/bench/scale"
	"github.com/lanyard-dev/lanyard/test/bench/stand"
)

func main() {
	ctx, cancel := signal.NotifyContext(context.Background(), os.Interrupt)
	defer cancel()
	if err := task(ctx, os.Args[1:]); err != nil {
		if !errors.Is(err, flag.ErrHelp) {
			fmt.Fprintln(os.Stderr, "bench:", err)
		}
		os.Exit(1) //nolint:gocritic // the process ends, and with it the signal handler
	}
}

// task does what the first argument names. The bench starts itself again for the
// servers and the load.
func task(ctx context.Context, args []string) error {
	name := ""
	if len(args) > 0 {
		name = args[0]
	}
	switch name {
	case serverFloor, serverIssuer:
		return stand.Run(ctx, name, servers()[name], os.Stdin, os.Stdout)
	case "load":
		return runLoad(ctx, os.Stdin, os.Stdout)
	default:
		o, err := parseOptions(args)
		if err != nil {
			return err
		}
		ctx, cancel := context.WithTimeout(ctx, maxLength)
		defer cancel()
		return bench(ctx, o, os.Stdout)
	}
}

// servers makes each server.
func servers() map[string]func(stand.Fixture) (stand.Server, error) {
	return map[string]func(stand.Fixture) (stand.Server, error){
		serverFloor:  stand.NewFloorServer,
		serverIssuer: func(f stand.Fixture) (stand.Server, error) { return stand.NewIssuer(f, stand.Unlimited()) },
	}
}

// options of the bench.
type options struct {
	rounds, halfRounds     int
	connections, tokens    int
	duration, halfDuration time.Duration
	warmup                 time.Duration
	only, out, profiles    string
}

// maxLength bounds everything; maxMeasured the rounds alone.
const (
	maxLength   = 10 * time.Minute
	maxMeasured = 150 * time.Second
	maxTokens   = 2_000_000
)

func parseOptions(args []string) (options, error) {
	o := options{warmup: 150 * time.Millisecond}
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	flags.IntVar(&o.rounds, "rounds", 7, "how often everything is measured in turn at its greatest rate")
	flags.DurationVar(&o.duration, "duration", 500*time.Millisecond, "how long each of these takes")
	flags.IntVar(&o.halfRounds, "half-rounds", 5, "how often the latency at half of the greatest rate is measured")
	flags.DurationVar(&o.halfDuration, "half-duration", 800*time.Millisecond, "how long each of these takes")
	flags.IntVar(&o.tokens, "tokens", 150_000, "how many tokens memory is watched over at the end")
	flags.IntVar(&o.connections, "connections", 8, "connections, each with one request under way")
	flags.StringVar(&o.only, "only", "", "measure this row only, with its floor")
	flags.StringVar(&o.out, "out", "bench.json", "the file that the figures are written to")
	flags.StringVar(&o.profiles, "profile", "", "a folder for profiles of the servers, which slow them a little")
	if err := flags.Parse(args); err != nil {
		return options{}, err
	}
	switch {
	case flags.NArg() > 0:
		return options{}, fmt.Errorf("unknown argument %q", flags.Arg(0))
	case o.rounds < 1 || o.connections < 1 || o.connections > 1000:
		return options{}, errors.New("-rounds and -connections must be at least 1, and -connections at most 1000")
	case o.halfRounds < 0 || o.tokens < 0 || o.tokens > maxTokens:
		return options{}, fmt.Errorf("-half-rounds and -tokens must not be negative, and -tokens at most %d", maxTokens)
	case o.duration < 100*time.Millisecond || o.halfDuration < 100*time.Millisecond:
		return options{}, errors.New("each measurement must take at least 100ms")
	}
	if len(o.compared()) == 0 && o.only != scale.Name {
		return options{}, fmt.Errorf("-only %q names no row; there are: %q", o.only, append(names(comparisons()), scale.Name))
	}
	if o.length() > maxMeasured {
		return options{}, fmt.Errorf("the rounds come to %v; they must take at most %v", o.length(), maxMeasured)
	}
	return o, nil
}

// compared are the rows that are asked for.
func (o options) compared() []comparison {
	var out []comparison
	for _, c := range comparisons() {
		if o.only == "" || c.name == o.only {
			out = append(out, c)
		}
	}
	return out
}

// measured are the contenders that those rows need, in the order of a round.
func (o options) measured() []contender {
	var out []contender
	for _, c := range contenders() {
		for _, row := range o.compared() {
			if row.ours == c.name || row.floor == c.name {
				out = append(out, c)
				break
			}
		}
	}
	return out
}

// length is how long the rounds take together, without what is made in between.
func (o options) length() time.Duration {
	full := time.Duration(o.rounds*len(o.measured())) * (o.warmup + o.duration)
	half := time.Duration(0)
	for _, c := range o.compared() {
		if c.goal > 0 {
			half += time.Duration(2*o.halfRounds) * (o.warmup + o.halfDuration)
		}
	}
	return full + half
}

func names(rows []comparison) []string {
	var out []string
	for _, r := range rows {
		out = append(out, r.name)
	}
	return out
}
