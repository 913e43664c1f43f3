// Command load shows what the issuer does to honest clients while others attack it:
// thousands of idle connections, slow senders, garbage as fast as it can be sent.
// The issuer is the real one, with the limits that its flags have by default. For
// each attack it starts two of them: attackers go for one, and honest clients ask both,
// at the same time, for the same. What the clients of the attacked one get is told as
// a part of what the others get, so that neither a busy machine nor the attackers'
// own hunger for processor time, of which a server knows nothing, counts. The same is
// done to a bare net/http server, for comparison. The program fails if honest clients
// of the issuer kept less than 0.8 of their throughput, if the attack left them less
// than 0.8 of its core, if it had 256 MiB resident, or if it ended.
//
// The servers have a core for themselves; honest clients and attackers share another
// one, where attackers get what honest clients leave, and send as fast as that allows;
// the table says how fast. All come from addresses 127.0.0.0/8 of the loopback
// interface, of which honest clients have others than attackers. Numbers and time
// are bounded, and it ends what it started, and nothing else.
//
//	go run ./test/load                     # what make load does
//	go run ./test/load -only hellos -bare=false
//	go run ./test/load -addresses 250 -bare=false
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"time"

	"github.com/lanyard-dev/lanyard/issuer/httpapi"
	"github.com/lanyard-dev/lanyard/test/bench/stand"
)

func main() {
	ctx, cancel := signal.NotifyContext(context.Background(), os.Interrupt)
	defer cancel()
	if err := task(ctx, os.Args[1:]); err != nil {
		if !errors.Is(err, flag.ErrHelp) {
			fmt.Fprintln(os.Stderr, "load:", err)
		}
		os.Exit(1) //nolint:gocritic // the process ends, and with it the signal handler
	}
}

// The tasks that this program starts itself again for.
const (
	taskIssuer = "issuer"
	taskBare   = "bare"
	taskHonest = "honest"
	taskAttack = "attack"
)

// maxLength bounds everything.
const maxLength = 5 * time.Minute

func task(ctx context.Context, args []string) error {
	name := ""
	if len(args) > 0 {
		name = args[0]
	}
	switch name {
	case taskIssuer:
		return stand.Run(ctx, name, newIssuer, os.Stdin, os.Stdout)
	case taskBare:
		return stand.Run(ctx, name, stand.NewFloorServer, os.Stdin, os.Stdout)
	case taskHonest:
		return answer(ctx, runHonest)
	case taskAttack:
		return answer(ctx, runAttack)
	default:
		o, err := parseOptions(args)
		if err != nil {
			return err
		}
		ctx, cancel := context.WithTimeout(ctx, maxLength)
		defer cancel()
		return load(ctx, o, os.Stdout)
	}
}

// newIssuer has the rates that the flags of cmd/issuer have by default.
func newIssuer(f stand.Fixture) (stand.Server, error) {
	return stand.NewIssuer(f, stand.Limits{
		Peer:      httpapi.Rate{PerSecond: 2000, Burst: 4000},
		Client:    httpapi.Rate{PerSecond: 1000, Burst: 2000},
		Strangers: httpapi.Rate{PerSecond: 5, Burst: 50},
	})
}

// options of the program.
type options struct {
	only, profiles string
	bare           bool
	addresses      int
	settle, during time.Duration
}

func parseOptions(args []string) (options, error) {
	var o options
	flags := flag.NewFlagSet("load", flag.ContinueOnError)
	flags.StringVar(&o.only, "only", "", "play this attack only")
	flags.StringVar(&o.profiles, "profile", "", "a folder for profiles of the servers")
	flags.BoolVar(&o.bare, "bare", true, "play each attack on a bare net/http server, too")
	flags.IntVar(&o.addresses, "addresses", 100, "how many addresses attack")
	flags.DurationVar(&o.settle, "settle", 3*time.Second, "how long an attack runs before honest clients are measured")
	flags.DurationVar(&o.during, "during", 3*time.Second, "how long they are measured")
	if err := flags.Parse(args); err != nil {
		return options{}, err
	}
	switch {
	case flags.NArg() > 0:
		return options{}, fmt.Errorf("unknown argument %q", flags.Arg(0))
	case min(o.settle, o.during) < 100*time.Millisecond || o.settle+o.during > 30*time.Second:
		return options{}, errors.New("-settle and -during must be at least 100ms, and 30s together at most")
	case o.addresses < 1 || o.addresses > maxAddresses:
		return options{}, fmt.Errorf("-addresses must be from 1 to %d", maxAddresses)
	case o.only != "" && !slices.ContainsFunc(attacks(), func(a attack) bool { return a.name == o.only }):
		return options{}, fmt.Errorf("-only %q names no attack; there are: %q", o.only, names())
	}
	return o, nil
}

func names() []string {
	var out []string
	for _, a := range attacks() {
		out = append(out, a.name)
	}
	return out
}
