package signingkeys_test

import (
	"context"
	"crypto/rand"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/lanyard-dev/lanyard/api/v1alpha1"
	"github.com/lanyard-dev/lanyard/controllers/signingkeys"
	"github.com/lanyard-dev/lanyard/issuer/keyring"
	"github.com/lanyard-dev/lanyard/issuer/mint"
	"github.com/lanyard-dev/lanyard/test/testenv"
)

var env *testenv.Environment

func TestMain(m *testing.M) { testenv.Main(m, &env, testenv.Options{}) }

const secretName = "our-own-keys"

// world is a namespace with a ring of its own and a clock that tests set.
type world struct {
	*testing.T

	namespace string
	unix      *atomic.Int64
	metrics   *prometheus.Registry
}

// newWorld has several controllers at once keep one ring.
func newWorld(t *testing.T, controllers int) world {
	t.Helper()
	w := world{T: t, namespace: env.Namespace(t, nil, nil).Name, unix: &atomic.Int64{}}
	w.unix.Store(time.Now().Unix())
	for range controllers {
		w.run(keyring.EdDSA)
	}
	return w
}

func (w *world) now() time.Time { return time.Unix(w.unix.Load(), 0) }

func (w *world) sleep(d time.Duration) { w.unix.Add(int64(d / time.Second)) }

// run starts a controller, until the test ends.
func (w *world) run(algorithm keyring.Algorithm) {
	w.Helper()
	w.metrics = prometheus.NewRegistry()
	schedule := keyring.DefaultSchedule()
	schedule.Algorithm = algorithm
	env.Manager(w.T, env.Config, func(mgr ctrl.Manager) error {
		return signingkeys.SetupWithManager(mgr, signingkeys.Config{
			Namespace: w.namespace, SecretName: secretName, Schedule: schedule, Now: w.now, Random: rand.Reader, Metrics: w.metrics,
		})
	}, w.namespace)
}

// annotate writes an annotation on the Secret, as kubectl annotate does.
func (w *world) annotate(name, value string) {
	w.Helper()
	secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace, Name: secretName}}
	patch := fmt.Appendf(nil, `{"metadata":{"annotations":{%q:%q}}}`, name, value)
	if err := env.Client.Patch(w.Context(), secret, client.RawPatch("application/merge-patch+json", patch)); err != nil {
		w.Fatal(err)
	}
}

// becomes waits for a Secret that check is content with, and returns its ring, which
// the issuer can use.
func (w *world) becomes(check func(*corev1.Secret, keyring.Ring) error) keyring.Ring {
	w.Helper()
	var ring keyring.Ring
	testenv.Eventually(w.T, func(ctx context.Context) error {
		secret := &corev1.Secret{}
		if err := env.Client.Get(ctx, client.ObjectKey{Namespace: w.namespace, Name: secretName}, secret); err != nil {
			return err
		}
		var err error
		if ring, err = keyring.Parse(secret.Data[keyring.SecretKey]); err != nil {
			return err
		}
		return check(secret, ring)
	})
	if err := mint.NewKeys().Set(ring); err != nil {
		w.Errorf("the issuer cannot use the ring: %v", err)
	}
	return ring
}

// done is content once no command is left, and there are so many keys.
func done(keys int) func(*corev1.Secret, keyring.Ring) error {
	return func(s *corev1.Secret, r keyring.Ring) error {
		for _, annotation := range []string{v1alpha1.AnnotationRotate, v1alpha1.AnnotationDropKey} {
			if value, ok := s.Annotations[annotation]; ok {
				return fmt.Errorf("annotation %s: %q is still there", annotation, value)
			}
		}
		if len(r.Keys) != keys {
			return fmt.Errorf("%d keys; want %d", len(r.Keys), keys)
		}
		return nil
	}
}

