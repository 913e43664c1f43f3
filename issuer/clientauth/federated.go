package clientauth

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/lanyard-dev/lanyard/api/v1alpha1"
	"github.com/lanyard-dev/lanyard/issuer/jose"
	"github.com/lanyard-dev/lanyard/issuer/oauth"
	"github.com/lanyard-dev/lanyard/issuer/rules"
)

// federated finds the client of a verified service account token (RFC 7521 section
// 4.2 with the cluster as the token's issuer), and whether its workload lives. Unlike
// the assertions of RFC 7523 the token may be used until it expires: the kubelet
// renews it when it likes.
func (a *Authenticator) federated(ctx context.Context, p Presented, t *verifiedToken, now time.Time, seen *Seen) (Client, *oauth.Error) {
	w := t.workload
	seen.Workload = w
	candidates := a.clientsOf(w, p.ClientID)
	if len(candidates) == 0 {
		return Client{}, refuse("service_account_of_no_such_client", nil)
	}
	if len(candidates) > 1 {
		// Told only to a workload that lives.
		if e := a.Lives(ctx, w, now); e != nil {
			return Client{}, e
		}
		return Client{}, oauth.NewError(oauth.ErrAmbiguousClient, "")
	}
	c := candidates[0].client
	seen.ClientID = rules.ClientID(c)
	if e := works(c, candidates[0].verdict, p); e != nil {
		return Client{}, e
	}
	if e := Listed(c, w); e != nil {
		return Client{}, e
	}
	if e := a.LivesFor(ctx, c, w, now); e != nil {
		return Client{}, e
	}
	if e := a.possession(c, p, t.thumbprint, now); e != nil {
		return Client{}, e
	}
	return Client{Object: c, Method: oauth.AuthPrivateKeyJWT, Workload: w, Ends: t.expiry}, nil
}

// serviceAccountToken verifies the token itself: signature, iss, aud, times, and
// that its subject and its private claims agree.
func (a *Authenticator) serviceAccountToken(ctx context.Context, u *jose.Unverified, now time.Time) (*verifiedToken, *oauth.Error) {
	keys, err := a.Cluster.Keys(ctx, u.Header.KeyID)
	if err != nil {
		return nil, cannotTell("service_account_keys", err)
	}
	token, err := u.Verify(keys, jose.Expected{
		Now:       now,
		Issuer:    u.Claims.Issuer, // one of the cluster's: assertion saw to it
		Audiences: []string{a.Audience},
		// The API server writes no typ, or JWT. An access token of ours is at+jwt
		// and never passes for an assertion.
		Types: []string{"", "JWT"},
	})
	if err != nil {
		return nil, refuse(verifyReason(err), err)
	}
	claims, err := readKubernetes(token.Payload)
	if err != nil {
		return nil, refuse("assertion_claims", err)
	}
	w := &claims.workload
	switch {
	case w.Namespace == "" || w.ServiceAccount == "" || w.ServiceAccountUID == "":
		return nil, refuse("assertion_without_service_account", nil)
	case token.Claims.Subject != "system:serviceaccount:"+w.Namespace+":"+w.ServiceAccount:
		return nil, refuse("assertion_subject_disagrees", nil)
	case claims.secret:
		// A legacy token, as old as its Secret; it can be read by whoever reads Secrets.
		return nil, refuse("assertion_bound_to_secret", nil)
	case !claims.pod && claims.node:
		return nil, refuse("assertion_bound_to_node", nil)
	case claims.pod && (w.Pod == "" || w.PodUID == ""):
		return nil, refuse("assertion_claims", errors.New("the pod has no name or no UID"))
	}
	key, _ := keys.Key(token.Header.KeyID) // the one that verified
	return &verifiedToken{
		workload: w, thumbprint: claims.thumbprint,
		issuer: token.Claims.Issuer, key: key, algorithm: token.Header.Algorithm,
		expiry: token.Claims.Expiry, notBefore: token.Claims.NotBefore, issuedAt: token.Claims.IssuedAt,
	}, nil
}

// candidate is a client that lists the service account, and whether it works.
type candidate struct {
	client  *v1alpha1.OAuthClient
	verdict rules.Verdict
}

