package testenv_test

import (
	"context"
	"fmt"
	"testing"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/lanyard-dev/lanyard/api/v1alpha1"
	"github.com/lanyard-dev/lanyard/test/testenv"
)

func TestEnvironmentIsARealCluster(t *testing.T) {
	env := testenv.New(t, testenv.Options{CertManager: true, ControllerManager: true})

	ns := env.Namespace(t, map[string]string{"team": "shop"}, nil)
	if err := env.Client.List(t.Context(), &v1alpha1.OAuthClientList{}, client.InNamespace(ns.Name)); err != nil {
		t.Errorf("Lanyard's kinds: %v", err)
	}
	stranger := env.ClientOf(t, env.As(t, "mallory"))
	if err := stranger.List(t.Context(), &v1alpha1.OAuthClientList{}, client.InNamespace(ns.Name)); !apierrors.IsForbidden(err) {
		t.Errorf("a user without any role: err = %v; want forbidden", err)
	}
	testenv.Eventually(t, func(ctx context.Context) error {
		return env.Client.Get(ctx, client.ObjectKey{Namespace: ns.Name, Name: "default"}, &corev1.ServiceAccount{})
	})
	if err := env.Client.Delete(t.Context(), ns); err != nil {
		t.Fatal(err)
	}
	testenv.Eventually(t, func(ctx context.Context) error {
		if err := env.Client.Get(ctx, client.ObjectKeyFromObject(ns), ns); !apierrors.IsNotFound(err) {
			return fmt.Errorf("the namespace is still there: %w", err)
		}
		return nil
	})
}
