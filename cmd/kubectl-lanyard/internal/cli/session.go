package cli

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/pflag"
	"golang.org/x/term"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/cli-runtime/pkg/genericclioptions"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// Session is one run of the plugin: what was typed, where it is read and written, and
// the clock.
type Session struct {
	// Flags are kubectl's own: --kubeconfig, --context, --namespace, --as and the rest.
	Flags *genericclioptions.ConfigFlags
	In    io.Reader
	// Out is for what was asked, Err for everything that is said about it.
	Out, Err io.Writer
	Now      func() time.Time
	Getenv   func(string) string
	// LanyardNamespace is where Lanyard itself runs.
	LanyardNamespace string

	noColour bool
	// data is Out as it is: JSON and YAML keep every character.
	data io.Writer
}

// DefaultLanyardNamespace is where config/default installs Lanyard.
const DefaultLanyardNamespace = "lanyard-system"

// SigningKeySecret is the Secret with the signing keys, where nobody named another one.
const SigningKeySecret = "lanyard-signing-keys"

// NewSession returns a session with kubectl's defaults.
func NewSession(in io.Reader, out, errOut io.Writer, now func() time.Time, getenv func(string) string) *Session {
	return &Session{
		Flags: genericclioptions.NewConfigFlags(true),
		In:    in, Out: Safe(out), Err: Safe(errOut), Now: now, Getenv: getenv,
		data:             out,
		LanyardNamespace: DefaultLanyardNamespace,
	}
}

// AddFlags adds the flags that every command takes.
func (s *Session) AddFlags(flags *pflag.FlagSet) {
	s.Flags.AddFlags(flags)
	flags.StringVar(&s.LanyardNamespace, "lanyard-namespace", DefaultLanyardNamespace, "namespace of Lanyard itself")
	flags.BoolVar(&s.noColour, "no-color", false, "no colours, also on a terminal (as $NO_COLOR)")
}

// guessedServer is client-go's, where no kubeconfig names one.
const guessedServer = "http://localhost:8080"

// Config says where the API server is, and as whom to speak to it. What admission warns
// of is written to s.Err, as kubectl does.
func (s *Session) Config() (*rest.Config, error) {
	config, err := s.Flags.ToRESTConfig()
	if err != nil {
		if clientcmd.IsEmptyConfig(err) {
			return nil, errors.New("no cluster is configured; set KUBECONFIG, or pass --kubeconfig or --context")
		}
		return nil, err
	}
	// Where nothing is configured, client-go guesses a server that nobody has.
	if raw, err := s.Flags.ToRawKubeConfigLoader().RawConfig(); err == nil && clientcmdapi.IsConfigEmpty(&raw) && config.Host == guessedServer {
		return nil, errors.New("no cluster is configured; set KUBECONFIG, or pass --kubeconfig or --context")
	}
	config.UserAgent = "kubectl-lanyard"
	config.QPS = -1 // one person, a handful of requests
	config.WarningHandler = rest.NewWarningWriter(s.Err, rest.WarningWriterOptions{Deduplicate: true, Color: s.colourful(s.Err)})
	return config, nil
}

// Client reads and writes the API server, without a cache and without discovery: it
// knows the kinds of [Scheme] and their resources.
func (s *Session) Client() (client.WithWatch, error) {
	config, err := s.Config()
	if err != nil {
		return nil, err
	}
	return client.NewWithWatch(config, client.Options{Scheme: Scheme(), Mapper: mapper()})
}

// Namespace is the one of --namespace, or of the kubeconfig's context, or default.
func (s *Session) Namespace() (string, error) {
	namespace, _, err := s.Flags.ToRawKubeConfigLoader().Namespace()
	return namespace, err
}

// Object reads the name of an object: namespace/name, or the name of one in the current
// namespace.
func (s *Session) Object(arg string) (types.NamespacedName, error) {
	namespace, name, found := strings.Cut(arg, "/")
	if !found {
		current, err := s.Namespace()
		namespace, name = current, arg
		if err != nil {
			return types.NamespacedName{}, err
		}
	}
	if namespace == "" || name == "" || strings.Contains(name, "/") {
		return types.NamespacedName{}, fmt.Errorf("%q is no name: write NAME, or NAMESPACE/NAME for one of another namespace", arg)
	}
	return types.NamespacedName{Namespace: namespace, Name: name}, nil
}

// colourful says whether w shows colours.
func (s *Session) colourful(w io.Writer) bool {
	return !s.noColour && s.Getenv("NO_COLOR") == "" && s.Getenv("TERM") != "dumb" && IsTerminal(w)
}

// IsTerminal says whether a person sees what is written to w.
func IsTerminal(w any) bool {
	if guarded, ok := w.(safe); ok {
		w = guarded.w
	}
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}
