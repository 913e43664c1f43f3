package clientcertificate_test

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	ctrl "sigs.k8s.io/controller-runtime"

	"github.com/lanyard-dev/lanyard/api/v1alpha1"
	"github.com/lanyard-dev/lanyard/controllers/clientcertificate"
)

// valve holds back what the watches of CertificateRequests bring, once it is closed.
type valve struct {
	http.RoundTripper
	closed <-chan struct{}
	opened <-chan struct{}
}

func (v valve) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := v.RoundTripper.RoundTrip(r)
	if err == nil && strings.HasSuffix(r.URL.Path, "/certificaterequests") && r.URL.Query().Get("watch") != "" {
		resp.Body = &heldBack{ReadCloser: resp.Body, valve: v, gone: make(chan struct{})}
	}
	return resp, err
}

type heldBack struct {
	io.ReadCloser
	valve valve
	gone  chan struct{}
	once  sync.Once
}

func (h *heldBack) Read(p []byte) (int, error) {
	n, err := h.ReadCloser.Read(p)
	select {
	case <-h.valve.closed:
		select {
		case <-h.valve.opened:
		case <-h.gone:
		}
	default:
	}
	return n, err
}

func (h *heldBack) Close() error {
	h.once.Do(func() { close(h.gone) })
	return h.ReadCloser.Close()
}

func TestRenewalKeepsReadyWhileTheWatchOfRequestsIsBehind(t *testing.T) {
	w := world{T: t, env: env, namespace: env.Namespace(t, nil, nil).Name}
	closed, opened := make(chan struct{}), make(chan struct{})
	config := rest.CopyConfig(w.env.Config)
	config.Wrap(func(next http.RoundTripper) http.RoundTripper {
		return valve{RoundTripper: next, closed: closed, opened: opened}
	})
	w.env.Manager(t, config, func(mgr ctrl.Manager) error {
		return clientcertificate.SetupWithManager(mgr, clientcertificate.Config{Policy: testPolicy, Now: time.Now})
	}, w.namespace)
	t.Cleanup(func() { close(opened) })
	w.createClient("checkout")
	c := w.issued("checkout")
	w.create(c)
	first := w.pinned(c, "checkout")

	close(closed)
	w.renew("checkout")
	w.eventually(c, func(c *v1alpha1.ClientCertificate) error {
		if ready(c).Status != metav1.ConditionTrue {
			t.Fatalf("a renewal must keep Ready; it is %v", ready(c))
		}
		if pin(c, v1alpha1.PinCurrent).Revision <= first.Revision {
			return fmt.Errorf("pins: %s", states(c))
		}
		return nil
	})
}
