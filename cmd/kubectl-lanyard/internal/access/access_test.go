package access

import (
	"encoding/pem"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	"github.com/lanyard-dev/lanyard/cmd/kubectl-lanyard/internal/cli"
)

func session(environ map[string]string) *cli.Session {
	return cli.NewSession(strings.NewReader(""), &strings.Builder{}, &strings.Builder{}, time.Now, func(name string) string { return environ[name] })
}

func TestWhereTheIssuerIs(t *testing.T) {
	deployment := &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Namespace: "lanyard-system", Name: "lanyard-issuer"}}
	deployment.Spec.Template.Spec.Containers = []corev1.Container{{Name: "issuer", Args: []string{"--log-level=info", "--issuer-url=https://deployed"}}}
	tests := map[string]struct {
		flags   Flags
		environ map[string]string
		objects []client.Object
		want    string
		guessed bool
		refused string
	}{
		"by the flag":                   {flags: Flags{URL: "https://flag"}, environ: map[string]string{"LANYARD_ISSUER": "https://env"}, want: "https://flag"},
		"by the environment":            {environ: map[string]string{"LANYARD_ISSUER": "https://env"}, objects: []client.Object{deployment}, want: "https://env"},
		"by the Deployment":             {objects: []client.Object{deployment}, want: "https://deployed"},
		"by its name":                   {want: "https://lanyard-issuer.lanyard-system.svc", guessed: true},
		"by its name, through a tunnel": {flags: Flags{ConnectTo: "127.0.0.1:8443"}, want: "https://lanyard-issuer.lanyard-system.svc"},
		"without TLS":                   {flags: Flags{URL: "http://flag"}, refused: "https://HOST"},
		"with a slash at the end":       {flags: Flags{URL: "https://flag/"}, refused: "without a slash"},
		"with a user":                   {flags: Flags{URL: "https://a:b@flag"}, refused: "https://HOST"},
		"to connect to, without a port": {flags: Flags{ConnectTo: "localhost"}, refused: "HOST:PORT"},
		"of a CA that is not there":     {flags: Flags{CA: "/nonexistent"}, refused: "--issuer-ca"},
		"of a CA that is none":          {flags: Flags{CA: os.DevNull}, refused: "no PEM certificate"},
	}
	for sentence, test := range tests {
		t.Run(sentence, func(t *testing.T) {
			c := fake.NewClientBuilder().WithScheme(cli.Scheme()).WithObjects(test.objects...).Build()
			got, err := test.flags.Issuer(t.Context(), session(test.environ), c)
			if test.refused != "" {
				if err == nil || !strings.Contains(err.Error(), test.refused) {
					t.Errorf("%v; want %q", err, test.refused)
				}
				return
			}
			if err != nil || got.URL != test.want || got.Guessed != test.guessed {
				t.Errorf("%+v, %v; want %s", got, err, test.want)
			}
		})
	}
}

// TestReach connects to a real server under a name that only --connect-to reaches.
func TestReach(t *testing.T) {
	followed := false
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/elsewhere" {
			followed = true
		}
		http.Redirect(w, r, "/elsewhere", http.StatusFound)
	}))
	defer server.Close()
	address := strings.TrimPrefix(server.URL, "https://")
	ca := filepath.Join(t.TempDir(), "ca.crt")
	if err := os.WriteFile(ca, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	tests := map[string]struct {
		flags Flags
		// want stands in the hint; none: it is reached.
		want string
	}{
		"by address and CA":         {Flags{URL: "https://example.com", CA: ca, ConnectTo: address}, ""},
		"without its CA":            {Flags{URL: "https://example.com", ConnectTo: address}, "--issuer-ca FILE"},
		"under another name":        {Flags{URL: "https://other.example", CA: ca, ConnectTo: address}, "Something else answers"},
		"where nothing listens":     {Flags{URL: "https://example.com", CA: ca, ConnectTo: "127.0.0.1:1"}, "Is anything listening"},
		"by a name that is unknown": {Flags{URL: "https://lanyard-issuer.invalid", CA: ca}, "port-forward"},
	}
	for sentence, test := range tests {
		t.Run(sentence, func(t *testing.T) {
			issuer, err := test.flags.Issuer(t.Context(), session(nil), nil)
			if err != nil {
				t.Fatal(err)
			}
			answer, err := issuer.Get(t.Context(), KeysPath)
			unreachable, _ := errors.AsType[*UnreachableError](err)
			switch {
			case test.want == "" && (err != nil || answer.Status != http.StatusFound):
				t.Errorf("%d, %v", answer.Status, err)
			case test.want != "" && (unreachable == nil || !strings.Contains(unreachable.Hint, test.want)):
				t.Errorf("%v; want %q", err, test.want)
			}
		})
	}
	if followed {
		t.Error("it follows redirects")
	}
}
