//go:build e2e

package e2e

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/lanyard-dev/lanyard/issuer/keyring"
)

// In `make e2e` nobody waits for the 15 minutes for which a key is published before it signs: as soon as both
// issuers publish it, the test has it sign. That is harder than what really happens, since APIs meet a key that
// they have not heard of.
func TestNoVerificationFailsWhileTheSigningKeyIsRotatedOnCommand(t *testing.T) {
	beside(t)
	s := newShop(t)
	l := s.startLoad(t, 2, tokensOfAMinute...)
	before := s.ring(t)
	old, ok := before.Signing(time.Now())
	if !ok {
		t.Fatal("no key signs")
	}
	rotated := time.Now()
	if _, err := s.run(t.Context(), nil, filepath.Join(s.bin("lanyard"), "kubectl-lanyard"), "rotate", "keys"); err != nil {
		t.Fatal(err)
	}
	var next keyring.Key
	eventually(t, patience, func() error {
		keys := s.ring(t).Keys
		if next = keys[len(keys)-1]; next.ID == old.ID {
			return fmt.Errorf("there is no next key yet")
		}
		return nil
	})
	s.awaitPublished(t, next.ID)
	figure(t, "the next key was published by every issuer %s after the command", round(time.Since(rotated)))
	if !soak() {
		s.haveSign(t, next.ID, time.Now().Add(5*time.Second))
	}
	for _, key := range s.ring(t).Keys {
		if key.ID == next.ID {
			l.goesOn(t, "until the next key signs", time.Until(key.SignsFrom))
		}
	}
	// Tokens of a minute have all been replaced after 51 s, and those of the old key are still good until then.
	eventually(t, 2*patience, func() error {
		for _, pod := range l.pods {
			if kid := s.kidInUse(t, pod); kid != next.ID {
				return fmt.Errorf("%s still has a token of the key %s; want %s", pod.Name, kid, next.ID)
			}
		}
		return nil
	})
	figure(t, "every sidecar had a token of the new key %s after the command", round(time.Since(rotated)))
	pause(t, 5*time.Second)
	l.unharmed(t, "while the signing key was rotated")
}

func (w *world) ring(t *testing.T) keyring.Ring {
	t.Helper()
	return w.parsedRing(t, w.ringSecret(t))
}

func (w *world) ringSecret(t *testing.T) *corev1.Secret {
	t.Helper()
	secret := &corev1.Secret{}
	if err := w.kube.Get(t.Context(), client.ObjectKey{Namespace: systemNamespace, Name: "lanyard-signing-keys"}, secret); err != nil {
		t.Fatal(err)
	}
	return secret
}

func (w *world) parsedRing(t *testing.T, secret *corev1.Secret) keyring.Ring {
	t.Helper()
	ring, err := keyring.Parse(secret.Data[keyring.SecretKey])
	if err != nil {
		t.Fatal(err)
	}
	return ring
}

// haveSign has a key sign sooner, as the controller does when the one before it is dropped.
func (w *world) haveSign(t *testing.T, id string, from time.Time) {
	t.Helper()
	eventually(t, patience, func() error { // the controller writes there, too
		secret := w.ringSecret(t)
		ring := w.parsedRing(t, secret).Advance(id, from.UTC().Truncate(time.Second), keyring.DefaultSchedule().KeepAfter)
		data, err := ring.Marshal()
		if err != nil {
			t.Fatal(err)
		}
		secret.Data[keyring.SecretKey] = data
		return w.kube.Update(t.Context(), secret)
	})
}

// awaitPublished waits until each replica of the issuer has the key in its JWKS.
func (s *shop) awaitPublished(t *testing.T, id string) {
	t.Helper()
	with := s.client(t, s.namespace, "")
	transport := with.Transport.(*http.Transport).Clone()
	transport.TLSClientConfig.ServerName = strings.TrimPrefix(issuerURL, "https://")
	for _, pod := range s.replicas(t, "lanyard-issuer") {
		eventually(t, patience, func() error {
			response, err := (&http.Client{Transport: transport, Timeout: 5 * time.Second}).Get("https://" + pod.Status.PodIP + ":8443/oauth2/keys")
			if err != nil {
				return err
			}
			defer func() { _ = response.Body.Close() }()
			var set struct {
				Keys []struct{ Kid string }
			}
			if err := json.NewDecoder(response.Body).Decode(&set); err != nil {
				return err
			}
			for _, key := range set.Keys {
				if key.Kid == id {
					return nil
				}
			}
			return fmt.Errorf("%s publishes %d keys, and not %s", pod.Name, len(set.Keys), id)
		})
	}
}

// kidInUse is the key id of the token that the app of a pod finds.
func (s *shop) kidInUse(t *testing.T, pod *corev1.Pod) string {
	t.Helper()
	header, _, _ := strings.Cut(s.file(t, pod, "app", "/var/run/lanyard/tokens/orders"), ".")
	text, err := base64.RawURLEncoding.DecodeString(header)
	if err != nil {
		t.Fatal(err)
	}
	var h struct{ Kid string }
	if err := json.Unmarshal(text, &h); err != nil {
		t.Fatal(err)
	}
	return h.Kid
}
