package demo

import (
	"context"
	"errors"
	"strings"
	"time"
)

// endSteps: what ends is in force at once, without a token being revoked or a file replaced.
func endSteps() []step {
	return []step{
		{
			chapter: "Ended: suspended, or gone",
			title:   "The orders API asks what a token is worth",
			text: "An API that checks tokens by itself accepts them until they end. One that wants to know sooner asks the issuer " +
				"(introspection, RFC 7662), as a client of its own. It is told of tokens for its own namespace, and of no others.",
			want: "HTTP 200 and active: true, with what the token says",
			do:   (*story).introspect,
		},
		{
			title: "Who would lose access, if the role were deleted?",
			text: "Alice tidies up. Before anything is deleted she has the API server only say what would happen, and Lanyard " +
				"says whom it would hit.",
			want: "a warning that names shop/checkout, and the role is still there",
			do:   (*story).wouldDelete,
		},
		{
			title: "The client is suspended",
			text: "Something looks wrong with checkout. One field, spec.suspend, ends new tokens for it, and what those are worth that it has. " +
				"An API that does not ask accepts them for their few minutes.",
			want: "within a second the issuer refuses (HTTP 401 invalid_client, number 20001, because of Suspended), and says that the token is inactive",
			do: func(s *story, ctx context.Context) error {
				if err := s.as(bob).showKubectl(ctx, "lanyard", "suspend", "-n", shop, "checkout"); err != nil {
					return err
				}
				return s.endsAtOnce(ctx, "Suspended")
			},
		},
		{
			title: "And served again",
			text:  "It was a false alarm.",
			want:  "the issuer serves within a second",
			do:    (*story).resume,
		},
		{
			title: "Only pods that Lanyard injected",
			text: "Bob wants no pod to be checkout that does not have Lanyard's sidecar. This one has not: where nothing runs, nothing is " +
				"injected. The label that says so is for nobody to write: the API server refuses it. Then Bob takes it back.",
			want: "the label is refused; within a second so is the pod (HTTP 401 invalid_client, number 20001, because of pod_not_admitted), and its token is inactive",
			do:   (*story).onlyInjected,
		},
		{
			title: "The pod is gone",
			text: "The token of the pod says that it is good for nearly an hour more. But its pod is no more, and the issuer " +
				"watches pods: what was bound to it is worth nothing now, wherever it was copied to.",
			want: "within a second the issuer refuses (HTTP 401 invalid_client, number 20001, because of pod_gone), and says that the token is inactive",
			do:   (*story).deletePod,
		},
		{
			title: "The next pod goes on",
			text: "Pods come and go. The next one has a token of its own, and nobody had to be told. It stays, " +
				"so that you can go on from here.",
			want: "HTTP 200 from the issuer, HTTP 200 from the API",
			do:   (*story).nextPod,
		},
	}
}

func (s *story) wouldDelete(ctx context.Context) error {
	seen, err := s.as(alice).seeKubectl(ctx, "delete", "-n", orders, "approle", "orders-read", "--dry-run=server")
	if err != nil {
		return err
	}
	if !strings.Contains(seen, "Warning:") || !strings.Contains(seen, clientID) {
		return errors.New("there was no warning that names " + clientID)
	}
	return s.as(alice).showKubectl(ctx, "get", "-n", orders, "approle", "orders-read")
}

func (s *story) onlyInjected(ctx context.Context) error {
	admission := func(value string) error {
		return s.as(bob).showKubectl(ctx, "patch", "-n", shop, "oauthclient", "checkout", "--type=merge",
			"-p", `{"spec":{"authentication":{"serviceAccounts":[{"name":"checkout","admission":"`+value+`"}]}}}`)
	}
	if err := s.as(bob).refusedKubectl(ctx, "lanyard.dev/admitted", "label", "-n", shop, "pod", "checkout-0", "lanyard.dev/admitted=checkout"); err != nil {
		return err
	}
	if err := admission("Required"); err != nil {
		return err
	}
	if err := s.endsAtOnce(ctx, "pod_not_admitted"); err != nil {
		return err
	}
	if err := admission("Optional"); err != nil {
		return err
	}
	_, _, err := s.tryUntil(ctx, s.tokenRequest(checkout, scope, assertion(assertionFile)...), answer.ok)
	return err
}

func (s *story) resume(ctx context.Context) error {
	if err := s.as(bob).showKubectl(ctx, "lanyard", "resume", "-n", shop, "checkout"); err != nil {
		return err
	}
	_, took, err := s.tryUntil(ctx, s.tokenRequest(checkout, scope, assertion(assertionFile)...), answer.ok)
	if err == nil {
		s.tell.line("served %s after kubectl returned", took.Round(time.Millisecond))
	}
	return err
}

// endsAtOnce checks that checkout is served no more, for that reason, and that its token is worth
// nothing any more, and says how soon.
func (s *story) endsAtOnce(ctx context.Context, reason string) error {
	a, took, err := s.tryUntil(ctx, s.tokenRequest(checkout, scope, assertion(assertionFile)...), func(a answer) error {
		return a.refusedWith(401, "invalid_client", notAccepted)
	})
	if err != nil {
		return err
	}
	s.tell.line("refused %s after kubectl returned", took.Round(time.Millisecond))
	if err := s.because(ctx, a, reason); err != nil {
		return err
	}
	return s.inactiveAtOnce(ctx)
}

func (s *story) deletePod(ctx context.Context) error {
	if err := s.showKubectl(ctx, "delete", "-n", shop, "pod", "checkout-0"); err != nil {
		return err
	}
	return s.endsAtOnce(ctx, "pod_gone")
}

func (s *story) nextPod(ctx context.Context) error {
	if err := s.showKubectl(ctx, "apply", "-f", "hack/demo/manifests/checkout-pod.yaml"); err != nil {
		return err
	}
	if err := s.requestAssertion(ctx, shop, "checkout", "24h", assertionFile); err != nil {
		return err
	}
	a, _, err := s.tryUntil(ctx, s.tokenRequest(checkout, scope, assertion(assertionFile)...), answer.ok)
	if err != nil {
		return err
	}
	if _, err := s.keepToken(a, tokenFile); err != nil {
		return err
	}
	return s.callAPI(ctx)
}