func (w *world) hasEvent(kind, reason string, parts ...string) {
	w.Helper()
	testenv.Eventually(w.T, func(ctx context.Context) error {
		var list eventsv1.EventList
		if err := env.Client.List(ctx, &list, client.InNamespace(w.namespace)); err != nil {
			return err
		}
		var seen []string
	next:
		for _, e := range list.Items {
			seen = append(seen, fmt.Sprintf("%s %s: %s", e.Type, e.Reason, e.Note))
			for _, part := range parts {
				if !strings.Contains(e.Note, part) {
					continue next
				}
			}
			if e.Type == kind && e.Reason == reason {
				return nil
			}
		}
		return fmt.Errorf("no event %s %s that says %q; there are:\n%s", kind, reason, parts, strings.Join(seen, "\n"))
	})
}

// counted waits until a counter with that label, or without any, is at least n.
func (w *world) counted(name, label string, n float64) {
	w.Helper()
	testenv.Eventually(w.T, func(context.Context) error {
		families, err := w.metrics.Gather()
		if err != nil {
			return err
		}
		for _, f := range families {
			for _, m := range f.Metric {
				if f.GetName() == name && (len(m.Label) == 0 || m.Label[0].GetValue() == label) && m.Counter.GetValue() >= n {
					return nil
				}
			}
		}
		return fmt.Errorf("%s of %q is not %v", name, label, n)
	})
}

func TestRotatesOnCommandAndOnlyOnce(t *testing.T) {
	w := newWorld(t, 2)
	first := w.becomes(done(1)).Keys[0]
	w.foretells(first.SignsFrom.Add(keyring.DefaultSchedule().RotateEvery))
	w.annotate(v1alpha1.AnnotationRotate, "now")
	ring := w.becomes(done(2))
	if k, _ := ring.Signing(w.now()); k.ID != first.ID {
		t.Error("the new key signs at once, and verifiers do not know it")
	}
	if wait := ring.Keys[1].SignsFrom.Sub(w.now()); wait < keyring.MinPublishBefore {
		t.Errorf("the new key signs %s after it was published", wait)
	}
	w.hasEvent("Normal", signingkeys.EventRotated, "made the EdDSA key "+ring.Keys[1].ID)

	w.annotate(v1alpha1.AnnotationRotate, "again, since nothing seems to happen")
	w.hasEvent("Normal", signingkeys.EventRotated, "waits already")
	if again := w.becomes(done(2)); again.Keys[1].ID != ring.Keys[1].ID {
		t.Error("the next key was replaced by another one, which is published for a shorter time")
	}
	w.foretells(ring.Keys[1].SignsFrom)
	w.sleep(time.Hour)
	if k, _ := ring.Signing(w.now()); k.ID != ring.Keys[1].ID {
		t.Error("the new key does not sign when its time has come")
	}
}

// foretells waits until the Secret says that another key signs from then.
func (w *world) foretells(next time.Time) {
	w.Helper()
	w.becomes(func(s *corev1.Secret, _ keyring.Ring) error {
		if said := s.Annotations[v1alpha1.AnnotationNextRotation]; said != next.UTC().Format(time.RFC3339) {
			return fmt.Errorf("the Secret says that another key signs from %q; want %s", said, next)
		}
		return nil
	})
}

func TestDropsACompromisedKeyAtOnce(t *testing.T) {
	w := newWorld(t, 1)
	first := w.becomes(done(1)).Keys[0]
	// As docs/operations/signing-keys.md has it.
	env.Kubectl(t, "-n", w.namespace, "annotate", "secret", secretName, "lanyard.dev/drop-key=current", "--overwrite")
	second := w.becomes(func(s *corev1.Secret, r keyring.Ring) error {
		if err := done(1)(s, r); err != nil || r.Keys[0].ID != first.ID {
			return err
		}
		return fmt.Errorf("%s is still there", first.ID)
	})
	if k, _ := second.Signing(w.now()); k.SignsFrom.After(w.now()) {
		t.Errorf("the new key signs from %s only", k.SignsFrom)
	}
	w.hasEvent("Warning", signingkeys.EventDropped, "dropped the key "+first.ID)
	w.counted("lanyard_controller_signing_key_commands_total", "drop", 1)
	if events := env.Kubectl(t, "-n", w.namespace, "get", "events", "--field-selector", "involvedObject.name="+secretName); !strings.Contains(events, "dropped the key "+first.ID) {
		t.Errorf("kubectl get events does not show it:\n%s", events)
	}

	// Where a next key is published already, verifiers know it: it takes over.
	w.annotate(v1alpha1.AnnotationRotate, "")
	both := w.becomes(done(2))
	w.annotate(v1alpha1.AnnotationDropKey, both.Keys[0].ID)
	if left := w.becomes(done(1)); left.Keys[0].ID != both.Keys[1].ID || left.Keys[0].SignsFrom.After(w.now()) {
		t.Errorf("left is %+v; want %s, which signs at once", left.Keys[0], both.Keys[1].ID)
	}
	w.hasEvent("Normal", signingkeys.EventRotated, both.Keys[1].ID, "already")
}

