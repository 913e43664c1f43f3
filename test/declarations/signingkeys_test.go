package declarations

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/lanyard-dev/lanyard/controllers/signingkeys"
	"github.com/lanyard-dev/lanyard/issuer/keyring"
	"github.com/lanyard-dev/lanyard/test/testenv"
)

// clock is set by tests.
type clock struct{ unix atomic.Int64 }

func (c *clock) now() time.Time { return time.Unix(c.unix.Load(), 0) }

func (c *clock) set(t time.Time) { c.unix.Store(t.Unix()) }

// house is a namespace in which two controllers at once keep the signing keys.
type house struct {
	namespace string
	user      *rest.Config
	clock     clock
	metrics   *prometheus.Registry
}

func newHouse(t *testing.T, algorithm keyring.Algorithm, controllers int) *house {
	t.Helper()
	h := emptyHouse(t)
	for range controllers {
		h.run(t, algorithm)
	}
	return h
}

// emptyHouse has no controller yet.
func emptyHouse(t *testing.T) *house {
	t.Helper()
	h := &house{namespace: env.Namespace(t, nil, nil).Name}
	h.user = controller(t, h.namespace)
	h.clock.set(time.Now())
	return h
}

// run runs a controller with --signing-algorithm until the test ends.
func (h *house) run(t *testing.T, algorithm keyring.Algorithm) {
	t.Helper()
	h.metrics = prometheus.NewRegistry()
	env.Manager(t, h.user, func(mgr ctrl.Manager) error {
		schedule := keyring.DefaultSchedule()
		schedule.Algorithm = algorithm
		return signingkeys.SetupWithManager(mgr, signingkeys.Config{
			Namespace: h.namespace, Schedule: schedule, Now: h.clock.now, Random: rand.Reader, Metrics: h.metrics,
		})
	}, h.namespace)
}

func (h *house) secret() *corev1.Secret {
	return &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: h.namespace, Name: signingkeys.SecretName}}
}

// await waits for a ring of so many keys.
func (h *house) await(t *testing.T, keys int) keyring.Ring {
	t.Helper()
	var ring keyring.Ring
	testenv.Eventually(t, func(ctx context.Context) error {
		secret := h.secret()
		if err := env.Client.Get(ctx, client.ObjectKeyFromObject(secret), secret); err != nil {
			return err
		}
		if secret.Type != keyring.SecretType {
			return fmt.Errorf("type %s", secret.Type)
		}
		var err error
		if ring, err = keyring.Parse(secret.Data[keyring.SecretKey]); err != nil {
			return err
		}
		if len(ring.Keys) != keys {
			return fmt.Errorf("%d keys; want %d", len(ring.Keys), keys)
		}
		return nil
	})
	return ring
}

// touch wakes the controllers, which sleep until their own time.
func (h *house) touch(t *testing.T) {
	t.Helper()
	change(t, h.secret(), func(s *corev1.Secret) {
		s.Annotations = map[string]string{"touched": h.clock.now().String()}
	})
}

func TestSigningKeysRotateUnderTwoLeaders(t *testing.T) {
	h := newHouse(t, keyring.ES256, 2)
	one := h.await(t, 1).Keys[0]
	if one.Algorithm != keyring.ES256 || one.SignsFrom.After(h.clock.now()) {
		t.Errorf("the first key is %+v", one)
	}

	h.clock.set(one.SignsFrom.Add(30*24*time.Hour - 10*time.Minute))
	h.touch(t)
	both := h.await(t, 2)
	if k, _ := both.Signing(h.clock.now()); k.ID != one.ID {
		t.Error("the new key signs at once, and verifiers do not know it")
	}
	if wait := both.Keys[1].SignsFrom.Sub(h.clock.now()); wait < 15*time.Minute {
		t.Errorf("the new key signs %s after it was published", wait)
	}

	h.clock.set(both.Keys[0].RemoveAt.Add(time.Second))
	h.touch(t)
	if last := h.await(t, 1).Keys[0]; last.ID != both.Keys[1].ID {
		t.Error("another key than the one that signs is left")
	}
}

func TestEveryAlgorithmHasItsKeys(t *testing.T) {
	for _, algorithm := range keyring.Algorithms() {
		t.Run(string(algorithm), func(t *testing.T) {
			key := newHouse(t, algorithm, 1).await(t, 1).Keys[0]
			if _, err := key.Signer(); err != nil || key.Algorithm != algorithm {
				t.Errorf("%s key: %v", key.Algorithm, err)
			}
		})
	}
}

