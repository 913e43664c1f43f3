package signingkeys

import (
	"fmt"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/lanyard-dev/lanyard/api/v1alpha1"
	"github.com/lanyard-dev/lanyard/issuer/keyring"
)

// current, as the value of AnnotationDropKey, is the key that signs.
const current = "current"

// orders are what people ask for with annotations on the Secret.
type orders struct {
	keyring.Commands

	// done are the annotations that are taken off with what they ask for.
	done []string
	// refusal says why no key is dropped; empty: nothing is refused. The annotation
	// stays, so that nobody takes the key for dropped.
	refusal string
}

// ordersOn reads the annotations of secret, which is nil if there is none. What
// "current" means is decided at now, with the ring that it is read with.
func ordersOn(secret *corev1.Secret, ring keyring.Ring, now time.Time) orders {
	var o orders
	if secret == nil {
		return o
	}
	if _, o.Rotate = secret.Annotations[v1alpha1.AnnotationRotate]; o.Rotate {
		o.done = append(o.done, v1alpha1.AnnotationRotate)
	}
	value, ok := secret.Annotations[v1alpha1.AnnotationDropKey]
	if !ok {
		return o
	}
	if value == current {
		signing, _ := ring.Signing(now) // without a key there is none to drop
		o.Drop = signing.ID
	} else if o.Drop = value; !slices.ContainsFunc(ring.Keys, func(k keyring.Key) bool { return k.ID == value }) {
		o.Drop, o.refusal = "", fmt.Sprintf(
			"annotation %s names no key: %q, so none is dropped. Remove it, or write %q for the key that signs, or one of these: %s",
			v1alpha1.AnnotationDropKey, clip(value), current, kids(ring, now))
		return o
	}
	o.done = append(o.done, v1alpha1.AnnotationDropKey)
	return o
}

// maxKid is more than a kid of ours has, in bytes.
const maxKid = 64

func clip(s string) string { return s[:min(len(s), maxKid)] }

// kids names the keys, and what each is at now.
func kids(ring keyring.Ring, now time.Time) string {
	signing, _ := ring.Signing(now)
	var all []string
	for _, k := range ring.Keys {
		state := "has signed"
		switch {
		case k.ID == signing.ID:
			state = "signs"
		case k.SignsFrom.After(now):
			state = "will sign"
		}
		all = append(all, fmt.Sprintf("%s (%s)", k.ID, state))
	}
	if len(all) == 0 {
		return "none"
	}
	return strings.Join(all, ", ")
}
