package testenv

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"sync"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/lanyard-dev/lanyard/api/v1alpha1"
	"github.com/lanyard-dev/lanyard/hack/cluster"
)

// LanyardNamespace is where Lanyard runs, and ControllerUser who its controller is.
const (
	LanyardNamespace = "lanyard-system"
	ControllerUser   = "system:serviceaccount:" + LanyardNamespace + ":lanyard-controller"
)

// What pods are injected with; nobody pulls the image, and nobody answers at the URL.
const (
	SidecarImage = "lanyard"
	IssuerURL    = "https://lanyard-issuer." + LanyardNamespace + ".svc"
)

// ControllerGroups returns the groups of [ControllerUser].
func ControllerGroups() []string {
	return []string{"system:serviceaccounts", "system:serviceaccounts:" + LanyardNamespace, "system:authenticated"}
}

// Controller is cmd/controller, built and run as the process that it is, with the
// permissions of config/rbac and no more.
type Controller struct {
	// Binary is its path, for those who run more of it.
	Binary string

	child cluster.Child

	mu   sync.Mutex
	stop func()
}

// Kill ends the process with SIGKILL, and returns when it is gone. A controller that does
// not run is left alone.
func (c *Controller) Kill() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.stop != nil {
		c.stop()
		c.stop = nil
	}
}

// Start runs the process, at the same addresses as before, and returns when it is ready. A
// controller that runs is left alone. It outlives ctx, until Kill or the end of the
// environment.
func (c *Controller) Start(ctx context.Context) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.stop != nil {
		return nil
	}
	stop, err := cluster.StartChild(context.WithoutCancel(ctx), c.child)
	c.stop = stop
	return err
}

// startAdmission returns when the policies are in force and the webhooks answer.
func (e *Environment) startAdmission(ctx context.Context) error {
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: LanyardNamespace}}
	sidecar := &corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{Namespace: LanyardNamespace, Name: v1alpha1.ConfigMapSidecar},
		Data:       map[string]string{"images": SidecarImage, "audience": IssuerURL},
	}
	if err := errors.Join(e.Client.Create(ctx, namespace), e.Client.Create(ctx, sidecar)); err != nil {
		return err
	}
	if err := cluster.ApplyFolder(ctx, e.Config, filepath.Join(e.Root, "config", "rbac")); err != nil {
		return fmt.Errorf("applying config/rbac: %w", err)
	}
	webhookAddress, err := address(e.dir, "webhook")
	if err != nil {
		return err
	}
	ca, err := cluster.ServingCertificate(e.dir, "webhook")
	if err != nil {
		return fmt.Errorf("making a certificate for the webhooks: %w", err)
	}
	if e.Controller, err = e.buildController(ctx, webhookAddress); err != nil {
		return err
	}
	e.stops = append(e.stops, func() error { e.Controller.Kill(); return nil })
	if err := e.Controller.Start(ctx); err != nil {
		return err
	}
	if err := cluster.InstallAdmission(ctx, e.Config, e.Root, "https://"+webhookAddress, ca); err != nil {
		return fmt.Errorf("installing policies and webhooks: %w", err)
	}
	return cluster.WaitForWebhooks(ctx, e.Config)
}

func (e *Environment) buildController(ctx context.Context, webhookAddress string) (*Controller, error) {
	healthAddress, err := address(e.dir, "controller-health")
	if err != nil {
		return nil, err
	}
	kubeconfig, err := e.kubeconfig(ControllerUser, ControllerGroups()...)
	if err != nil {
		return nil, err
	}
	binary, err := build(ctx, e.Root, e.dir, "controller")
	if err != nil {
		return nil, err
	}
	isReady := func(ctx context.Context) error { return ready(ctx, "http://"+healthAddress) }
	return &Controller{Binary: binary, child: cluster.Child{Path: binary, Log: e.log, Ready: isReady, Args: []string{
		"--kubeconfig=" + kubeconfig, "--namespace=" + LanyardNamespace,
		"--allowed-issuers=ClusterIssuer/" + WorkloadCA,
		"--metrics-listen=0", "--health-listen=" + healthAddress,
		"--webhook-listen=" + webhookAddress, "--shutdown-delay=0s",
		"--webhook-tls-cert=" + filepath.Join(e.dir, "webhook.crt"), "--webhook-tls-key=" + filepath.Join(e.dir, "webhook.key"),
		"--sidecar-image=" + SidecarImage, "--issuer-url=" + IssuerURL,
		"--leader-elect=false", // one that was killed would hold the Lease for 15 s more
	}}}, nil
}
