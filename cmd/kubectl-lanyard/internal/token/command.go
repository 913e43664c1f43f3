package token

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/spf13/cobra"
	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/lanyard-dev/lanyard/api/v1alpha1"
	"github.com/lanyard-dev/lanyard/cmd/kubectl-lanyard/internal/access"
	"github.com/lanyard-dev/lanyard/cmd/kubectl-lanyard/internal/cli"
)

// options are the flags.
type options struct {
	output         cli.Output
	resource       string
	scopes         []string
	serviceAccount string
	pod            string
	certificate    string
	key            string
	issuer         access.Flags
}

// New returns the command.
func New(s *cli.Session) *cobra.Command {
	var o options
	c := &cobra.Command{
		Use:   "token CLIENT",
		Short: "Get an access token as a client, to try an API with",
		Long: "token asks the issuer for an access token as a pod of the client would: with a token of a service\n" +
			"account that the client lists, which you must be allowed to create (create on serviceaccounts/token),\n" +
			"and over a connection with the client's certificate where its tokens are bound to one.\n" +
			"The token goes to standard output, and what it is to standard error. It is written nowhere else.",
		Example: "  kubectl lanyard token checkout -n shop --resource api://orders --cert tls.crt --key tls.key\n" +
			"  kubectl lanyard token shop/checkout --resource api://orders --scope Orders.Read.All | kubectl lanyard inspect",
		Args: cobra.ExactArgs(1),
	}
	c.RunE = func(c *cobra.Command, args []string) error {
		if err := o.output.Check(c); err != nil {
			return err
		}
		if (o.certificate == "") != (o.key == "") {
			return cli.Usage(c, errors.New("--cert and --key belong together; give both"))
		}
		return run(c.Context(), s, o, args[0])
	}
	c.ValidArgsFunction = func(c *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
		if len(args) > 0 {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		return s.CompleteNames(c, "OAuthClient", "")
	}
	o.output.AddFlag(c)
	o.issuer.Add(c)
	c.Flags().StringVar(&o.resource, "resource", "", "identifier of the API, such as api://orders (default: the client's only one)")
	c.Flags().StringSliceVar(&o.scopes, "scope", nil, "only these roles: their values, or whole scopes (repeatable; default all that are granted)")
	c.Flags().StringVar(&o.serviceAccount, "service-account", "", "service account to ask as, where the client lists several")
	c.Flags().StringVar(&o.pod, "pod", "", "pod of it to ask as (default: one that lives)")
	c.Flags().StringVar(&o.certificate, "cert", "", "file with the client's certificate, PEM")
	c.Flags().StringVar(&o.key, "key", "", "file with its private key, PEM")
	return c
}

func run(ctx context.Context, s *cli.Session, o options, arg string) error {
	name, err := s.Object(arg)
	if err != nil {
		return err
	}
	certificate, err := readCertificate(o)
	if err != nil {
		return err
	}
	c, err := s.Client()
	if err != nil {
		return err
	}
	where, err := o.issuer.Issuer(ctx, s, c)
	if err != nil {
		return err
	}
	a := asker{c, s, o, where}
	object, err := a.client(ctx, name, certificate != nil)
	if err != nil {
		return err
	}
	if a.options.resource, err = chooseResource(object, o.resource, o.scopes); err != nil {
		return err
	}
	assertion, asked, err := a.assertion(ctx, object)
	if err != nil {
		return err
	}
	g, err := a.token(ctx, object, assertion, certificate)
	if err != nil {
		return err
	}
	// First what it is: on a terminal the token then stands last, ready to be copied.
	if err := g.tell(s.Err, s.Now(), asked); err != nil {
		return err
	}
	return s.Print(o.output, g.raw, func(w io.Writer) error {
		_, err := fmt.Fprintln(w, g.token)
		return err
	})
}

// readCertificate reads the certificate and its key, if they were given.
func readCertificate(o options) (*tls.Certificate, error) {
	if o.certificate == "" {
		return nil, nil //nolint:nilnil // none was given
	}
	pair, err := tls.LoadX509KeyPair(o.certificate, o.key)
	if err != nil {
		return nil, fmt.Errorf("--cert and --key: %w", err)
	}
	return &pair, nil
}

// asker asks, step by step.
type asker struct {
	client.Client
	session *cli.Session
	options options
	issuer  *access.Issuer
}

// client reads the client, and says whether a certificate is missing.
func (a asker) client(ctx context.Context, name types.NamespacedName, certificate bool) (*v1alpha1.OAuthClient, error) {
	var c v1alpha1.OAuthClient
	if err := a.Get(ctx, name, &c); err != nil {
		if apierrors.IsNotFound(err) {
			return nil, fmt.Errorf("there is no client %s; kubectl get oauthclients -n %s lists those that there are", name, name.Namespace)
		}
		return nil, err
	}
	err := needsCertificate(&c, certificate, nil)
	if err == nil {
		return &c, nil
	}
	var list v1alpha1.ClientCertificateList
	if a.List(ctx, &list, client.InNamespace(c.Namespace)) != nil {
		return nil, err
	}
	return nil, needsCertificate(&c, certificate, secretsOf(&c, list.Items))
}

// assertion creates a token of the client's service account for the issuer, and says
// as whom.
func (a asker) assertion(ctx context.Context, c *v1alpha1.OAuthClient) (assertion, asked string, err error) {
	account, err := chooseAccount(c, a.options.serviceAccount)
	if err != nil {
		return "", "", err
	}
	request := &authenticationv1.TokenRequest{Spec: authenticationv1.TokenRequestSpec{
		Audiences: []string{a.issuer.URL}, ExpirationSeconds: new(int64(life(c).Seconds())),
	}}
	pod := a.options.pod
	if pod == "" && account.BoundTo != v1alpha1.BoundToAny {
		if pod, err = a.livingPod(ctx, c.Namespace, account.Name); err != nil {
			return "", "", err
		}
	}
	asked = fmt.Sprintf("service account %s/%s", c.Namespace, account.Name)
	if pod != "" {
		request.Spec.BoundObjectRef = &authenticationv1.BoundObjectReference{APIVersion: "v1", Kind: "Pod", Name: pod}
		asked = fmt.Sprintf("pod %s/%s, %s", c.Namespace, pod, asked)
	}
	object := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: c.Namespace, Name: account.Name}}
	err = a.SubResource("token").Create(ctx, object, request)
	switch {
	case apierrors.IsForbidden(err):
		return "", "", fmt.Errorf("you may not create tokens for the service account %s/%s; that takes the verb create on serviceaccounts/token.\n"+
			"Whoever administers the namespace can allow it:\n  kubectl -n %s create role lanyard-token --verb=create --resource=serviceaccounts/token --resource-name=%s",
			c.Namespace, account.Name, c.Namespace, account.Name)
	case apierrors.IsNotFound(err):
		return "", "", fmt.Errorf("the API server makes no token for the service account %s/%s: %s", c.Namespace, account.Name, strings.TrimSpace(err.Error()))
	case err != nil:
		return "", "", err
	}
	return request.Status.Token, asked, nil
}

