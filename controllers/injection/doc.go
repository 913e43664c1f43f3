// Package injection answers the API server's admission reviews of pods that ask for the
// sidecar with the label lanyard.dev/inject: "true". No other pod comes here.
//
//	readWish   what the pod's owner asks for, by the pod alone: a wish, or a refusal
//	observe    what is known of the client that the wish names
//	decide     what the pod gets: a plan, or a refusal
//	patchOf    what of it the pod does not have yet
//
// All but observe are pure. A refusal is a sentence that says what to change in the pod, and
// nothing is refused that time can heal: a client that does not exist yet is admitted, with a
// warning. What the cache refuses, or does not know, is read from the API server once more.
//
// A pod comes here again when another webhook, or the API server itself, changed it after
// this one did. Then it carries the mark, the label lanyard.dev/admitted, and is brought to
// the form that injection gives. That the mark stands on such pods alone is held by the
// policies of config/policies/mark.yaml, which do not need this program to run.
//
// It writes nothing to the cluster, and reads no pod beside the one that it is asked about.
package injection
