// Package access reaches the issuer from where a person sits: inside of the cluster,
// or outside of it through kubectl port-forward.
package access

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"
	appsv1 "k8s.io/api/apps/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/lanyard-dev/lanyard/api/v1alpha1"
	"github.com/lanyard-dev/lanyard/cmd/kubectl-lanyard/internal/cli"
)

// Paths at the issuer.
const (
	TokenPath    = "/oauth2/token"
	KeysPath     = "/oauth2/keys"
	MetadataPath = "/.well-known/oauth-authorization-server"
)

const (
	// deploymentName is what the issuer runs as, and what its Service is called.
	deploymentName = "lanyard-issuer"
	// timeout bounds one request.
	timeout = 10 * time.Second
	// maxAnswer is how much of an answer is read, in bytes.
	maxAnswer = 1 << 20
)

// Flags say where the issuer is.
type Flags struct {
	// URL is the issuer's identifier.
	URL string
	// CA is a file with the authorities that may have signed the issuer's certificate.
	CA string
	// ConnectTo is the address to connect to in place of the URL's.
	ConnectTo string
}

// Add adds the flags to c.
func (f *Flags) Add(c *cobra.Command) {
	c.Flags().StringVar(&f.URL, "issuer", "", "URL of the issuer (default $LANYARD_ISSUER, else what its Deployment says, else https://lanyard-issuer.<lanyard namespace>.svc)")
	c.Flags().StringVar(&f.CA, "issuer-ca", "", "file with the CA of the issuer's certificate, PEM (default $LANYARD_CA, else those of this machine)")
	c.Flags().StringVar(&f.ConnectTo, "connect-to", "", "HOST:PORT to connect to in place of the issuer's, such as that of kubectl port-forward")
}

// Issuer is an issuer that can be asked.
type Issuer struct {
	// URL is its identifier.
	URL string
	// Guessed says that nobody gave the URL, and that it leads nowhere outside of the
	// cluster.
	Guessed bool

	namespace string
	connectTo string
	roots     *x509.CertPool // nil: those of the machine
}

// Issuer finds the issuer. c reads the Deployment where nothing else says the URL; nil
// where that is not wanted.
func (f Flags) Issuer(ctx context.Context, s *cli.Session, c client.Reader) (*Issuer, error) {
	a := &Issuer{URL: f.URL, namespace: s.LanyardNamespace, connectTo: f.ConnectTo}
	if a.URL == "" {
		a.URL = s.Getenv("LANYARD_ISSUER")
	}
	if a.URL == "" && c != nil {
		a.URL = deployed(ctx, c, s.LanyardNamespace)
	}
	if a.URL == "" {
		a.URL = "https://" + deploymentName + "." + s.LanyardNamespace + ".svc"
	}
	u, err := url.Parse(a.URL)
	if err != nil || u.Scheme != "https" || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" || strings.HasSuffix(a.URL, "/") {
		return nil, fmt.Errorf("the issuer is %q; it must be https://HOST[:PORT], without a slash at the end", a.URL)
	}
	a.Guessed = f.URL == "" && s.Getenv("LANYARD_ISSUER") == "" && f.ConnectTo == "" && strings.Contains(u.Hostname()+".", ".svc.")
	if f.ConnectTo != "" {
		if _, _, err := net.SplitHostPort(f.ConnectTo); err != nil {
			return nil, fmt.Errorf("--connect-to is %q; it must be HOST:PORT, such as 127.0.0.1:8443", f.ConnectTo)
		}
	}
	file := f.CA
	if file == "" {
		file = s.Getenv("LANYARD_CA")
	}
	if file == "" {
		return a, nil
	}
	data, err := os.ReadFile(file) //nolint:gosec // the person's own file
	if err != nil {
		return nil, fmt.Errorf("--issuer-ca: %w", err)
	}
	a.roots = x509.NewCertPool()
	if !a.roots.AppendCertsFromPEM(data) {
		return nil, fmt.Errorf("--issuer-ca: there is no PEM certificate in %s", file)
	}
	return a, nil
}

