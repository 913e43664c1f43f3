package cli_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"strings"
	"syscall"
	"testing"

	"github.com/spf13/cobra"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/lanyard-dev/lanyard/cmd/kubectl-lanyard/internal/cli"
)

// cutAfter returns what stands behind part and its punctuation.
func cutAfter(text, part string) (string, string, bool) {
	before, after, found := strings.Cut(text, part)
	return before, strings.TrimLeft(after, ",; "), found
}

func TestSentenceNamesTheRoleThatGivesAPermission(t *testing.T) {
	forbidden := func(group, resource, verb string) error {
		return apierrors.NewForbidden(schema.GroupResource{Group: group, Resource: resource}, "x",
			errors.New(`User "vera" cannot `+verb+` resource "`+resource+`" in API group "`+group+`" in the namespace "shop"`))
	}
	tests := map[string]struct {
		err  error
		want string // in what is added
	}{
		"to see":                       {forbidden("lanyard.dev", "oauthclients", "list"), "lanyard-view"},
		"to write a client":            {forbidden("lanyard.dev", "oauthclients", "patch"), "lanyard-client-owner"},
		"to write a certificate":       {forbidden("lanyard.dev", "clientcertificates", "create"), "lanyard-client-owner"},
		"to decide":                    {forbidden("lanyard.dev", "approleassignments", "create"), "lanyard-resource-owner"},
		"to write a resource":          {forbidden("lanyard.dev", "protectedresources", "patch"), "lanyard-resource-owner"},
		"to rotate keys":               {forbidden("", "secrets", "patch"), "cluster administrator"},
		"of another's kinds: none":     {forbidden("apps", "deployments", "get"), ""},
		"what a policy refuses: none":  {apierrors.NewForbidden(schema.GroupResource{Group: "lanyard.dev", Resource: "approleassignments"}, "x", errors.New("ValidatingAdmissionPolicy 'lanyard-who-decided' denied request: no")), ""},
		"what a webhook refuses: none": {apierrors.NewForbidden(schema.GroupResource{}, "", errors.New(`admission webhook "declarations.lanyard.dev" denied the request: taken`)), ""},
	}
	for sentence, test := range tests {
		t.Run(sentence, func(t *testing.T) {
			added := strings.TrimPrefix(cli.Sentence(test.err), test.err.Error())
			if (test.want == "") != (added == "") || !strings.Contains(added, test.want) {
				t.Errorf("to %q is added %q; want %q", test.err, added, test.want)
			}
		})
	}
}

func TestSentenceSaysHowAccessIsTakenAwayWhileTheWebhooksAreAway(t *testing.T) {
	away := apierrors.NewInternalError(errors.New(`failed calling webhook "who-decided.lanyard.dev": failed to call webhook: Post "https://lanyard-webhook": connection refused`))
	if says := cli.Sentence(away); !strings.Contains(says, "kubectl lanyard check") || !strings.Contains(says, "delete the approval") {
		t.Errorf("it says %q", says)
	}
	if another := apierrors.NewInternalError(errors.New(`failed calling webhook "pods.example.com": failed to call webhook`)); cli.Sentence(another) != another.Error() {
		t.Errorf("of another's webhook it says %q", cli.Sentence(another))
	}
}

func TestUsageSaysHowItIsWritten(t *testing.T) {
	root := &cobra.Command{Use: "kubectl-lanyard", Annotations: map[string]string{cobra.CommandDisplayNameAnnotation: "kubectl lanyard"}, Args: cobra.NoArgs, RunE: func(*cobra.Command, []string) error { return nil }}
	root.AddCommand(&cobra.Command{Use: "approve CLIENT ROLE", Args: cobra.ExactArgs(2), RunE: func(*cobra.Command, []string) error { return nil }})
	root.SilenceErrors, root.SilenceUsage = true, true
	cli.MarkUsage(root)
	for args, want := range map[string]string{
		"approve":  "write: kubectl lanyard approve CLIENT ROLE",
		"aprove":   "did you mean approve?",
		"anything": "there are approve",
	} {
		root.SetArgs([]string{args})
		err := root.Execute()
		if usage, ok := errors.AsType[*cli.UsageError](err); !ok || !strings.Contains(usage.Error(), want) {
			t.Errorf("%s: %v; want a UsageError that says %q", args, err, want)
		}
	}
}

func TestSentenceOfAnAPIServerThatDoesNotAnswer(t *testing.T) {
	asking := func(err error) error {
		return fmt.Errorf("get client: %w", &url.Error{Op: "Get", URL: "https://127.0.0.1:6443/apis/lanyard.dev", Err: err})
	}
	dial := func(err error) error { return asking(&net.OpError{Op: "dial", Net: "tcp", Err: err}) }
	for want, err := range map[string]error{
		"(connection refused)": dial(os.NewSyscallError("connect", syscall.ECONNREFUSED)),
		"(no route to host)":   dial(os.NewSyscallError("connect", syscall.EHOSTUNREACH)),
		"(no such host)":       dial(&net.DNSError{Err: "no such host", Name: "api", IsNotFound: true}),
		"(timeout)":            asking(context.DeadlineExceeded),
	} {
		t.Run(want, func(t *testing.T) {
			want := "the API server at 127.0.0.1:6443 does not answer " + want + ": is the context right, and does it run?"
			if got := cli.Sentence(err); got != want {
				t.Errorf("it says %q; want %q", got, want)
			}
		})
	}
	for sentence, err := range map[string]error{
		"a certificate that nobody knows":           asking(errors.New("tls: failed to verify certificate: x509: certificate signed by unknown authority")),
		"a program for credentials that is missing": asking(&os.PathError{Op: "fork/exec", Path: "/bin/login", Err: syscall.ENOENT}),
		"another server, asked for credentials":     asking(&url.Error{Op: "Post", URL: "https://login.example", Err: &net.OpError{Op: "dial", Net: "tcp", Err: syscall.ECONNREFUSED}}),
		"another server":                            &net.OpError{Op: "dial", Net: "tcp", Err: syscall.ECONNREFUSED},
	} {
		t.Run(sentence, func(t *testing.T) {
			if got := cli.Sentence(err); got != err.Error() {
				t.Errorf("it says %q; want %q", got, err)
			}
		})
	}
}
