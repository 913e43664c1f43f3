// Command kubectl-lanyard is a kubectl plugin for the people who work with Lanyard: who
// may call what, who waits for whom, and why a token was refused. kubectl runs it as
// `kubectl lanyard` when it is on the PATH.
//
// It acts with the permissions of the person who types, and keeps nothing.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/lanyard-dev/lanyard/cmd/internal/program"
	"github.com/lanyard-dev/lanyard/cmd/kubectl-lanyard/internal/check"
	"github.com/lanyard-dev/lanyard/cmd/kubectl-lanyard/internal/cli"
	"github.com/lanyard-dev/lanyard/cmd/kubectl-lanyard/internal/completion"
	"github.com/lanyard-dev/lanyard/cmd/kubectl-lanyard/internal/consent"
	"github.com/lanyard-dev/lanyard/cmd/kubectl-lanyard/internal/inspect"
	"github.com/lanyard-dev/lanyard/cmd/kubectl-lanyard/internal/manage"
	"github.com/lanyard-dev/lanyard/cmd/kubectl-lanyard/internal/status"
	"github.com/lanyard-dev/lanyard/cmd/kubectl-lanyard/internal/token"
	"github.com/lanyard-dev/lanyard/cmd/kubectl-lanyard/internal/why"
)

func main() {
	os.Exit(run(os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}

// run does what args say and returns the exit code: 0 if it was done, 1 if the answer is
// no or it could not be done, 2 if the command was typed wrongly.
func run(args []string, in io.Reader, out, errOut io.Writer) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	session := cli.NewSession(in, out, errOut, time.Now, os.Getenv)
	root := newRoot(session)
	root.SetArgs(args)
	err := root.ExecuteContext(ctx)
	switch {
	case err == nil:
		return 0
	case errors.Is(err, cli.ErrNo):
		return 1 // it has been said
	}
	fmt.Fprintln(session.Err, "error:", cli.Sentence(err))
	if usage, ok := errors.AsType[*cli.UsageError](err); ok {
		fmt.Fprintf(session.Err, "See '%s --help'.\n", usage.Command)
		return 2
	}
	return 1
}

func newRoot(s *cli.Session) *cobra.Command {
	root := &cobra.Command{
		Use:   "kubectl-lanyard",
		Short: "See and decide who may call what with Lanyard",
		Long: "Show how clients, certificates, roles and decisions stand, decide on roles, and explain why a\n" +
			"token is given or refused. The flags are kubectl's own, and the permissions those of whoever types.",
		Annotations:   map[string]string{cobra.CommandDisplayNameAnnotation: "kubectl lanyard"},
		Version:       program.Version(),
		SilenceUsage:  true,
		SilenceErrors: true,
		Args:          cobra.NoArgs,
		RunE:          func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	root.SetIn(s.In)
	root.SetOut(s.Out)
	root.SetErr(s.Err)
	root.SetFlagErrorFunc(cli.Usage)
	root.Flags().Bool("version", false, "print the version and end") // without -v, which is kubectl's for its log
	s.AddFlags(root.PersistentFlags())
	for _, g := range commands(s) {
		root.AddGroup(&cobra.Group{ID: g.title, Title: g.title})
		for _, c := range g.commands {
			c.GroupID = g.title
			root.AddCommand(c)
		}
	}
	root.AddCommand(completion.New(s))
	hideKubectlFlags(root.PersistentFlags())
	cli.MarkUsage(root)
	return root
}

// group is what the help tells together.
type group struct {
	title    string
	commands []*cobra.Command
}

// commands are all that there are.
func commands(s *cli.Session) []group {
	return []group{
		{"See how things stand:", []*cobra.Command{
			status.New(s),
			why.New(s),
			inspect.New(s),
			check.New(s),
		}},
		{"Decide who may call what:", []*cobra.Command{
			consent.NewPending(s),
			consent.NewApprove(s),
			consent.NewDeny(s),
		}},
		{"Act:", []*cobra.Command{
			manage.NewSuspend(s),
			manage.NewResume(s),
			manage.NewRotate(s),
			token.New(s),
		}},
	}
}

// hideKubectlFlags keeps the help short: whoever needs --tls-server-name knows it from
// kubectl.
func hideKubectlFlags(flags *pflag.FlagSet) {
	shown := map[string]bool{"namespace": true, "context": true, "kubeconfig": true, "as": true, "lanyard-namespace": true, "no-color": true}
	flags.VisitAll(func(f *pflag.Flag) { f.Hidden = !shown[f.Name] })
}
