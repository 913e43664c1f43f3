package main

import (
	"context"
	"encoding/base64"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/lanyard-dev/lanyard/api/v1alpha1"
	"github.com/lanyard-dev/lanyard/test/testenv"
)

// An installation with client secrets is config/default and a component.
func TestControllerWithClientSecretsSwitchedOn(t *testing.T) {
	env := testenv.New(t, testenv.Options{CertManager: true})
	overlay := t.TempDir()
	config, err := filepath.Rel(overlay, filepath.Join(env.Root, "config"))
	if err != nil {
		t.Fatal(err)
	}
	kustomization := "resources: [" + config + "/default]\ncomponents: [" + config + "/components/client-secrets]\n"
	if err := os.WriteFile(filepath.Join(overlay, "kustomization.yaml"), []byte(kustomization), 0o600); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(env.Kubectl(t, "kustomize", "config/default"), "client-secrets") {
		t.Error("config/default switches client secrets on by itself")
	}
	env.Kubectl(t, "apply", "--server-side", "-k", overlay)
	// Nothing reaches a Service here.
	env.Kubectl(t, "delete", "mutatingwebhookconfiguration,validatingwebhookconfiguration", "lanyard")
	for _, deployment := range []string{"lanyard-controller", "lanyard-issuer"} {
		args := env.Kubectl(t, "get", "deployment", "--namespace=lanyard-system", deployment, "--output=jsonpath={.spec.template.spec.containers[0].args}")
		if !strings.Contains(args, "--client-secrets") {
			t.Errorf("%s has the arguments %s; want --client-secrets among them", deployment, args)
		}
	}

	controller := start(t, env, "--client-secrets", "--log-level=debug", "--signing-algorithm=EdDSA")
	secret := declaresSecretClient(t, env)
	removesEnded(t, env)
	controller.stop(t)
	plain := string(secret.Data["client-secret"])
	for _, form := range []string{plain, base64.StdEncoding.EncodeToString([]byte(plain))} {
		if strings.Contains(controller.log.String(), form[:20]) {
			t.Error("the client secret stands in the log")
		}
	}
}

// declaresSecretClient makes a client with a secret, and returns what it is given.
func declaresSecretClient(t *testing.T, env *testenv.Environment) *corev1.Secret {
	t.Helper()
	namespace := env.Namespace(t, nil, nil).Name
	c := &v1alpha1.OAuthClient{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "legacy"}, Spec: v1alpha1.OAuthClientSpec{
		Authentication: v1alpha1.ClientAuthentication{ClientSecret: &v1alpha1.ClientSecretCredential{
			Methods: []v1alpha1.ClientSecretMethod{"client_secret_post"}, SecretName: "legacy-oauth",
		}},
	}}
	if err := env.Client.Create(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	env.Kubectl(t, "wait", "--namespace", namespace, "--for=condition=ClientSecretReady", "--timeout=2m", "oauthclient/legacy")
	secret := &corev1.Secret{}
	if err := env.Client.Get(t.Context(), client.ObjectKey{Namespace: namespace, Name: "legacy-oauth"}, secret); err != nil {
		t.Fatal(err)
	}
	return secret
}

// removesEnded waits until a TokenRevocation is gone whose tokens have ended, and finds
// another still there.
func removesEnded(t *testing.T, env *testenv.Environment) {
	t.Helper()
	revocation := func(name string, ends time.Duration) *v1alpha1.TokenRevocation {
		at := metav1.NewTime(time.Now().Add(ends))
		r := &v1alpha1.TokenRevocation{ObjectMeta: metav1.ObjectMeta{Namespace: "lanyard-system", Name: name}, Spec: v1alpha1.TokenRevocationSpec{
			ExpiresAt: at, Tokens: []v1alpha1.RevokedToken{{ClientID: "shop/checkout", JTI: "x", ExpiresAt: at}},
		}}
		if err := env.Client.Create(t.Context(), r); err != nil {
			t.Fatal(err)
		}
		return r
	}
	// The ends are so that the leeway decides: both tokens have expired.
	ended, leeway := revocation("ended", -28*time.Second), revocation("leeway", -time.Second)
	testenv.Eventually(t, func(ctx context.Context) error {
		if err := env.Client.Get(ctx, client.ObjectKeyFromObject(ended), ended); !apierrors.IsNotFound(err) {
			return errors.Join(errors.New("it is still there"), err)
		}
		return nil
	})
	if err := env.Client.Get(t.Context(), client.ObjectKeyFromObject(leeway), leeway); err != nil {
		t.Errorf("removed while clocks that are behind may accept its token: %v", err)
	}
}
