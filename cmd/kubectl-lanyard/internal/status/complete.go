package status

import (
	"strings"

	"github.com/spf13/cobra"
)

// complete offers TYPE/NAME, and after TYPE the names of its kind.
func (o *command) complete(c *cobra.Command, args []string, typed string) ([]string, cobra.ShellCompDirective) {
	const stay = cobra.ShellCompDirectiveNoFileComp
	if len(args) == 1 && kindOf(args[0]) != "" {
		return o.session.CompleteNames(c, kindOf(args[0]), "")
	}
	if len(args) > 0 {
		return nil, stay
	}
	word, _, found := strings.Cut(typed, "/")
	if kind := kindOf(word); found && kind != "" {
		return o.session.CompleteNames(c, kind, word+"/")
	}
	var words []string
	for _, k := range kinds {
		words = append(words, k.words[0]+"/")
	}
	return words, stay | cobra.ShellCompDirectiveNoSpace
}
