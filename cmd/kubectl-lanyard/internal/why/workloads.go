package why

import (
	"context"
	"errors"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/lanyard-dev/lanyard/api/v1alpha1"
	"github.com/lanyard-dev/lanyard/cmd/kubectl-lanyard/internal/cli"
	"github.com/lanyard-dev/lanyard/issuer/clientauth"
	"github.com/lanyard-dev/lanyard/issuer/rules"
)

// maxPods of one service account are looked at: one that lives is enough.
const maxPods = 500

// theAccounts looks at the service accounts that the client lists, and at their pods.
func (l *looker) theAccounts(ctx context.Context) error {
	var looks []func(context.Context) error
	for _, listed := range l.w.client.Spec.Authentication.ServiceAccounts {
		key := types.NamespacedName{Namespace: l.w.key.Namespace, Name: listed.Name}
		looks = append(looks, func(ctx context.Context) error {
			account := &corev1.ServiceAccount{}
			found, err := l.get(ctx, theAccounts, account, "serviceaccounts", key)
			if found && !rules.Gone(account) {
				l.mu.Lock()
				defer l.mu.Unlock()
				l.w.accounts[key.Name] = account
			}
			return err
		}, func(ctx context.Context) error {
			var list corev1.PodList
			ok, err := l.list(ctx, thePods, &list, "pods", key.Namespace, client.MatchingFields{"spec.serviceAccountName": key.Name}, client.Limit(maxPods))
			if ok {
				l.mu.Lock()
				defer l.mu.Unlock()
				l.w.pods = append(l.w.pods, list.Items...)
			}
			return err
		})
	}
	return cli.Together(ctx, looks...)
}

// podsOf are the pods of a service account, or the one that is asked about. Those that live
// come first.
func (w *world) podsOf(account, name string) (pods []corev1.Pod) {
	for _, pod := range w.pods {
		if pod.Spec.ServiceAccountName == account && (name == "" || pod.Name == name) {
			pods = append(pods, pod)
		}
	}
	rank := func(p corev1.Pod) int {
		switch {
		case finished(&p):
			return 2
		case p.DeletionTimestamp != nil:
			return 1
		}
		return 0
	}
	slices.SortStableFunc(pods, func(a, b corev1.Pod) int { return rank(a) - rank(b) })
	return pods
}

// finished says whether a pod has Succeeded or Failed.
func finished(p *corev1.Pod) bool {
	return p.Status.Phase == corev1.PodSucceeded || p.Status.Phase == corev1.PodFailed
}

// workloads answers clientauth from what was read.
type workloads struct{ *world }

var errUnseen = errors.New("may not be read")

// ServiceAccount implements clientauth.Workloads.
func (s workloads) ServiceAccount(_ context.Context, _, name, uid string) (bool, error) {
	account, found := s.accounts[name]
	if !found && s.unseen[theAccounts] != "" {
		return false, errUnseen
	}
	return found && string(account.UID) == uid, nil
}

// Pod implements clientauth.Workloads.
func (s workloads) Pod(_ context.Context, _, _, uid string) (clientauth.Pod, bool, error) {
	i := slices.IndexFunc(s.pods, func(p corev1.Pod) bool { return string(p.UID) == uid })
	if i < 0 || finished(&s.pods[i]) {
		return clientauth.Pod{}, false, nil
	}
	pod := clientauth.Pod{
		ServiceAccount: s.pods[i].Spec.ServiceAccountName,
		Mark:           clientauth.MarkOf(s.pods[i].Labels[v1alpha1.LabelAdmitted]),
	}
	if at := s.pods[i].DeletionTimestamp; at != nil {
		pod.DeletionTimestamp = at.Time
	}
	return pod, true, nil
}