// clientsOf finds the clients that list the service account, of those that the
// request names if it names one. A client that may not have its own client id is
// nobody, and makes no choice hard for the others; a suspended one is still meant.
func (a *Authenticator) clientsOf(w *rules.Workload, clientID string) []candidate {
	var found []candidate
	for _, c := range a.Registry.ClientsByServiceAccount(w.Namespace, w.ServiceAccount) {
		if clientID != "" && rules.ClientID(c) != clientID {
			continue
		}
		switch v := a.Registry.Verdict(c); v.Reason {
		case v1alpha1.ReasonClientIDNotAllowed, v1alpha1.ReasonConflict:
		default:
			found = append(found, candidate{c, v})
		}
	}
	return found
}

// Listed checks that the client accepts this kind of token of the service account: one
// that is bound to a pod, or to none.
func Listed(c *v1alpha1.OAuthClient, w *rules.Workload) *oauth.Error {
	credential := listedCredential(c, w)
	switch {
	case credential == nil:
		return refuse("service_account_not_listed", nil)
	case w.Pod != "":
		return nil
	case credential.Admission == v1alpha1.AdmissionRequired:
		return refuse("pod_not_admitted", errors.New("the assertion is bound to no pod, and the client has admission: Required"))
	case credential.BoundTo != v1alpha1.BoundToAny:
		return refuse("assertion_bound_to_no_pod", nil)
	}
	return nil
}

// listedCredential is what the client says of the service account; nil: nothing.
func listedCredential(c *v1alpha1.OAuthClient, w *rules.Workload) *v1alpha1.ServiceAccountCredential {
	all := c.Spec.Authentication.ServiceAccounts
	i := slices.IndexFunc(all, func(s v1alpha1.ServiceAccountCredential) bool { return s.Name == w.ServiceAccount })
	if i < 0 {
		return nil
	}
	return &all[i]
}

// Lives checks that the service account and the pod that a token names are those that
// live now: an object of the same name that was made anew has another UID.
func (a *Authenticator) Lives(ctx context.Context, w *rules.Workload, now time.Time) *oauth.Error {
	_, e := a.living(ctx, w, now)
	return e
}

// LivesFor checks that they live, and that the pod was injected for the client if the
// client asks that of it (admission: Required). The mark that says so is set when the pod
// is made and at no other time.
func (a *Authenticator) LivesFor(ctx context.Context, c *v1alpha1.OAuthClient, w *rules.Workload, now time.Time) *oauth.Error {
	pod, e := a.living(ctx, w, now)
	if e != nil {
		return e
	}
	credential := listedCredential(c, w)
	if credential == nil || credential.Admission != v1alpha1.AdmissionRequired {
		return nil
	}
	switch pod.Mark {
	case MarkOf(rules.Mark(c.Name)):
		return nil
	case 0:
		return refuse("pod_not_admitted", errors.New("the pod has no label "+v1alpha1.LabelAdmitted))
	default:
		return refuse("pod_not_admitted", errors.New("the pod was injected for another client"))
	}
}

// living returns the pod, which is empty for a token that is bound to none.
func (a *Authenticator) living(ctx context.Context, w *rules.Workload, now time.Time) (Pod, *oauth.Error) {
	ok, err := a.Workloads.ServiceAccount(ctx, w.Namespace, w.ServiceAccount, w.ServiceAccountUID)
	switch {
	case err != nil:
		return Pod{}, cannotTell("service_account", err)
	case !ok:
		return Pod{}, refuse("service_account_gone", nil)
	case w.Pod == "":
		return Pod{}, nil
	}
	pod, ok, err := a.Workloads.Pod(ctx, w.Namespace, w.Pod, w.PodUID)
	switch {
	case err != nil:
		return Pod{}, cannotTell("pod", err)
	case !ok:
		return Pod{}, refuse("pod_gone", nil)
	case pod.ServiceAccount != "" && pod.ServiceAccount != w.ServiceAccount:
		return Pod{}, refuse("pod_of_other_service_account", nil)
	case !pod.DeletionTimestamp.IsZero() && !now.Before(pod.DeletionTimestamp):
		// deletionTimestamp includes the grace period: a pod that still drains works.
		return Pod{}, refuse("pod_deleted", fmt.Errorf("its deletionTimestamp %s has passed", pod.DeletionTimestamp.UTC().Format(time.RFC3339)))
	}
	return pod, nil
}