func TestRefusesToDropAKeyThatIsNotThere(t *testing.T) {
	w := newWorld(t, 1)
	key := w.becomes(done(1)).Keys[0]
	w.annotate(v1alpha1.AnnotationDropKey, "a-typo")
	w.hasEvent("Warning", signingkeys.EventNotDropped, `"a-typo"`, key.ID+" (signs)")
	w.counted("lanyard_controller_signing_key_failures_total", "", 1)
	w.becomes(func(s *corev1.Secret, r keyring.Ring) error {
		if s.Annotations[v1alpha1.AnnotationDropKey] != "a-typo" || len(r.Keys) != 1 || r.Keys[0].ID != key.ID {
			return fmt.Errorf("the annotation is gone, or the keys have changed: %v", s.Annotations)
		}
		return nil
	})
	w.annotate(v1alpha1.AnnotationDropKey, key.ID)
	if left := w.becomes(done(1)).Keys[0]; left.ID == key.ID {
		t.Error("the corrected command did nothing")
	}
}

// A controller that comes back finds the command, and does it once.
func TestACommandOutlivesTheController(t *testing.T) {
	w := newWorld(t, 0)
	t.Run("a controller makes the first key, and ends", func(t *testing.T) {
		short := w
		short.T = t
		short.run(keyring.EdDSA)
		short.becomes(done(1))
	})
	w.annotate(v1alpha1.AnnotationDropKey, "current")
	w.annotate(v1alpha1.AnnotationRotate, "")
	first := w.becomes(func(*corev1.Secret, keyring.Ring) error { return nil }).Keys[0]
	w.run(keyring.EdDSA)
	for _, k := range w.becomes(done(2)).Keys {
		if k.ID == first.ID {
			t.Error("the compromised key is still there")
		}
	}
}

// Each controller is started with another algorithm, as an installation is upgraded.
func TestChangesTheAlgorithmStepByStep(t *testing.T) {
	w := newWorld(t, 0)
	before := keyring.Algorithm("")
	for _, algorithm := range []keyring.Algorithm{keyring.ES256, keyring.RS256, keyring.EdDSA, keyring.PS256} {
		t.Run(string(algorithm), func(t *testing.T) {
			here := w
			here.T = t
			here.run(algorithm)
			if before == "" {
				here.becomes(done(1))
			} else {
				both := here.becomes(done(2))
				old, next := both.Keys[0], both.Keys[1]
				if old.Algorithm != before || next.Algorithm != algorithm || next.SignsFrom.Sub(here.now()) < keyring.MinPublishBefore {
					t.Fatalf("%s signs, and %s from %s", old.Algorithm, next.Algorithm, next.SignsFrom)
				}
				here.sleep(time.Hour)
				if k, _ := both.Signing(here.now()); k.ID != next.ID || len(both.Published(here.now())) != 2 {
					t.Errorf("%s signs, and %d keys are published", k.Algorithm, len(both.Published(here.now())))
				}
				here.sleep(24 * time.Hour)
				here.annotate("wake", here.now().String())
				here.becomes(done(1))
			}
			before = algorithm
		})
	}
}
