package why

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/lanyard-dev/lanyard/cmd/kubectl-lanyard/internal/cli"
	"github.com/lanyard-dev/lanyard/issuer/oauth"
)

// flags are what was typed beside the arguments.
type flags struct {
	output         cli.Output
	scope          string
	cert           string
	noCert         bool
	authMethod     string
	pod            string
	serviceAccount string
	grantType      string
	tokenType      string
	dpop           bool
	clusterDomain  string

	trace string
	log   string
	since time.Duration
}

// New returns the command.
func New(s *cli.Session) *cobra.Command {
	f := &flags{}
	c := &cobra.Command{
		Use:   "why CLIENT RESOURCE | --trace ID [RESOURCE]",
		Short: "Explain why a client gets, or does not get, a token",
		Long: "Take every step of the issuer's decision, as things stand now, with the same code and with what you may\n" +
			"read, and say of each what was found and what to change.\n\n" +
			"CLIENT is the name of an OAuthClient; RESOURCE the identifier or the name of a ProtectedResource. Names are\n" +
			"NAME or NAMESPACE/NAME. With --trace the request is looked up in the issuer's log by the trace_id or\n" +
			"correlation_id of its answer, and asked again; RESOURCE is needed there only if the log does not say it.\n\n" +
			"The exit code is 0 if a token would be given, 1 if not, 2 if the command was typed wrongly.",
		Example: "  # Why does checkout get no token for the orders API?\n" +
			"  kubectl lanyard why shop/checkout api://orders\n\n" +
			"  # Would it with this certificate, and for one role only?\n" +
			"  kubectl lanyard why -n shop checkout orders/orders --cert tls.crt --scope Orders.Read.All\n\n" +
			"  # What was wrong with a request that was refused?\n" +
			"  kubectl lanyard why --trace 6f8d0c3e5b1a4f7e9d2c",
		Args: func(_ *cobra.Command, args []string) error { return f.args(args) },
		RunE: func(c *cobra.Command, args []string) error { return f.run(c, s, args) },
	}
	f.output.AddFlag(c)
	flags := c.Flags()
	flags.StringVar(&f.scope, "scope", "", "ask for these roles only: values, or a whole scope (default: every role that is granted)")
	flags.StringVar(&f.cert, "cert", "", "file with the certificate that the workload shows, - for standard input (default: the client's pin that lasts longest)")
	flags.BoolVar(&f.noCert, "no-cert", false, "the workload shows no certificate")
	flags.StringVar(&f.authMethod, "auth-method", "", "how the client authenticates, such as tls_client_auth or private_key_jwt (default: the first way that works)")
	flags.StringVar(&f.pod, "pod", "", "the client authenticates with the token of this pod")
	flags.StringVar(&f.serviceAccount, "service-account", "", "the client authenticates with a token of this service account")
	flags.StringVar(&f.grantType, "grant-type", string(oauth.GrantClientCredentials), "the grant_type of the request")
	flags.StringVar(&f.tokenType, "token-type", "", "the token_type of the request: Bearer or mtls_pop")
	flags.BoolVar(&f.dpop, "dpop", false, "the request carries a DPoP proof; --dpop=false: none (default: as the client's tokenBinding wants it)")
	flags.StringVar(&f.clusterDomain, "cluster-domain", "cluster.local", "the cluster's DNS domain, as the issuer has it")
	flags.StringVar(&f.trace, "trace", "", "explain the request with this trace_id or correlation_id, from the issuer's log")
	flags.StringVar(&f.log, "log", "", "with --trace: file with the issuer's log, - for standard input (default: the logs of its pods)")
	flags.DurationVar(&f.since, "since", time.Hour, "with --trace: how far back to look in the logs of the pods")
	c.MarkFlagsMutuallyExclusive("cert", "no-cert")
	c.MarkFlagsMutuallyExclusive("pod", "service-account")
	for _, other := range []string{"scope", "cert", "no-cert", "auth-method", "pod", "service-account", "grant-type", "token-type", "dpop"} {
		c.MarkFlagsMutuallyExclusive("trace", other) // the log says them
	}
	c.ValidArgsFunction = func(c *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
		if len(args) == 0 && f.trace == "" {
			return s.CompleteNames(c, "OAuthClient", "")
		}
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	return c
}

func (f *flags) args(args []string) error {
	switch {
	case f.trace == "" && len(args) != 2:
		return fmt.Errorf("needs CLIENT and RESOURCE, such as shop/checkout api://orders, and got %d argument(s)", len(args))
	case f.trace != "" && len(args) > 1:
		return errors.New("--trace takes the client from the log; leave it out, and write RESOURCE at most")
	}
	return nil
}

// question reads what was typed.
func (f *flags) question(s *cli.Session, args []string) (*question, error) {
	q := &question{
		resource: args[1], scope: f.scope, dpop: f.dpop, pod: f.pod, serviceAccount: f.serviceAccount,
		grantType: oauth.GrantType(f.grantType), tokenType: oauth.TokenType(f.tokenType), method: oauth.AuthMethod(f.authMethod),
	}
	methods := []oauth.AuthMethod{"", oauth.AuthPrivateKeyJWT, oauth.AuthTLSClient, oauth.AuthSelfSignedTLSClient, oauth.AuthClientSecretBasic, oauth.AuthClientSecretPost}
	grants := []oauth.GrantType{oauth.GrantClientCredentials, oauth.GrantTLSClientAuth}
	types := []oauth.TokenType{"", oauth.TokenBearer, oauth.TokenMTLSPoP}
	switch {
	case !slices.Contains(grants, q.grantType):
		return nil, fmt.Errorf("--grant-type=%s is not served; use %s or %s", q.grantType, grants[0], grants[1])
	case !slices.Contains(types, q.tokenType):
		return nil, fmt.Errorf("--token-type=%s is not served; leave it out, or use %s or %s", q.tokenType, types[1], types[2])
	case !slices.Contains(methods, q.method):
		return nil, fmt.Errorf("--auth-method=%s is not served; leave it out, or use one of %q", q.method, methods[1:])
	case q.resource == "":
		return nil, errors.New("RESOURCE is empty; write its identifier, such as api://orders, or its name")
	}
	var err error
	if q.client, err = s.Object(args[0]); err != nil {
		return nil, err
	}
	q.exact = f.noCert
	if f.cert != "" {
		q.peer, err = readPeer(f.cert, s.In)
	}
	return q, err
}

func (f *flags) run(c *cobra.Command, s *cli.Session, args []string) error {
	if err := f.output.Check(c); err != nil {
		return err
	}
	var q *question
	var logged *Logged
	var err error
	if f.trace != "" {
		q, logged, err = f.traced(c.Context(), s, strings.Join(args, ""))
	} else if q, err = f.question(s, args); err != nil {
		return cli.Usage(c, err)
	} else {
		q.withoutProof = c.Flags().Changed("dpop") && !f.dpop
	}
	if err != nil {
		return err
	}
	r := &Report{}
	if q != nil {
		if r, err = f.answer(c.Context(), s, q); err != nil {
			return err
		}
	}
	r.Logged = logged
	err = s.Print(f.output, r, func(w io.Writer) error { return printer{s, f.output.Wide()}.report(w, r, s.Now()) })
	if err == nil && r.Outcome != TokenGranted {
		err = cli.ErrNo
	}
	return err
}

// answer looks and judges.
func (f *flags) answer(ctx context.Context, s *cli.Session, q *question) (*Report, error) {
	api, err := s.Client()
	if err != nil {
		return nil, err
	}
	if q.namespace, err = s.Namespace(); err != nil {
		return nil, err
	}
	w, err := look(ctx, api, q, f.clusterDomain)
	if err != nil {
		return nil, err
	}
	return judge(ctx, q, w, s.Now()), nil
}
