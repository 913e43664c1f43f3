// Command cluster builds, starts and ends the local cluster of package cluster.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/lanyard-dev/lanyard/hack/cluster"
)

const usage = `cluster runs a real Kubernetes control plane with cert-manager, as ordinary processes on loopback.

Usage:
  cluster build                       build the binaries into the cache, if they are not there
  cluster assets                      the same, and print the cache's folder (for KUBEBUILDER_ASSETS)
  cluster up      --state DIR         start the cluster, or what of it has died; with
                  --authentication-config FILE: trusting the JWT issuers of that AuthenticationConfiguration
  cluster down    --state DIR         end all processes of the state folder; the data stays
  cluster restart --state DIR NAME    end one process and start it again
  cluster status  --state DIR         list the processes; exits 1 if one of them is not running
  cluster env     --state DIR         print shell lines to source: KUBECONFIG and PATH

  cluster missing-packages            list the packages of Debian that a node needs, and this machine lacks
  cluster build-node                  build the binaries of a whole node too
  cluster node    --state DIR         start a whole node, which runs pods (Linux, root), and leave it running
  cluster import  --state DIR FILE    give it an image of an archive (OCI or docker)
  cluster remove-node --state DIR     end it, and remove every trace of it


The cache is $LANYARD_CACHE, or lanyard in the user's cache folder.
`

// errUsage means that the message, with how to do it right, is on the screen already.
var errUsage = errors.New("wrong usage")

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	switch {
	case err == nil, errors.Is(err, flag.ErrHelp):
	case errors.Is(err, errUsage):
		os.Exit(2)
	default:
		fmt.Fprintln(os.Stderr, "cluster:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	if len(args) == 0 {
		fmt.Fprint(stderr, usage)
		return errUsage
	}
	switch args[0] {
	case "help", "-h", "-help", "--help":
		fmt.Fprint(stdout, usage)
		return nil
	}
	commands := map[string]command{
		"build":   {do: build},
		"assets":  {do: assets},
		"up":      {state: true, authentication: true, do: up},
		"down":    {state: true, do: down},
		"restart": {state: true, operand: "NAME", do: restart},
		"status":  {state: true, do: status},
		"env":     {state: true, do: env},

		"missing-packages": {do: missingPackages},

		"build-node":  {do: buildNode},
		"node":        {state: true, do: node},
		"import":      {state: true, operand: "FILE", do: importImage},
		"remove-node": {state: true, do: removeNode},
	}
	chosen, known := commands[args[0]]
	if !known {
		fmt.Fprintf(stderr, "cluster: there is no command %q\n\n%s", args[0], usage)
		return errUsage
	}
	call, err := chosen.parse(args[0], args[1:], stderr)
	if err != nil {
		return err
	}
	call.stdout, call.stderr = stdout, stderr
	return chosen.do(ctx, call)
}

// command is what one command takes, and does.
type command struct {
	state          bool
	authentication bool
	operand        string
	do             func(context.Context, call) error
}

// call is a command's input and output.
type call struct {
	state          string
	authentication string
	name           string
	stdout, stderr io.Writer
}

func (c command) parse(name string, args []string, stderr io.Writer) (call, error) {
	var parsed call
	flags := flag.NewFlagSet("cluster "+name, flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.Usage = func() { fmt.Fprint(stderr, usage) }
	if c.state {
		flags.StringVar(&parsed.state, "state", "", "state folder")
	}
	if c.authentication {
		flags.StringVar(&parsed.authentication, "authentication-config", "", "file of an AuthenticationConfiguration")
	}
	if err := flags.Parse(args); errors.Is(err, flag.ErrHelp) {
		return call{}, err
	} else if err != nil {
		return call{}, errUsage // flag has told
	}
	operands := 0
	if c.operand != "" {
		operands, parsed.name = 1, flags.Arg(0)
	}
	switch {
	case c.state && parsed.state == "":
		fmt.Fprintf(stderr, "cluster %s: --state is missing: give the state folder, for example --state .demo\n", name)
	case flags.NArg() < operands:
		fmt.Fprintf(stderr, "cluster %s: %s is missing: give %s\n", name, c.operand, operandHelp()[c.operand])
	case flags.NArg() > operands:
		fmt.Fprintf(stderr, "cluster %s: what is %q for? Flags come before names\n", name, flags.Arg(operands))
	default:
		return parsed, nil
	}
	return call{}, errUsage
}

// operandHelp says what an operand is.
func operandHelp() map[string]string {
	return map[string]string{"NAME": "the name of a process, as status lists it", "FILE": "the path of an archive, as make image-archive writes it"}
}

func build(ctx context.Context, c call) error {
	built, err := cluster.Build(ctx, c.stderr)
	if err == nil {
		fmt.Fprintln(c.stderr, "the local cluster is built:", built.Dir)
	}
	return err
}

func assets(ctx context.Context, c call) error {
	built, err := cluster.Build(ctx, c.stderr)
	if err == nil {
		fmt.Fprintln(c.stdout, built.Dir)
	}
	return err
}

func up(ctx context.Context, c call) error {
	built, err := cluster.Build(ctx, c.stderr)
	if err != nil {
		return err
	}
	begun := time.Now()
	started, err := cluster.Start(ctx, cluster.Options{
		StateDir: c.state, Assets: built, AuthenticationConfig: c.authentication, Progress: c.stderr,
	})
	if err != nil {
		return err
	}
	fmt.Fprintf(c.stderr, "the cluster is ready after %s; KUBECONFIG=%s\n",
		time.Since(begun).Round(10*time.Millisecond), started.Kubeconfig())
	return nil
}

func down(ctx context.Context, c call) error {
	opened, err := cluster.Open(c.state)
	if err != nil {
		return err
	}
	return opened.Stop(ctx, c.stderr)
}

func restart(ctx context.Context, c call) error {
	opened, err := cluster.Open(c.state)
	if err != nil {
		return err
	}
	return opened.Restart(ctx, c.name, c.stderr)
}

func status(_ context.Context, c call) error {
	opened, err := cluster.Open(c.state)
	if err != nil {
		return err
	}
	list, err := opened.Supervisor().List()
	if err != nil {
		return err
	}
	var stopped []string
	for _, process := range list {
		state := fmt.Sprintf("running  pid %d", process.PID)
		if !process.Alive {
			state = "stopped"
			stopped = append(stopped, process.Name)
		}
		fmt.Fprintf(c.stdout, "%-26s %-20s %s\n", process.Name, state, process.Log)
	}
	if len(stopped) > 0 {
		return fmt.Errorf("not running: %s", strings.Join(stopped, ", "))
	}
	return nil
}

func env(_ context.Context, c call) error {
	opened, err := cluster.Open(c.state)
	if err != nil {
		return err
	}
	fmt.Fprintf(c.stdout, "export KUBECONFIG=%s\n", quote(opened.Kubeconfig()))
	if dir := opened.BinDir(); dir != "" {
		fmt.Fprintf(c.stdout, "export PATH=%s:\"$PATH\"\n", quote(dir)) // kubectl is there
	}
	return nil
}

// quote makes one word of the shell of any text.
func quote(text string) string { return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'" }
