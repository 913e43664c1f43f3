package cli

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"regexp"
	"strings"
	"syscall"

	"github.com/spf13/cobra"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/lanyard-dev/lanyard/api/v1alpha1"
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

// MarkUsage has what the Args of c and its subcommands refuse be a UsageError that says
// how it is written.
func MarkUsage(c *cobra.Command) {
	if judge := c.Args; judge != nil {
		c.Args = func(c *cobra.Command, args []string) error {
			if err := judge(c, args); err != nil {
				return Usage(c, fmt.Errorf("%w; %s", err, instead(c, args)))
			}
			return nil
		}
	}
	for _, sub := range c.Commands() {
		MarkUsage(sub)
	}
}

// instead says what to write.
func instead(c *cobra.Command, args []string) string {
	if !c.HasSubCommands() {
		return "write: " + strings.TrimSuffix(c.UseLine(), " [flags]")
	}
	var names []string
	for _, sub := range c.Commands() {
		names = append(names, sub.Name())
	}
	if near := Near(args[0], names); len(near) > 0 {
		return "did you mean " + strings.Join(near, ", ") + "?"
	}
	return "there are " + strings.Join(names, ", ")
}

// Sentence says for a person what err is. It says of a permission that is missing which
// role of Lanyard gives it.
func Sentence(err error) string {
	host, why, dead := silent(err)
	switch {
	case errors.Is(err, context.Canceled):
		return "interrupted"
	case dead:
		return fmt.Sprintf("the API server at %s does not answer (%s): is the context right, and does it run?", host, why)
	case apierrors.IsForbidden(err):
		return strings.TrimSpace(err.Error()) + remedy(err)
	case unanswered(err):
		return strings.TrimSpace(err.Error()) + ". Lanyard's controller has to answer before this is written, and it does not: see kubectl lanyard check. " +
			"What takes access away works meanwhile: kubectl delete the approval, or kubectl lanyard suspend the client or the resource"
	case unknownKind(err):
		return "this cluster does not know Lanyard's kinds: Lanyard is not installed in it; see kubectl lanyard check, and kubectl config current-context"
	case apierrors.IsUnauthorized(err):
		return "the API server does not know you; log in again"
	}
	return strings.TrimSpace(err.Error())
}

// silent says whether the API server could not be reached at all, where it was looked for,
// and why not. Of the issuer package access tells that, without a URL; and who was asked
// for credentials on the way is a URL within the other.
func silent(err error) (host, why string, yes bool) {
	asked, ok := errors.AsType[*url.Error](err)
	if !ok {
		return "", "", false
	}
	if _, another := errors.AsType[*url.Error](asked.Err); another {
		return "", "", false
	}
	host = asked.URL
	if u, err := url.Parse(asked.URL); err == nil {
		host = u.Host
	}
	if asked.Timeout() {
		return host, "timeout", true
	}
	if unknown, ok := errors.AsType[*net.DNSError](err); ok {
		return host, unknown.Err, true
	}
	if on, ok := errors.AsType[*net.OpError](err); ok {
		if errno, ok := errors.AsType[syscall.Errno](on); ok {
			return host, errno.Error(), true
		}
	}
	return "", "", false
}

// unanswered says whether one of Lanyard's webhooks did not answer the API server.
func unanswered(err error) bool {
	text := err.Error()
	return apierrors.IsInternalError(err) && strings.Contains(text, "failed calling webhook") && strings.Contains(text, "."+v1alpha1.SchemeGroupVersion.Group)
}

// unknownKind says whether the API server does not know a kind at all: it answers as a web
// server does, and not with a status of its own.
func unknownKind(err error) bool {
	return apierrors.IsNotFound(err) && apierrors.HasStatusCause(err, metav1.CauseTypeUnexpectedServerResponse)
}

// denied is what the API server says of a permission that is missing. What a policy or a
// webhook refused is forbidden, too, and no role gives it.
var denied = regexp.MustCompile(`cannot ([a-z]+) resource "([a-z/]+)" in API group "([a-z.]*)"`)

// remedy says which role gives the permission that is missing.
func remedy(err error) string {
	m := denied.FindStringSubmatch(err.Error())
	if m == nil {
		return ""
	}
	verb, resource, group := m[1], m[2], m[3]
	reads := verb == "get" || verb == "list" || verb == "watch"
	switch {
	case group == "" && resource == "secrets":
		return ". No role of Lanyard gives permissions on Secrets: ask a cluster administrator"
	case group != v1alpha1.SchemeGroupVersion.Group:
		return ""
	case reads:
		if strings.Contains(err.Error(), "at the cluster scope") {
			return ". Name one namespace with -n, or ask a cluster administrator for lanyard-view in all of them"
		}
		return ". If another namespace is meant, name it with -n; else ask this one's administrator for the role view, or for lanyard-view alone"
	case resource == "oauthclients" || resource == "clientcertificates":
		return ". Clients and certificates are their owner's: ask the namespace's administrator for the role edit, or for lanyard-client-owner alone"
	default:
		return ". Resources, roles and decisions are the API's owner's: ask the namespace's administrator for the role admin, or for lanyard-resource-owner alone"
	}
}
