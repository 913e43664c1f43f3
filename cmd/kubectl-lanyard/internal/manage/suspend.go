package manage

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/lanyard-dev/lanyard/api/v1alpha1"
	"github.com/lanyard-dev/lanyard/cmd/kubectl-lanyard/internal/cli"
)

// switcher is suspend, or resume.
type switcher struct {
	session *cli.Session
	output  cli.Output
	dryRun  cli.DryRun
	suspend bool
}

// NewSuspend makes the command suspend.
func NewSuspend(s *cli.Session) *cobra.Command {
	return (&switcher{session: s, suspend: true}).command(&cobra.Command{
		Use:   "suspend CLIENT | resource/NAME",
		Short: "End new tokens for a client, or for a resource",
		Long: "Set spec.suspend of a client, or of a resource. New tokens are refused within a second, and\n" +
			"introspection says inactive. Tokens that are out there work at APIs that check them by\n" +
			"themselves, until they end.",
		Example: "  kubectl lanyard suspend checkout -n shop\n  kubectl lanyard suspend resource/orders -n orders",
	})
}

// NewResume makes the command resume.
func NewResume(s *cli.Session) *cobra.Command {
	return (&switcher{session: s}).command(&cobra.Command{
		Use:     "resume CLIENT | resource/NAME",
		Short:   "Take a suspension back",
		Long:    "Remove spec.suspend of a client, or of a resource: tokens are given again within a second.",
		Example: "  kubectl lanyard resume checkout -n shop\n  kubectl lanyard resume resource/orders -n orders",
	})
}

func (o *switcher) command(c *cobra.Command) *cobra.Command {
	c.Args = cobra.ExactArgs(1)
	c.ValidArgsFunction = o.complete
	c.RunE = func(c *cobra.Command, args []string) error {
		if err := o.output.Check(c); err != nil {
			return err
		}
		if err := o.dryRun.Check(c); err != nil {
			return err
		}
		of, name, err := subjectOf(args[0])
		if err != nil {
			return cli.Usage(c, err)
		}
		return o.run(c.Context(), of, name)
	}
	o.dryRun.AddFlag(c)
	o.output.AddFlag(c)
	return c
}

// subject is what is suspended or resumed.
type subject struct {
	client.Object

	kind, what string
	// flag is spec.suspend of Object.
	flag *bool
	// lifetime is how long a token of it works.
	lifetime   func() *metav1.Duration
	conditions func() []metav1.Condition
}

func clientSubject() subject {
	c := &v1alpha1.OAuthClient{}
	return subject{
		Object: c, kind: "OAuthClient", what: "client", flag: &c.Spec.Suspend,
		lifetime:   func() *metav1.Duration { return c.Spec.AccessTokenLifetime },
		conditions: func() []metav1.Condition { return c.Status.Conditions },
	}
}

func resourceSubject() subject {
	p := &v1alpha1.ProtectedResource{}
	return subject{
		Object: p, kind: "ProtectedResource", what: "resource", flag: &p.Spec.Suspend,
		lifetime:   func() *metav1.Duration { return p.Spec.AccessTokenLifetime },
		conditions: func() []metav1.Condition { return p.Status.Conditions },
	}
}

// words for the kinds, as people write them before a slash.
var (
	clientWords   = []string{"client", "clients", "oauthclient", "oauthclients", "oac"}
	resourceWords = []string{"resource", "resources", "protectedresource", "protectedresources", "pres"}
	// otherWords are kinds that have no spec.suspend.
	otherWords = []string{
		"role", "roles", "approle", "approles", "assignment", "assignments", "approleassignment", "approleassignments", "ara",
		"certificate", "certificates", "clientcertificate", "clientcertificates", "ccert", "tokenrevocation", "tokenrevocations",
	}
)