func TestDeletedSigningKeysAreMadeAnew(t *testing.T) {
	h := newHouse(t, keyring.ES256, 1)
	before := h.await(t, 1).Keys[0].ID
	remove(t, h.secret())
	if after := h.await(t, 1).Keys[0].ID; after == before {
		t.Error("the deleted key is back")
	}
}

// A Secret that cannot be read is left as it is, says so, and heals when it is
// restored.
func TestUnreadableSigningKeysAreNeverOverwritten(t *testing.T) {
	h := newHouse(t, keyring.ES256, 1)
	h.await(t, 1)
	secret := h.secret()
	if err := env.Client.Get(t.Context(), client.ObjectKeyFromObject(secret), secret); err != nil {
		t.Fatal(err)
	}
	good := secret.Data[keyring.SecretKey]
	broken := bytes.Replace(good, []byte(`"version":1`), []byte(`"version":9`), 1)
	change(t, secret, func(s *corev1.Secret) { s.Data[keyring.SecretKey] = broken })
	h.awaitEvent(t, "SigningKeysUnreadable", "version 9 is not known")
	h.clock.set(h.clock.now().Add(60 * 24 * time.Hour)) // more than one rotation is due
	h.touch(t)
	testenv.Eventually(t, func(context.Context) error { return h.failed(t, 3) })
	if err := env.Client.Get(t.Context(), client.ObjectKeyFromObject(secret), secret); err != nil || !bytes.Equal(secret.Data[keyring.SecretKey], broken) {
		t.Fatalf("the Secret was overwritten (%v)", err)
	}
	change(t, secret, func(s *corev1.Secret) { s.Data[keyring.SecretKey] = good })
	h.await(t, 2)
}

func (h *house) awaitEvent(t *testing.T, reason, says string) {
	t.Helper()
	testenv.Eventually(t, func(ctx context.Context) error {
		var events eventsv1.EventList
		if err := env.Client.List(ctx, &events, client.InNamespace(h.namespace)); err != nil {
			return err
		}
		for _, e := range events.Items {
			if e.Reason == reason && strings.Contains(e.Note, says) {
				return nil
			}
		}
		return fmt.Errorf("no event %s saying %q", reason, says)
	})
}

// failed returns an error until the failures counted are at least n.
func (h *house) failed(t *testing.T, n float64) error {
	t.Helper()
	families, err := h.metrics.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() == "lanyard_controller_signing_key_failures_total" {
			if got := f.Metric[0].Counter.GetValue(); got < n {
				return fmt.Errorf("%v failures", got)
			}
			return nil
		}
	}
	return fmt.Errorf("no such metric")
}

func TestKeyMaterialIsNeverToldToAnybody(t *testing.T) {
	h := newHouse(t, keyring.EdDSA, 2)
	ring := h.await(t, 1)
	h.awaitEvent(t, "SigningKeysRotated", ring.Keys[0].ID)
	secret := h.secret()
	// A ring whose key stands where it does not belong must not be quoted either.
	change(t, secret, func(s *corev1.Secret) {
		s.Data[keyring.SecretKey] = bytes.Replace(s.Data[keyring.SecretKey], []byte(`"createdAt":"`), []byte(`"createdAt":"`+material(ring)), 1)
	})
	h.awaitEvent(t, "SigningKeysUnreadable", "not the fields of version 1")

	var events eventsv1.EventList
	if err := env.Client.List(t.Context(), &events, client.InNamespace(h.namespace)); err != nil {
		t.Fatal(err)
	}
	families, err := h.metrics.Gather()
	if err != nil {
		t.Fatal(err)
	}
	told, err := json.Marshal([]any{events.Items, families})
	if err != nil {
		t.Fatal(err)
	}
	testenv.Eventually(t, func(context.Context) error {
		if !strings.Contains(log.text(), "not the fields of version 1") {
			return errors.New("the log says nothing of the signing keys, so this test would prove nothing")
		}
		return nil
	})
	for where, text := range map[string]string{"log": log.text(), "events and metrics": string(told)} {
		if strings.Contains(text, material(ring)) {
			t.Errorf("the %s hold a private key", where)
		}
	}
}

// material is the part of a key in base64 that no other key has.
func material(ring keyring.Ring) string {
	s := base64.StdEncoding.EncodeToString(ring.Keys[0].PrivateKeyPKCS8)
	return s[len(s)-40:]
}
