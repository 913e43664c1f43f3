//go:build e2e

package interop

import (
	"encoding/json"
	"fmt"
	"os/exec"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// kubectlWith runs kubectl with a token and nothing else that says who it is.
func (w *world) kubectlWith(t *testing.T, token string, args ...string) (string, error) {
	t.Helper()
	config, err := w.cluster.RESTConfig()
	if err != nil {
		t.Fatal(err)
	}
	args = append([]string{
		"--kubeconfig=/dev/null", "--server=" + config.Host,
		"--certificate-authority=" + w.path("pki", "ca.crt"), "--token=" + token, "--cache-dir=" + t.TempDir(),
	}, args...)
	out, err := exec.CommandContext(t.Context(), w.assets.Path("kubectl"), args...).CombinedOutput()
	return string(out), err
}

// kubernetesToken is a token for kube-apiserver.
func (w *world) kubernetesToken(t *testing.T, client string) string {
	t.Helper()
	certificate := w.issued(t, client)
	result := w.golang(t, "clientcredentials", w.clientCredentials(client, object{
		"scopes": []string{"api://kubernetes/.default"}, "certificate": certificate.certificate, "certificateKey": certificate.key,
	}))
	token, _ := result.one(t, "token")["access_token"].(string)
	return token
}

func TestKubernetesTakesTheTokenAndMapsRolesToGroups(t *testing.T) {
	token := lanyard.kubernetesToken(t, "dashboard")
	var out string
	// kube-apiserver asks for the issuer's keys every 10 s until it has them.
	eventually(t, func() (err error) {
		if out, err = lanyard.kubectlWith(t, token, "auth", "whoami", "-o", "json"); err != nil {
			err = fmt.Errorf("kubectl auth whoami: %w: %s", err, out)
		}
		return err
	})
	var review struct {
		Status struct {
			UserInfo struct {
				Username string
				Groups   []string
			}
		}
	}
	if err := json.Unmarshal([]byte(out), &review); err != nil {
		t.Fatal(err)
	}
	if got, want := review.Status.UserInfo.Username, "lanyard:shop/dashboard"; got != want {
		t.Errorf("user %q, want %q", got, want)
	}
	if diff := cmp.Diff([]string{"lanyard:Cluster.View", "system:authenticated"}, review.Status.UserInfo.Groups); diff != "" {
		t.Errorf("groups (-want +got):\n%s", diff)
	}
	if out, err := lanyard.kubectlWith(t, token, "get", "pods", "-n", "shop", "-o", "name"); err != nil || !strings.Contains(out, "pod/checkout-0") {
		t.Errorf("the group may view: %v\n%s", err, out)
	}
	if out, err := lanyard.kubectlWith(t, token, "delete", "pod", "-n", "shop", "checkout-0"); err == nil || !strings.Contains(out, "Forbidden") {
		t.Errorf("the group may only view: %v\n%s", err, out)
	}

	other, _ := lanyard.mtlsToken(t)
	for name, token := range map[string]string{
		"and refuses one for another API": other,
		"and refuses a bound one":         lanyard.kubernetesToken(t, "bound-dashboard"),
	} {
		t.Run(name, func(t *testing.T) {
			if out, err := lanyard.kubectlWith(t, token, "auth", "whoami"); err == nil || !strings.Contains(out, "Unauthorized") {
				t.Errorf("kubectl auth whoami: %v\n%s", err, out)
			}
		})
	}
}