// subjectOf reads CLIENT, client/NAME or resource/NAME.
func subjectOf(arg string) (subject, string, error) {
	before, name, found := strings.Cut(arg, "/")
	word := strings.TrimSuffix(strings.ToLower(before), "."+v1alpha1.SchemeGroupVersion.Group) // as kubectl get -o name writes it
	switch {
	case found && slices.Contains(resourceWords, word):
		return resourceSubject(), name, nil
	case found && slices.Contains(clientWords, word):
		return clientSubject(), name, nil
	case found && slices.Contains(otherWords, word):
		return subject{}, "", fmt.Errorf("%q is no kind that can be suspended: only clients and resources can; write client/NAME or resource/NAME, "+
			"and for client %s in a namespace %s: client/%s -n %s", before, name, before, name, before)
	default:
		return clientSubject(), arg, nil
	}
}

func (o *switcher) run(ctx context.Context, of subject, name string) error {
	key, err := o.session.Object(name)
	if err != nil {
		return err
	}
	c, err := o.session.Client()
	if err != nil {
		return err
	}
	if err := cli.Get(ctx, c, of.kind, key, of.Object); err != nil {
		return err
	}
	already := *of.flag == o.suspend
	if !already && !o.dryRun.Client() {
		// Nothing but the flag is sent: whoever changes the rest at the same time keeps it.
		patch := client.RawPatch(types.MergePatchType, fmt.Appendf(nil, `{"spec":{"suspend":%t}}`, o.suspend))
		if err := c.Patch(ctx, of.Object, patch, o.dryRun.Patch()...); err != nil {
			return err
		}
	}
	if o.output.Format == "json" || o.output.Format == "yaml" {
		*of.flag = o.suspend
		of.SetManagedFields(nil)
		of.GetObjectKind().SetGroupVersionKind(v1alpha1.SchemeGroupVersion.WithKind(of.kind))
		return o.session.Print(o.output, of.Object, nil)
	}
	fmt.Fprintln(o.session.Out, o.sentence(of, key, already))
	if o.dryRun.Any() {
		return nil
	}
	return o.follow(ctx, c, of, key)
}

// sentence says what was done, and what it means.
func (o *switcher) sentence(of subject, key types.NamespacedName, already bool) string {
	verb, means := "resumed", "tokens are given again within a second"
	if o.suspend {
		verb, means = "suspended", "new tokens are refused within a second, and introspection says inactive. "+
			"Tokens that were given work at APIs that do not introspect until they end"
		if of.lifetime() != nil {
			means += fmt.Sprintf(", in %s at most", cli.Lifetime(of.lifetime().Duration))
		}
	}
	switch {
	case already && o.suspend:
		verb = "was suspended already"
	case already:
		verb, means = "was not suspended", "nothing was to be done"
	}
	return fmt.Sprintf("%s %s %s%s: %s.", of.what, key, verb, o.dryRun.Note(), means)
}

// follow waits for the status, and says what still stands in the way of tokens.
func (o *switcher) follow(ctx context.Context, c client.Client, of subject, key types.NamespacedName) error {
	var ready *metav1.Condition
	seen, err := o.session.Await(ctx, cli.AwaitPatience, "Lanyard's controller to say so in the status", func(ctx context.Context) (bool, error) {
		if err := c.Get(ctx, key, of.Object); err != nil {
			return false, err
		}
		ready = meta.FindStatusCondition(of.conditions(), v1alpha1.ConditionReady)
		return ready != nil && ready.ObservedGeneration >= of.GetGeneration(), nil
	})
	switch {
	case err != nil:
		return err
	case !seen:
		fmt.Fprintf(o.session.Err, "note: it is written, and issuers go by it. Lanyard's controller has not said so in the status within %s; see kubectl lanyard check\n", cli.AwaitPatience)
	case !o.suspend && ready.Status != metav1.ConditionTrue:
		return cli.Say(o.session.Out, "%s", o.session.Paint(cli.Warn, fmt.Sprintf("It is not ready still (%s): %s", ready.Reason, ready.Message)))
	}
	return nil
}

func (o *switcher) complete(c *cobra.Command, args []string, typed string) ([]string, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	if word, _, found := strings.Cut(typed, "/"); found {
		of, _, err := subjectOf(typed)
		if err != nil {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		return o.session.CompleteNames(c, of.kind, word+"/")
	}
	names, _ := o.session.CompleteNames(c, "OAuthClient", "")
	return append(names, "resource/"), cobra.ShellCompDirectiveNoFileComp | cobra.ShellCompDirectiveNoSpace
}
