package caroots

import (
	"crypto/sha256"
	"encoding/hex"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/lanyard-dev/lanyard/api/v1alpha1"
	"github.com/lanyard-dev/lanyard/issuer/rules"
)

const (
	labelManagedBy = "app.kubernetes.io/managed-by"
	managedBy      = "lanyard"
)

// ours says whether a ConfigMap is Lanyard's.
func ours(held *corev1.ConfigMap) bool { return held.Labels[labelManagedBy] == managedBy }

// digest stands for what a ConfigMap holds.
func digest(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}

// action is what is to be done with the ConfigMap of a namespace.
type action int

const (
	// nothing: it is as it should be, or there is nothing to hand out.
	nothing action = iota + 1
	// apply: it is not there, or holds something else.
	apply
	// remove: no client is left that needs it, or nothing can be written into it.
	remove
	// leave: it is somebody else's, and stands where ours should.
	leave
)

// decision is what is to be done in one namespace.
type decision struct {
	action action
	// text is what the ConfigMap is to hold.
	text string
	// roots is how many that are, next when the first of them expires.
	roots int
	next  time.Time
}

// decide takes own for whether the namespace is Lanyard's own, where what the ConfigMap
// holds is known in full and not by its digest.
func decide(o observation, own bool, now time.Time) decision {
	roots := union(o.current, o.remembered, now)
	d := decision{action: nothing, text: encode(roots), roots: len(roots)}
	for _, root := range roots {
		if d.next.IsZero() || root.NotAfter.Before(d.next) {
			d.next = root.NotAfter
		}
	}
	switch {
	case o.held == nil:
		if o.needed && d.text != "" {
			d.action = apply
		}
	case !ours(o.held):
		if o.needed {
			d.action = leave
		}
	case rules.Gone(o.held):
	case !o.needed:
		d.action = remove
	case d.text == "":
	case !holds(o.held, own, d.text):
		d.action = apply
		if stuck(o.held) {
			d.action = remove // and make it again
		}
	}
	return d
}

// stuck says whether the API server would refuse to write the roots into a ConfigMap: it was
// made immutable, or has the key as bytes, besides which there can be no text.
func stuck(held *corev1.ConfigMap) bool {
	_, bytes := held.BinaryData[v1alpha1.KeyCA]
	return bytes || held.Immutable != nil && *held.Immutable
}

func holds(held *corev1.ConfigMap, own bool, text string) bool {
	if !own {
		text = digest(text)
	}
	return held.Data[v1alpha1.KeyCA] == text
}
