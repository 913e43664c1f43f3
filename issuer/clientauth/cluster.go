package clientauth

import (
	"context"
	"time"

	"github.com/lanyard-dev/lanyard/issuer/jose"
)

// Cluster holds the keys that this cluster's API server signs service account
// tokens with.
type Cluster interface {
	// Issuers are the values of iss that the cluster's tokens carry; several
	// while it changes its own.
	Issuers() []string
	// Keys returns the keys of the cluster, having asked the API server again, at
	// a bounded rate, if kid is not among those it knew. An error means that they
	// could not be looked up, not that there is no such key.
	Keys(ctx context.Context, kid string) (jose.KeySet, error)
}

// Workloads tells which service accounts and pods live now.
type Workloads interface {
	// ServiceAccount says whether the service account of that name and UID lives.
	// False means that it is gone, or that another has its name now. An error means
	// that it could not be looked up.
	ServiceAccount(ctx context.Context, namespace, name, uid string) (bool, error)
	// Pod returns the living pod of that UID. False means that it is gone, that
	// another has its name, or that it has Succeeded or Failed. An error means that
	// it could not be looked up.
	Pod(ctx context.Context, namespace, name, uid string) (Pod, bool, error)
}

// Pod is what is known of a living pod.
type Pod struct {
	// ServiceAccount that it runs as; empty where only the pod's metadata is known.
	// The API server binds a token to a pod only if they agree.
	ServiceAccount string
	// DeletionTimestamp is when a pod that is being deleted ends, its grace period
	// included; zero if it is not being deleted.
	DeletionTimestamp time.Time
	// Mark stands for its label lanyard.dev/admitted.
	Mark Mark
}
