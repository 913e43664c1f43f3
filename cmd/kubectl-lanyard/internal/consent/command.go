package consent

import (
	"github.com/spf13/cobra"

	"github.com/lanyard-dev/lanyard/api/v1alpha1"
	"github.com/lanyard-dev/lanyard/cmd/kubectl-lanyard/internal/cli"
)

// decider is approve, or deny.
type decider struct {
	session  *cli.Session
	output   cli.Output
	dryRun   cli.DryRun
	decision v1alpha1.Decision
	expires  string
	reason   string
}

const roleAndClient = "CLIENT and ROLE are names in the current namespace, or NAMESPACE/NAME. The decision is an\n" +
	"AppRoleAssignment beside the role; one that names the client and the role already is changed.\n"

// NewApprove makes the command approve.
func NewApprove(s *cli.Session) *cobra.Command {
	o := &decider{session: s, decision: v1alpha1.DecisionApproved}
	c := &cobra.Command{
		Use:   "approve CLIENT ROLE",
		Short: "Let a client have a role",
		Long: "Approve a role for a client, as the owner of the API.\n\n" + roleAndClient +
			"\nA denial outweighs every approval. One that names this client is turned into the approval; one\n" +
			"for whole namespaces is never changed, and named instead.\n\n" +
			"Without --expires, an approval that has not ended keeps its end, and any other has none.",
		Example: "  kubectl lanyard approve shop/checkout orders-read -n orders\n" +
			"  kubectl lanyard approve shop/checkout orders/orders-read --expires 90d --reason 'shows order history'",
		RunE: o.run,
	}
	c.Flags().StringVar(&o.expires, "expires", "", "when the approval ends: 90d, 12h, 2027-01-01, 2027-01-01T18:00:00Z or never")
	return o.flags(c)
}

// NewDeny makes the command deny.
func NewDeny(s *cli.Session) *cobra.Command {
	o := &decider{session: s, decision: v1alpha1.DecisionDenied}
	return o.flags(&cobra.Command{
		Use:   "deny CLIENT ROLE",
		Short: "Keep a client from having a role",
		Long: "Deny a role to a client, as the owner of the API. New tokens are without it within a second.\n\n" + roleAndClient +
			"\nA denial has no end; approve takes it back.",
		Example: "  kubectl lanyard deny shop/checkout orders-read -n orders --reason 'contract has ended'",
		RunE:    o.run,
	})
}

func (o *decider) flags(c *cobra.Command) *cobra.Command {
	c.Args = cobra.ExactArgs(2)
	c.ValidArgsFunction = o.complete
	c.Flags().StringVar(&o.reason, "reason", "", "why, for people")
	o.dryRun.AddFlag(c)
	o.output.AddFlag(c)
	return c
}

func (o *decider) run(c *cobra.Command, args []string) error {
	if err := o.output.Check(c); err != nil {
		return err
	}
	if err := o.dryRun.Check(c); err != nil {
		return err
	}
	w := wish{decision: o.decision}
	var err error
	if c.Flags().Changed("expires") {
		if w.until, err = parseUntil(o.expires, o.session.Now()); err != nil {
			return cli.Usage(c, err)
		}
	}
	if c.Flags().Changed("reason") {
		w.reason = &o.reason
	}
	if w.client, err = o.session.Object(args[0]); err != nil {
		return err
	}
	if w.role, err = o.session.Object(args[1]); err != nil {
		return err
	}
	return o.decide(c.Context(), w)
}

// complete offers the clients that wait, then the roles of the namespace.
func (o *decider) complete(c *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	switch len(args) {
	case 0:
		roles, err := pendingRoles(c.Context(), o.session, false)
		if err != nil {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		return near(roles), cobra.ShellCompDirectiveNoFileComp
	case 1:
		return o.session.CompleteNames(c, "AppRole", "")
	default:
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
}
