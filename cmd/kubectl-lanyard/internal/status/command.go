package status

import (
	"context"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/lanyard-dev/lanyard/cmd/kubectl-lanyard/internal/cli"
)

type command struct {
	session *cli.Session
	output  cli.Output
	all     bool
}

// New makes the command status.
func New(s *cli.Session) *cobra.Command {
	o := &command{session: s}
	c := &cobra.Command{
		Use:   "status [[client|resource|role]/NAME]",
		Short: "Show how a client, resource or role stands, as a whole",
		Long: "Show the whole picture of one object: what a client proves itself with, its pins and when they\n" +
			"end, its roles and who decided on them; of a resource or a role who has it and who waits; and of\n" +
			"each what is not as it should be. Without a name, show the namespace.\n\n" +
			"NAME alone is a client, else a resource, else a role. NAMESPACE/NAME is one of another namespace.",
		Example: "  kubectl lanyard status                        # the current namespace\n" +
			"  kubectl lanyard status -A                     # all of them\n" +
			"  kubectl lanyard status client/checkout -n shop\n" +
			"  kubectl lanyard status resource orders -n orders -o wide\n" +
			"  kubectl lanyard status role/orders-read -o json",
		Args:              cobra.MaximumNArgs(2),
		ValidArgsFunction: o.complete,
		RunE: func(c *cobra.Command, args []string) error {
			if err := o.output.Check(c); err != nil {
				return err
			}
			t, err := targetOf(args)
			if err == nil && o.all && t.name != "" {
				err = fmt.Errorf("--all-namespaces shows everything; leave out %q, or the flag", t.name)
			}
			if err != nil {
				return cli.Usage(c, err)
			}
			return o.run(c.Context(), t)
		},
	}
	o.output.AddFlag(c)
	c.Flags().BoolVarP(&o.all, "all-namespaces", "A", false, "show all namespaces")
	return c
}

func (o *command) run(ctx context.Context, t target) error {
	reads, err := o.session.Client()
	if err != nil {
		return err
	}
	r := reader{reads}
	if t.name == "" {
		return o.overview(ctx, r)
	}
	key, err := o.session.Object(t.name)
	if err != nil {
		return err
	}
	if t.kind == "" {
		if t.kind, err = r.kindNamed(ctx, key); err != nil {
			return err
		}
	}
	now := o.session.Now()
	switch t.kind {
	case "OAuthClient":
		f, err := r.client(ctx, key)
		if err != nil {
			return err
		}
		report := reportClient(f, now)
		return o.print(report, func(p *page) { p.client(report) })
	case "ProtectedResource":
		f, err := r.resource(ctx, key)
		if err != nil {
			return err
		}
		report := reportResource(f, now)
		return o.print(report, func(p *page) { p.resource(report) })
	default:
		role, f, err := r.role(ctx, key)
		if err != nil {
			return err
		}
		report := reportRole(role, f, now)
		return o.print(report, func(p *page) { p.role(report) })
	}
}

func (o *command) overview(ctx context.Context, r reader) error {
	namespace := ""
	if !o.all {
		var err error
		if namespace, err = o.session.Namespace(); err != nil {
			return err
		}
	}
	f, err := r.overview(ctx, namespace)
	if err != nil {
		return err
	}
	report := reportOverview(f, o.session.Now())
	if len(report.Clients)+len(report.Resources)+len(report.Problems) == 0 && o.output.Format != "json" && o.output.Format != "yaml" {
		where := "in namespace " + namespace
		if o.all {
			where = "in any namespace"
		}
		fmt.Fprintf(o.session.Err, "There are no clients and no resources %s.\n", where)
		return nil
	}
	return o.print(report, func(p *page) { p.overview(report, o.all) })
}

// print writes a report.
func (o *command) print(report any, text func(*page)) error {
	return o.session.Print(o.output, report, func(w io.Writer) error {
		p := &page{w: w, now: o.session.Now(), wide: o.output.Wide(), paint: o.session.Paint}
		text(p)
		return p.err
	})
}
