package consent

import (
	"cmp"
	"context"
	"fmt"
	"io"

	"github.com/spf13/cobra"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/lanyard-dev/lanyard/api/v1alpha1"
	"github.com/lanyard-dev/lanyard/cmd/kubectl-lanyard/internal/cli"
)

// pendingReport is who waits for a decision.
type pendingReport struct {
	Pending []pending `json:"pending"`
	// More is how many wait beside those: a role lists the 50 oldest.
	More []more `json:"more,omitempty"`
}

// pending is a client that waits for a role.
type pending struct {
	Namespace   string                   `json:"namespace"`
	Role        string                   `json:"role"`
	Resource    string                   `json:"resource"`
	Value       string                   `json:"value"`
	DisplayName string                   `json:"displayName,omitempty"`
	Client      v1alpha1.ClientReference `json:"client"`
	Approve     string                   `json:"approve"`
}

// more says that a role has more requests than it lists.
type more struct {
	Namespace string `json:"namespace"`
	Role      string `json:"role"`
	Count     int32  `json:"count"`
}

// reportPending goes by the roles' own status: it needs no right to read the clients.
func reportPending(roles []v1alpha1.AppRole) pendingReport {
	r := pendingReport{Pending: []pending{}}
	for i := range roles {
		role := &roles[i]
		for _, c := range role.Status.Pending {
			r.Pending = append(r.Pending, pending{
				Namespace: role.Namespace, Role: role.Name, Resource: role.Spec.ResourceRef.Name, Value: role.Spec.Value,
				DisplayName: role.Spec.DisplayName, Client: c,
				Approve: fmt.Sprintf("kubectl lanyard approve %s/%s %s/%s", c.Namespace, c.Name, role.Namespace, role.Name),
			})
		}
		if beside := ptr.Deref(role.Status.PendingCount, 0) - int32(min(len(role.Status.Pending), 50)); beside > 0 {
			r.More = append(r.More, more{role.Namespace, role.Name, beside})
		}
	}
	return r
}

// NewPending makes the command pending.
func NewPending(s *cli.Session) *cobra.Command {
	var output cli.Output
	var all bool
	c := &cobra.Command{
		Use:   "pending",
		Short: "List the clients that wait for a decision",
		Long: "List the clients that ask for a role of the namespace and wait for its owner's decision, with the\n" +
			"command that approves each. Of a role the 50 oldest requests are listed, and the rest counted.",
		Example: "  kubectl lanyard pending -n orders\n  kubectl lanyard pending -A",
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if err := output.Check(c); err != nil {
				return err
			}
			roles, err := pendingRoles(c.Context(), s, all)
			if err != nil {
				return err
			}
			report := reportPending(roles)
			if len(report.Pending) == 0 && (output.Format == "" || output.Wide()) {
				return nobody(s, all)
			}
			return s.Print(output, report, func(w io.Writer) error { return writePending(w, report, output.Wide()) })
		},
	}
	output.AddFlag(c)
	c.Flags().BoolVarP(&all, "all-namespaces", "A", false, "list the requests for roles of all namespaces")
	return c
}

// nobody says where nobody waits: who left out -n would else take it for everywhere.
func nobody(s *cli.Session, all bool) error {
	if all {
		_, err := fmt.Fprintln(s.Err, "Nobody waits for a decision, in no namespace.")
		return err
	}
	namespace, err := s.Namespace()
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(s.Err, "Nobody waits for a decision in namespace %s; -A looks in all.\n", namespace)
	return err
}

func writePending(w io.Writer, r pendingReport, wide bool) error {
	row := func(p pending) []string {
		cells := []string{p.Client.Namespace + "/" + p.Client.Name, p.Namespace + "/" + p.Role, p.Value}
		if wide {
			cells = append(cells, p.Resource, cmp.Or(p.DisplayName, "-"))
		}
		return append(cells, p.Approve)
	}
	headers := []string{"CLIENT", "ROLE", "VALUE"}
	if wide {
		headers = append(headers, "RESOURCE", "DISPLAY NAME")
	}
	t := cli.NewTable(append(headers, "TO APPROVE")...)
	for _, p := range r.Pending {
		t.Row(row(p)...)
	}
	if err := t.Write(w, ""); err != nil {
		return err
	}
	for _, m := range r.More {
		if _, err := fmt.Fprintf(w, "and %d more for role %s/%s\n", m.Count, m.Namespace, m.Role); err != nil {
			return err
		}
	}
	return nil
}

// pendingRoles reads the roles of the current namespace, or of all.
func pendingRoles(ctx context.Context, s *cli.Session, all bool) ([]v1alpha1.AppRole, error) {
	c, err := s.Client()
	if err != nil {
		return nil, err
	}
	namespace := ""
	if !all {
		if namespace, err = s.Namespace(); err != nil {
			return nil, err
		}
	}
	var list v1alpha1.AppRoleList
	err = c.List(ctx, &list, client.InNamespace(namespace))
	return list.Items, err
}
