package check

import (
	"context"
	"io"

	"github.com/spf13/cobra"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"

	"github.com/lanyard-dev/lanyard/cmd/kubectl-lanyard/internal/access"
	"github.com/lanyard-dev/lanyard/cmd/kubectl-lanyard/internal/cli"
)

// options are the flags.
type options struct {
	output cli.Output
	pre    bool
	issuer access.Flags
}

// New returns the command.
func New(s *cli.Session) *cobra.Command {
	var o options
	c := &cobra.Command{
		Use:   "check",
		Short: "Say whether Lanyard is healthy, and what to do where it is not",
		Long: "check looks at the cluster, the kinds, policies and webhooks, the controller and the issuer with its\n" +
			"keys, the clocks, what injected pods need, what you may do in the namespace, and at objects that\n" +
			"are not Ready.\n" +
			"What you may not see is said and stops nothing. The exit code is 1 if something fails.",
		Example: "  kubectl lanyard check --pre\n" +
			"  kubectl lanyard check -n shop --connect-to 127.0.0.1:8443 --issuer-ca ca.crt",
		Args: cobra.NoArgs,
	}
	c.RunE = func(c *cobra.Command, _ []string) error {
		if err := o.output.Check(c); err != nil {
			return err
		}
		return carryOut(c.Context(), s, o)
	}
	o.output.AddFlag(c)
	o.issuer.Add(c)
	c.Flags().BoolVar(&o.pre, "pre", false, "say whether Lanyard can be installed, before it is")
	return c
}

func carryOut(ctx context.Context, s *cli.Session, o options) error {
	p, err := newProbe(ctx, s, o)
	if err != nil {
		return err
	}
	sections, err := p.sections(o.pre)
	if err != nil {
		return err
	}
	var progress io.Writer
	if cli.IsTerminal(s.Err) {
		progress = s.Err
	}
	report := run(ctx, sections, progress)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if _, err := p.version(); err != nil {
		report.silence()
	}
	err = s.Print(o.output, report, func(w io.Writer) error { return report.write(w, s.Paint, conclusions(o.pre)) })
	if err == nil && !report.Healthy {
		return cli.ErrNo
	}
	return err
}

// conclusions are what is said in the end.
func conclusions(pre bool) [3]string {
	if pre {
		return [3]string{"Lanyard can be installed.", "Nothing that could be seen is in the way of installing Lanyard.", "Lanyard cannot be installed like this."}
	}
	return [3]string{"Lanyard is healthy.", "What could be seen is healthy.", "Lanyard is not healthy."}
}

func newProbe(ctx context.Context, s *cli.Session, o options) (*probe, error) {
	config, err := s.Config()
	if err != nil {
		return nil, err
	}
	namespace, err := s.Namespace()
	if err != nil {
		return nil, err
	}
	c, err := s.Client()
	if err != nil {
		return nil, err
	}
	where, err := o.issuer.Issuer(ctx, s, c)
	if err != nil {
		return nil, err
	}
	p := &probe{Client: c, config: config, now: s.Now, namespace: namespace, lanyard: s.LanyardNamespace, where: where}
	p.remember(ctx)
	return p, nil
}

func (p *probe) sections(pre bool) ([]section, error) {
	if pre {
		before := p.cluster()
		before.checks = append(before.checks, check{"earlier installation", p.earlier})
		return []section{before, p.may("What you may do", toInstall(p.lanyard), Fail)}, nil
	}
	kinds, err := p.kinds()
	if err != nil {
		return nil, err
	}
	admission, err := p.admission()
	if err != nil {
		return nil, err
	}
	return []section{
		p.cluster(), kinds, admission, p.processes(), p.issuer(), p.injection(),
		p.may("What you may do in namespace "+p.namespace, inNamespace(p.namespace), No), p.objects(),
	}, nil
}

// earlier says whether Lanyard is installed already.
func (p *probe) earlier(ctx context.Context) Result {
	crd := &unstructured.Unstructured{Object: object{"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition"}}
	err := p.Get(ctx, types.NamespacedName{Name: "oauthclients.lanyard.dev"}, crd)
	if apierrors.IsNotFound(err) {
		return ok("there is none")
	}
	if r, done := unseen(err, "CustomResourceDefinitions"); done {
		return r
	}
	return warn("kubectl lanyard check says how it stands.", "Lanyard's kinds are installed already")
}