// livingPod finds a pod to ask as.
func (a asker) livingPod(ctx context.Context, namespace, account string) (string, error) {
	var pods corev1.PodList
	err := a.List(ctx, &pods, client.InNamespace(namespace), client.MatchingFields{"spec.serviceAccountName": account})
	if apierrors.IsForbidden(err) {
		return "", fmt.Errorf("you may not list the pods of namespace %s to choose one; name one that runs as the service account %s with --pod", namespace, account)
	}
	if err != nil {
		return "", err
	}
	pod, ok := choosePod(pods.Items, account, a.session.Now())
	if !ok {
		return "", fmt.Errorf("no pod runs as the service account %s/%s, and the client takes only tokens that are bound to a living pod (boundTo: Pod).\n"+
			"Start one, or let its owner set boundTo: Any for the service account", namespace, account)
	}
	return pod, nil
}

// token asks the issuer.
func (a asker) token(ctx context.Context, c *v1alpha1.OAuthClient, assertion string, certificate *tls.Certificate) (granted, error) {
	body := form(c, a.options.resource, a.options.scopes, assertion).Encode()
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, a.issuer.URL+access.TokenPath, strings.NewReader(body))
	if err != nil {
		return granted{}, err
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	answer, err := a.issuer.Do(r, certificate)
	if err != nil {
		return granted{}, err
	}
	return read(answer, c.Namespace+"/"+c.Name, a.options.resource)
}
