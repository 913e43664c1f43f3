package cli

import (
	"context"
	"time"

	"github.com/spf13/cobra"
)

// completionPatience is how long somebody who pressed the tabulator waits.
const completionPatience = 2 * time.Second

// CompleteNames offers the names of the objects of a kind in the current namespace, each
// after prefix. What cannot be read is not offered.
func (s *Session) CompleteNames(c *cobra.Command, kind, prefix string) ([]string, cobra.ShellCompDirective) {
	ctx, cancel := context.WithTimeout(c.Context(), completionPatience)
	defer cancel()
	reads, err := s.Client()
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	namespace, err := s.Namespace()
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	names, err := Names(ctx, reads, kind, namespace)
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	for i := range names {
		names[i] = prefix + names[i]
	}
	return names, cobra.ShellCompDirectiveNoFileComp
}
