package kube

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/dynamic"

	"github.com/lanyard-dev/lanyard/api/v1alpha1"
	"github.com/lanyard-dev/lanyard/issuer/registry"
	"github.com/lanyard-dev/lanyard/issuer/tokenservice"
)

const (
	// revocationsWait is how long a revocation waits for others to share its object.
	revocationsWait = 50 * time.Millisecond
	// revocationsEach is how many tokens one object holds at most; its schema says the same.
	revocationsEach = 512
	// revocationsQueue bounds how many wait while the API server is slow.
	revocationsQueue = 8 * revocationsEach
	// revocationsShare is how many of them one namespace may have: whoever owns it can
	// make any number of clients.
	revocationsShare = revocationsQueue / 4
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
	known  *registry.Registry
	queue  chan *revocation

	// What waits, or is being written: by jti, and how many of each client and namespace.
	mu          sync.Mutex
	waiting     map[string]*revocation
	ofClient    map[string]int
	ofNamespace map[string]int
}

// revocation is one token that waits.
type revocation struct {
	token tokenservice.RevokedToken
	done  chan struct{} // closed once err is the answer
	err   error
}

func newRevocations(d dynamic.Interface, namespace string, known *registry.Registry, stored func(object)) *Revocations {
	r := d.Resource(v1alpha1.SchemeGroupVersion.WithResource(revocationsPlural)).Namespace(namespace)
	create := func(ctx context.Context, o *v1alpha1.TokenRevocation) (object, error) {
		u, err := runtime.DefaultUnstructuredConverter.ToUnstructured(o)
		if err != nil {
			return nil, err
		}
		return r.Create(ctx, &unstructured.Unstructured{Object: u}, metav1.CreateOptions{})
	}
	return writing(create, known, stored)
}

func writing(create func(context.Context, *v1alpha1.TokenRevocation) (object, error), known *registry.Registry, stored func(object)) *Revocations {
	return &Revocations{
		create: create, stored: stored, known: known,
		queue:   make(chan *revocation, revocationsQueue),
		waiting: map[string]*revocation{}, ofClient: map[string]int{}, ofNamespace: map[string]int{},
	}
}

// Revoke returns true once the API server has stored the revocation, and false if the
// client has quota revoked tokens already, those that wait among them. An error: it is
// not known to be stored, and asking again does no harm.
func (r *Revocations) Revoke(ctx context.Context, t tokenservice.RevokedToken, quota int) (bool, error) {
	one, stored, err := r.enter(t, quota)
	if one == nil {
		return stored, err
	}
	select {
	case <-one.done:
		return one.err == nil, one.err
	case <-ctx.Done():
		return false, context.Cause(ctx)
	}
}

// enter has the token wait to be written, once however often it is asked for. None is
// returned where there is nothing to wait for; the rest is then the answer of Revoke.
func (r *Revocations) enter(t tokenservice.RevokedToken, quota int) (one *revocation, stored bool, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case r.waiting[t.ID] != nil:
		return r.waiting[t.ID], false, nil
	case r.known.Revoked(t.ID): // since the caller looked
		return nil, true, nil
	case r.known.RevokedBy(t.ClientID)+r.ofClient[t.ClientID] >= quota:
		return nil, false, nil
	case r.ofNamespace[t.Namespace] >= revocationsShare:
		return nil, false, errTooManyRevocations
	}
	one = &revocation{token: t, done: make(chan struct{})}
	select {
	case r.queue <- one:
	default:
		return nil, false, errTooManyRevocations
	}
	r.waiting[t.ID] = one
	r.ofClient[t.ClientID]++
	r.ofNamespace[t.Namespace]++
	return one, false, nil
}

// leave answers those that waited. What was stored is known, and waits no longer, in
// one step, so that it is never missing from a client's number. It counts twice for a
// moment where the watch was faster than the answer.
func (r *Revocations) leave(batch []*revocation, o object, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if err == nil {
		r.stored(o)
	}
	for _, one := range batch {
		delete(r.waiting, one.token.ID)
		less(r.ofClient, one.token.ClientID)
		less(r.ofNamespace, one.token.Namespace)
		one.err = err
		close(one.done)
	}
}

func less(counts map[string]int, k string) {
	if counts[k]--; counts[k] == 0 {
		delete(counts, k)
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
			o, err := r.write(ctx, batch)
			r.leave(batch, o, err)
		}
	}
}

// gather waits for those that come soon after the first.
func (r *Revocations) gather(ctx context.Context, first *revocation) []*revocation {
	batch := []*revocation{first}
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
func (r *Revocations) write(ctx context.Context, batch []*revocation) (object, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), revocationsTimeout)
	defer cancel()
	o, err := r.create(ctx, revocationOf(batch))
	if err != nil {
		return nil, fmt.Errorf("storing a TokenRevocation: %w", err)
	}
	return o, nil
}

func revocationOf(batch []*revocation) *v1alpha1.TokenRevocation {
	o := &v1alpha1.TokenRevocation{
		TypeMeta:   metav1.TypeMeta{APIVersion: v1alpha1.SchemeGroupVersion.String(), Kind: "TokenRevocation"},
		ObjectMeta: metav1.ObjectMeta{GenerateName: "revoked-"},
	}
	for _, one := range batch {
		ends := metav1.NewTime(one.token.ExpiresAt)
		o.Spec.Tokens = append(o.Spec.Tokens, v1alpha1.RevokedToken{ClientID: one.token.ClientID, JTI: one.token.ID, ExpiresAt: ends})
		if o.Spec.ExpiresAt.Before(&ends) {
			o.Spec.ExpiresAt = ends
		}
	}
	return o
}

// refuse answers those that came too late.
func (r *Revocations) refuse() {
	for {
		select {
		case one := <-r.queue:
			r.leave([]*revocation{one}, nil, errStopping)
		default:
			return
		}
	}
}
