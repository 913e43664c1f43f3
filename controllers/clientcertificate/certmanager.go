package clientcertificate

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	certmanagerv1 "github.com/cert-manager/cert-manager/pkg/apis/certmanager/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/discovery"
	logf "sigs.k8s.io/controller-runtime/pkg/log"
)

// lookInterval is how often it is looked whether cert-manager is there: soon enough
// for people who just installed it, and one small request.
const lookInterval = 3 * time.Second

// certManager knows whether cert-manager is installed, and does what is to be done
// when it comes: its kinds cannot be watched before.
type certManager struct {
	discovery discovery.DiscoveryInterface
	// steps begin to watch cert-manager's kinds, each once.
	steps []func(context.Context) error
	// changed has every ClientCertificate reconciled.
	changed func(context.Context) error

	there atomic.Bool
	// known is closed when it was found out for the first time.
	known chan struct{}
}

// installed says whether cert-manager is there, and its kinds can be read. It waits
// for the first look, so that nobody is told wrongly at a start that it is missing.
func (c *certManager) installed(ctx context.Context) (bool, error) {
	select {
	case <-c.known:
		return c.there.Load(), nil
	case <-ctx.Done():
		return false, ctx.Err()
	}
}

// NeedLeaderElection has only the replica that reconciles look.
func (*certManager) NeedLeaderElection() bool { return true }

// Start looks from time to time until ctx ends.
func (c *certManager) Start(ctx context.Context) error {
	ticker := time.NewTicker(lookInterval)
	defer ticker.Stop()
	for first := true; ; {
		switch err := c.look(ctx, first); {
		case err == nil && first:
			first = false
			close(c.known)
		case err != nil && ctx.Err() == nil:
			// Told again at the next look; till then what was known holds.
			logf.FromContext(ctx).Error(err, "looking for cert-manager")
		}
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
	}
}

// look finds out whether cert-manager is there, and acts on a change.
func (c *certManager) look(ctx context.Context, first bool) error {
	there, err := served(c.discovery)
	if err != nil || there == c.there.Load() {
		return err
	}
	for there && len(c.steps) > 0 {
		if err := c.steps[0](ctx); err != nil {
			return fmt.Errorf("watching cert-manager's kinds: %w", err)
		}
		c.steps = c.steps[1:]
	}
	c.there.Store(there)
	logf.FromContext(ctx).Info("cert-manager", "installed", there)
	if first {
		return nil // everything is reconciled at a start anyway
	}
	return c.changed(ctx)
}

// served says whether the API server serves the kinds that Lanyard uses.
func served(d discovery.DiscoveryInterface) (bool, error) {
	resources, err := d.ServerResourcesForGroupVersion(certmanagerv1.SchemeGroupVersion.String())
	if apierrors.IsNotFound(err) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	found := 0
	for _, r := range resources.APIResources {
		if r.Kind == certmanagerv1.CertificateKind && r.Name == "certificates" || r.Kind == certmanagerv1.CertificateRequestKind && r.Name == "certificaterequests" {
			found++
		}
	}
	return found == 2, nil
}

// StripUnused drops from what a cache keeps of cert-manager's CertificateRequests,
// of which a cluster may have thousands, what Lanyard does not look at. Use it in the
// cache's transform function; it passes other objects on.
func StripUnused(object any) (any, error) {
	switch object := object.(type) {
	case *certmanagerv1.CertificateRequest:
		object.Spec.Extra, object.Spec.Groups = nil, nil
		object.Status.CA = nil
		object.ManagedFields = nil
	case *certmanagerv1.Certificate:
		object.ManagedFields = nil
	case metav1.Object:
		object.SetManagedFields(nil)
	case nil:
		return nil, errors.New("nothing to strip")
	}
	return object, nil
}
