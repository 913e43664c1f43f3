package cli

import (
	"context"
	"errors"
	"strings"

	"github.com/spf13/cobra"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
)

// ErrNo is the answer no, which has been printed: the exit code is 1 and nothing more is
// said.
var ErrNo = errors.New("no")

// UsageError says that a command was typed wrongly.
type UsageError struct {
	// Command as it is typed, such as kubectl lanyard approve.
	Command string
	Cause   error
}

// Error says what was wrong.
func (e *UsageError) Error() string { return e.Cause.Error() }

// Unwrap returns the cause.
func (e *UsageError) Unwrap() error { return e.Cause }

// Usage says that c was typed wrongly.
func Usage(c *cobra.Command, cause error) error { return &UsageError{c.CommandPath(), cause} }

// MarkUsage has what the Args of c and its subcommands refuse be a UsageError.
func MarkUsage(c *cobra.Command) {
	if judge := c.Args; judge != nil {
		c.Args = func(c *cobra.Command, args []string) error {
			if err := judge(c, args); err != nil {
				return Usage(c, err)
			}
			return nil
		}
	}
	for _, sub := range c.Commands() {
		MarkUsage(sub)
	}
}

// Sentence says for a person what err is. It says of a permission that is missing which
// role of Lanyard gives it.
func Sentence(err error) string {
	switch {
	case errors.Is(err, context.Canceled):
		return "interrupted"
	case apierrors.IsForbidden(err):
		return err.Error() + "; ask whoever administers the namespace for one of the roles lanyard-view, lanyard-client-owner or lanyard-resource-owner"
	case apierrors.IsUnauthorized(err):
		return "the API server does not know you; log in again"
	}
	return strings.TrimSpace(err.Error())
}