// deployed is what the Deployment says; nothing if it cannot be read.
func deployed(ctx context.Context, c client.Reader, namespace string) string {
	var d appsv1.Deployment
	if err := c.Get(ctx, types.NamespacedName{Namespace: namespace, Name: deploymentName}, &d); err != nil {
		return ""
	}
	for _, container := range d.Spec.Template.Spec.Containers {
		for _, arg := range container.Args {
			if value, ok := strings.CutPrefix(arg, "--issuer-url="); ok {
				return value
			}
		}
	}
	return ""
}

// Answer is what the issuer answered.
type Answer struct {
	Status int
	Header http.Header
	Body   []byte
	// TLS is the connection's.
	TLS *tls.ConnectionState
}

// Do sends a request, over a connection of its own with certificate; nil: without one.
// It follows no redirect. An error says what to do to reach the issuer.
func (a *Issuer) Do(r *http.Request, certificate *tls.Certificate) (Answer, error) {
	config := &tls.Config{RootCAs: a.roots, MinVersion: tls.VersionTLS12}
	if certificate != nil {
		config.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return certificate, nil }
	}
	transport := &http.Transport{Proxy: http.ProxyFromEnvironment, TLSClientConfig: config, DisableKeepAlives: true, ForceAttemptHTTP2: true}
	if a.connectTo != "" {
		transport.Proxy = nil
		transport.DialContext = func(ctx context.Context, network, _ string) (net.Conn, error) {
			var d net.Dialer
			return d.DialContext(ctx, network, a.connectTo)
		}
	}
	c := &http.Client{
		Transport: transport, Timeout: timeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	response, err := c.Do(r)
	if err != nil {
		return Answer{}, a.explain(err)
	}
	defer response.Body.Close() //nolint:errcheck // nothing is written
	body, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer))
	if err != nil {
		return Answer{}, a.explain(err)
	}
	return Answer{response.StatusCode, response.Header, body, response.TLS}, nil
}

// Get reads a document of the issuer. path begins with a slash.
func (a *Issuer) Get(ctx context.Context, path string) (Answer, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, a.URL+path, http.NoBody)
	if err != nil {
		return Answer{}, err
	}
	return a.Do(r, nil)
}

// UnreachableError says that the issuer could not be asked, and what to do about it.
type UnreachableError struct {
	// Found is what was found.
	Found string
	// Hint is what to do.
	Hint string
}

// Error says both.
func (e *UnreachableError) Error() string { return e.Found + ".\n" + e.Hint }

// explain says what to do where the issuer did not answer.
func (a *Issuer) explain(err error) error {
	if wrapped, ok := errors.AsType[*url.Error](err); ok {
		err = wrapped.Err // without "Post" and the URL
	}
	if errors.Is(err, context.Canceled) {
		return err
	}
	e := &UnreachableError{Found: fmt.Sprintf("the issuer %s cannot be reached from here: %v", a.URL, err)}
	unknown, host := x509.UnknownAuthorityError{}, x509.HostnameError{}
	switch {
	case errors.As(err, &unknown):
		e.Found = fmt.Sprintf("the certificate of the issuer %s is of an authority that is not known here", a.URL)
		e.Hint = fmt.Sprintf("Give its CA with --issuer-ca FILE or LANYARD_CA; it stands in each namespace with clients, and in Lanyard's: kubectl -n %s get configmap %s -o jsonpath='{.data.ca\\.crt}'", a.namespace, v1alpha1.ConfigMapCA)
	case errors.As(err, &host):
		e.Hint = "Something else answers there. Give the URL that the certificate is for with --issuer, and the address with --connect-to HOST:PORT."
	case a.connectTo != "":
		e.Hint = fmt.Sprintf("Is anything listening at --connect-to %s? kubectl -n %s port-forward service/%s 8443:443 listens at 127.0.0.1:8443.", a.connectTo, a.namespace, deploymentName)
	default:
		e.Hint = fmt.Sprintf("From outside of the cluster, run kubectl -n %s port-forward service/%s 8443:443 beside this, and add --connect-to 127.0.0.1:8443.", a.namespace, deploymentName)
	}
	return e
}
