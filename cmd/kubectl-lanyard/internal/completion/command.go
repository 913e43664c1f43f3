// Package completion prints what shells and kubectl need to complete kubectl lanyard.
package completion

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/lanyard-dev/lanyard/cmd/kubectl-lanyard/internal/cli"
)

// script is what kubectl runs, if it finds it on the PATH, to complete a plugin: an
// executable that answers as cobra does.
const script = `#!/bin/sh
# Completes "kubectl lanyard" in every shell in which kubectl itself is completed.
# Save as kubectl_complete-lanyard in a folder of the PATH, and make it executable.
exec kubectl-lanyard __complete "$@"
`

// New makes the command completion, which stands for cobra's own.
func New(s *cli.Session) *cobra.Command {
	c := &cobra.Command{
		Use:   "completion",
		Short: "Print a script that completes commands and names",
		Long: "Print a script that completes commands, flags, and the names of clients, resources and roles.\n\n" +
			"kubectl completes a plugin by a program that is named after it. Where kubectl itself is completed,\n" +
			"this is all that is needed:\n\n" +
			"  kubectl lanyard completion kubectl > ~/.local/bin/kubectl_complete-lanyard\n" +
			"  chmod +x ~/.local/bin/kubectl_complete-lanyard\n\n" +
			"The other scripts complete kubectl-lanyard, as the program is named by itself.",
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	add := func(name, short string, write func(root *cobra.Command, w io.Writer) error) {
		c.AddCommand(&cobra.Command{
			Use: name, Short: short, Args: cobra.NoArgs, ValidArgsFunction: cobra.NoFileCompletions,
			RunE: func(c *cobra.Command, _ []string) error { return write(c.Root(), s.Out) },
		})
	}
	add("kubectl", "Print kubectl_complete-lanyard, with which kubectl completes the plugin", func(_ *cobra.Command, w io.Writer) error {
		_, err := fmt.Fprint(w, script)
		return err
	})
	add("bash", "Print the script for bash", func(root *cobra.Command, w io.Writer) error { return root.GenBashCompletionV2(w, true) })
	add("zsh", "Print the script for zsh", (*cobra.Command).GenZshCompletion)
	add("fish", "Print the script for fish", func(root *cobra.Command, w io.Writer) error { return root.GenFishCompletion(w, true) })
	add("powershell", "Print the script for PowerShell", (*cobra.Command).GenPowerShellCompletionWithDesc)
	return c
}
