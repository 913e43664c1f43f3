package pod

import (
	"crypto/sha256"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/lanyard-dev/lanyard/api/v1alpha1"
	"github.com/lanyard-dev/lanyard/controllers/injection"
	"github.com/lanyard-dev/lanyard/issuer/rules"
)

// patience is how old a pod, and what came for it, become before it is told that something
// is missing or wrong: a client, its certificate and its pods are often applied in one breath.
const patience = 10 * time.Second

// Reasons of events on pods that have the label lanyard.dev/inject: "true".
const (
	// EventNotInjected: the pod has no sidecar, and gets no tokens.
	EventNotInjected = "NotInjected"
	// EventWaitsForClient: the OAuthClient that the pod names does not exist.
	EventWaitsForClient = "WaitsForClient"
	// EventWaitsForCertificate: the client has no ClientCertificate, or the one that the pod names does not exist.
	EventWaitsForCertificate = "WaitsForCertificate"
	// EventInjectedOtherwise: the pod was injected before its client was there, and not as the client needs it.
	EventInjectedOtherwise = "InjectedOtherwise"
)

// facts are what is known of a pod without reading it as a whole.
type facts struct {
	name, namespace string
	created         time.Time
	// marked: it has the label lanyard.dev/admitted.
	marked bool
	// client, certificate and secret are what its annotations name.
	client, certificate, secret string
	known                       injection.Known
}

// problem is why a pod has no tokens; the zero value: nothing is known to be wrong.
type problem struct{ reason, note string }

// verdict is what is known of a pod.
type verdict struct {
	problem
	// again is when to look again; zero: at the next event.
	again time.Time
	// guessed: it was injected before something was there that is there now. Only the
	// pod as a whole tells whether it fits.
	guessed bool
}

func decide(f facts, now time.Time) verdict {
	if !f.marked {
		return verdict{problem: problem{EventNotInjected, fmt.Sprintf(
			"this pod has the label %s: \"true\" and no sidecar of Lanyard's, so it gets no tokens: Lanyard's webhook was not asked when it was created, or the label came later. Delete it, and its owner makes one that is injected; or take the label away",
			v1alpha1.LabelInject)}}
	}
	v := verdict{problem: waits(f)}
	v.guessed = v.reason == "" && f.guessed()
	if old := f.latest().Add(patience); (v.reason != "" || v.guessed) && now.Before(old) {
		return verdict{again: old}
	}
	return v
}

// waits says what a pod waits for that nobody has declared.
func waits(f facts) problem {
	c := f.known.Client
	wait := func(reason, format string, args ...any) problem {
		return problem{reason, fmt.Sprintf(format, args...)}
	}
	switch {
	case c == nil:
		return wait(EventWaitsForClient, "the sidecar waits for OAuthClient %s/%s, which does not exist: create it, or correct the annotation %s on the pod's template", f.namespace, f.client, v1alpha1.AnnotationClient)
	case f.certificate != "" && f.known.Named == nil:
		return wait(EventWaitsForCertificate, "the pod waits for the Secret of ClientCertificate %s/%s, which does not exist: create it, or correct the annotation %s on the pod's template", f.namespace, f.certificate, v1alpha1.AnnotationCertificate)
	case f.certificate != "" || f.secret != "" || len(f.known.Certificates) > 0:
		return problem{}
	case injection.NeedsCertificate(c):
		return wait(EventWaitsForCertificate, "the pod waits for the certificate of OAuthClient %s/%s, which has no ClientCertificate: create one", f.namespace, f.client)
	default:
		return problem{}
	}
}

// guessed says whether the pod is as old as its client or its certificate, or older. The API
// server keeps times in whole seconds.
func (f facts) guessed() bool {
	if !f.created.After(f.known.Client.CreationTimestamp.Time) {
		return true
	}
	for _, cc := range f.certificates() {
		if !f.created.After(cc.CreationTimestamp.Time) {
			return true
		}
	}
	return false
}

// latest is when the youngest of the pod, its client and its certificates was created.
func (f facts) latest() time.Time {
	latest := f.created
	if c := f.known.Client; c != nil && c.CreationTimestamp.After(latest) {
		latest = c.CreationTimestamp.Time
	}
	for _, cc := range f.certificates() {
		if cc.CreationTimestamp.After(latest) {
			latest = cc.CreationTimestamp.Time
		}
	}
	return latest
}

func (f facts) certificates() []*v1alpha1.ClientCertificate {
	if f.known.Named != nil {
		return []*v1alpha1.ClientCertificate{f.known.Named}
	}
	return f.known.Certificates
}

// stamp changes whenever what a pod is compared with does. It is short, since it is remembered for
// each pod of a client, which may have a thousand certificates, in whatever order the cache says them.
func (f facts) stamp() string {
	c := f.known.Client
	all := []string{fmt.Sprintf("%s/%d/%s", c.UID, c.Generation, rules.ClientID(c))}
	for _, cc := range f.certificates() {
		all = append(all, fmt.Sprintf("%s/%d/%s", cc.UID, cc.Generation, cc.Status.SecretName))
	}
	slices.Sort(all)
	sum := sha256.Sum256([]byte(strings.Join(all, " ")))
	return string(sum[:])
}

// otherwise is what is told of a pod that was injected by a wrong guess.
func otherwise(wrong string) problem {
	if wrong == "" {
		return problem{}
	}
	return problem{EventInjectedOtherwise, "this pod was injected before its client was there, and not as the client needs it: " + wrong + ". Delete the pod, and its owner makes a new one"}
}
