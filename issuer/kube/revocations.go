package kube

import (
	"context"
	"errors"
	"fmt"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/dynamic"

	"github.com/lanyard-dev/lanyard/api/v1alpha1"
	"github.com/lanyard-dev/lanyard/issuer/tokenservice"
)

const (
	// revocationsWait is how long a revocation waits for others to share its object.
	revocationsWait = 50 * time.Millisecond
	// revocationsEach is how many tokens one object holds at most; its schema says the same.
	revocationsEach = 512
	// revocationsQueue bounds how many wait while the API server is slow.
	revocationsQueue = 8 * revocationsEach
	// revocationsTimeout bounds one write.
	revocationsTimeout = 5 * time.Second
)

var (
	errTooManyRevocations = errors.New("too many revocations wait for the API server")
	errStopping           = errors.New("the issuer stops")
)

// Revocations stores revoked tokens in TokenRevocation objects, the issuer's only
// write. It implements tokenservice.Revocations.
//
// What is revoked at about the same time shares an object, so that many revocations
// are few writes.
type Revocations struct {
	create func(ctx context.Context, o *v1alpha1.TokenRevocation) (object, error)
	// stored is given each object at once; the other replicas hear of it by watch.
	stored func(o object)
	queue  chan revocation
}

// revocation is one token, and who waits for it.
type revocation struct {
	token v1alpha1.RevokedToken
	done  chan error // has room for the one answer: nobody need be there to take it
}

func newRevocations(d dynamic.Interface, namespace string, stored func(object)) *Revocations {
	r := d.Resource(v1alpha1.SchemeGroupVersion.WithResource(revocationsPlural)).Namespace(namespace)
	create := func(ctx context.Context, o *v1alpha1.TokenRevocation) (object, error) {
		u, err := runtime.DefaultUnstructuredConverter.ToUnstructured(o)
		if err != nil {
			return nil, err
		}
		return r.Create(ctx, &unstructured.Unstructured{Object: u}, metav1.CreateOptions{})
	}
	return &Revocations{create: create, stored: stored, queue: make(chan revocation, revocationsQueue)}
}

// Revoke returns nil once the API server has stored the revocation. An error: it is
// not known to be stored, and asking again does no harm.
func (r *Revocations) Revoke(ctx context.Context, t tokenservice.RevokedToken) error {
	one := revocation{
		token: v1alpha1.RevokedToken{ClientID: t.ClientID, JTI: t.ID, ExpiresAt: metav1.NewTime(t.ExpiresAt)},
		done:  make(chan error, 1),
	}
	select {
	case r.queue <- one:
	default:
		return errTooManyRevocations
	}
	select {
	case err := <-one.done:
		return err
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// run writes until ctx ends.
func (r *Revocations) run(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			r.refuse()
			return
		case first := <-r.queue:
			batch := r.gather(ctx, first)
			err := r.write(ctx, batch)
			for _, one := range batch {
				one.done <- err
			}
		}
	}
}

// gather waits for those that come soon after the first.
func (r *Revocations) gather(ctx context.Context, first revocation) []revocation {
	batch := []revocation{first}
	enough := time.After(revocationsWait)
	for len(batch) < revocationsEach {
		select {
		case next := <-r.queue:
			batch = append(batch, next)
		case <-enough:
			return batch
		case <-ctx.Done():
			return batch
		}
	}
	return batch
}

// write stores a batch in one object. What was accepted is written also when the
// issuer is about to stop.
func (r *Revocations) write(ctx context.Context, batch []revocation) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), revocationsTimeout)
	defer cancel()
	o, err := r.create(ctx, revocationOf(batch))
	if err != nil {
		return fmt.Errorf("storing a TokenRevocation: %w", err)
	}
	r.stored(o)
	return nil
}

func revocationOf(batch []revocation) *v1alpha1.TokenRevocation {
	o := &v1alpha1.TokenRevocation{
		TypeMeta:   metav1.TypeMeta{APIVersion: v1alpha1.SchemeGroupVersion.String(), Kind: "TokenRevocation"},
		ObjectMeta: metav1.ObjectMeta{GenerateName: "revoked-"},
	}
	for _, one := range batch {
		o.Spec.Tokens = append(o.Spec.Tokens, one.token)
		if o.Spec.ExpiresAt.Before(&one.token.ExpiresAt) {
			o.Spec.ExpiresAt = one.token.ExpiresAt
		}
	}
	return o
}

// refuse answers those that came too late.
func (r *Revocations) refuse() {
	for {
		select {
		case one := <-r.queue:
			one.done <- errStopping
		default:
			return
		}
	}
}
