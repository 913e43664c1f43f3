package kube

import (
	"encoding/base64"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/lanyard-dev/lanyard/issuer/keyring"
)

// signingKeys is the sink of the one Secret with the signing keys. Keys that cannot
// be read, or are gone, leave those in use that were read before: an issuer that
// forgets its keys would fail every verification.
type signingKeys struct {
	set func(keyring.Ring) error
	log *slog.Logger
}

func (s *signingKeys) put(o object) {
	u, ok := o.(*unstructured.Unstructured)
	if !ok {
		return
	}
	if err := s.read(u); err != nil {
		s.log.Error("the signing keys cannot be read; those read before stay in use",
			"namespace", u.GetNamespace(), "secret", u.GetName(), "resource_version", u.GetResourceVersion(), "error", err)
		return
	}
	s.log.Info("signing keys read", "namespace", u.GetNamespace(), "secret", u.GetName(), "resource_version", u.GetResourceVersion())
}

func (s *signingKeys) read(u *unstructured.Unstructured) error {
	encoded, ok, err := unstructured.NestedString(u.Object, "data", keyring.SecretKey)
	if err != nil || !ok {
		return errNoRing
	}
	data, err := base64.StdEncoding.DecodeString(encoded)
	if err != nil {
		return errNoRing // the error of the decoder quotes what it read
	}
	ring, err := keyring.Parse(data)
	if err != nil {
		return err
	}
	return s.set(ring)
}

func (s *signingKeys) drop(o object) {
	s.log.Error("the Secret with the signing keys was deleted; the keys stay in use until the issuer restarts", "namespace", o.GetNamespace(), "secret", o.GetName())
}

func (s *signingKeys) replace(all []object) {
	if len(all) == 0 {
		s.log.Warn("there is no Secret with signing keys yet; the controller makes it")
	}
	for _, o := range all {
		s.put(o)
	}
}

// heartbeat is the sink of the controller's Lease. Each renewal carries the time it
// was made at, in microseconds, and so shows how long the watch took.
type heartbeat struct {
	delay prometheus.Observer
	now   func() time.Time
	last  time.Time
}

func (h *heartbeat) put(o object) {
	now := h.now()
	if at, ok := renewTime(o); ok && at.After(h.last) {
		h.last = at
		h.delay.Observe(max(0, now.Sub(at).Seconds()))
	}
}

func (h *heartbeat) drop(object) {}

// replace hears of a renewal some time after it was made: nothing to measure.
func (h *heartbeat) replace(all []object) {
	for _, o := range all {
		if at, ok := renewTime(o); ok && at.After(h.last) {
			h.last = at
		}
	}
}

func renewTime(o object) (time.Time, bool) {
	u, ok := o.(*unstructured.Unstructured)
	if !ok {
		return time.Time{}, false
	}
	text, ok, err := unstructured.NestedString(u.Object, "spec", "renewTime")
	if err != nil || !ok {
		return time.Time{}, false
	}
	at, err := time.Parse(metav1.RFC3339Micro, text)
	return at, err == nil
}
