package cli

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// DryRun is the flag --dry-run, as kubectl has it.
type DryRun struct{ value string }

var dryRuns = []string{"none", "client", "server"}

// AddFlag adds --dry-run to c.
func (d *DryRun) AddFlag(c *cobra.Command) {
	c.Flags().StringVar(&d.value, "dry-run", "none",
		"none; client: print what would be written, and write nothing; server: have the API server judge it, and keep nothing")
	c.Flags().Lookup("dry-run").NoOptDefVal = "client"
	// The name of the flag is right.
	_ = c.RegisterFlagCompletionFunc("dry-run", cobra.FixedCompletions(dryRuns, cobra.ShellCompDirectiveNoFileComp))
}

// Check says whether the value is one.
func (d DryRun) Check(c *cobra.Command) error {
	if slices.Contains(dryRuns, d.value) {
		return nil
	}
	return Usage(c, fmt.Errorf("--dry-run=%s: must be %s", d.value, strings.Join(dryRuns, ", ")))
}

// Client says that nothing is sent.
func (d DryRun) Client() bool { return d.value == "client" }

// Any says that nothing is kept.
func (d DryRun) Any() bool { return d.value != "none" }

// Note stands behind what was not really done.
func (d DryRun) Note() string {
	switch d.value {
	case "client":
		return " (dry run)"
	case "server":
		return " (server dry run)"
	default:
		return ""
	}
}

// FieldOwner is who the plugin is in managedFields.
const FieldOwner = client.FieldOwner("kubectl-lanyard")

// Create are the options of a create.
func (d DryRun) Create() []client.CreateOption {
	if d.Any() {
		return []client.CreateOption{FieldOwner, client.DryRunAll}
	}
	return []client.CreateOption{FieldOwner}
}

// Patch are the options of a patch.
func (d DryRun) Patch() []client.PatchOption {
	if d.Any() {
		return []client.PatchOption{FieldOwner, client.DryRunAll}
	}
	return []client.PatchOption{FieldOwner}
}
