package why

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	typedcorev1 "k8s.io/client-go/kubernetes/typed/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/lanyard-dev/lanyard/api/v1alpha1"
	"github.com/lanyard-dev/lanyard/cmd/kubectl-lanyard/internal/cli"
	"github.com/lanyard-dev/lanyard/issuer/oauth"
	"github.com/lanyard-dev/lanyard/issuer/rules"
)

// issuerLabel selects the issuer's pods in Lanyard's namespace.
const issuerLabel = "lanyard-issuer"

// maxTrace is how long an id is at most.
const maxTrace = 128

// logTimeout bounds the reading of the pods' logs.
const logTimeout = 30 * time.Second

// traced finds the request of --trace, and makes it the question; nil if it cannot be
// asked again.
func (f *flags) traced(ctx context.Context, s *cli.Session, resource string) (*question, *Logged, error) {
	logged, err := f.find(ctx, s)
	if err != nil {
		return nil, nil, err
	}
	if logged.What != tokenRequest || logged.ClientID == "" {
		return nil, logged, nil
	}
	key, err := f.clientOf(ctx, s, logged.ClientID)
	if err != nil || key.Name == "" {
		return nil, logged, err
	}
	return logged.question(key, resource), logged, nil
}

// question asks again what was logged: with the certificate, and the workload, that asked
// then. The log does not say what the scope was.
func (l *Logged) question(key types.NamespacedName, resource string) *question {
	q := &question{
		client: key, resource: cmpOr(resource, l.Audience), grantType: oauth.GrantClientCredentials,
		peer: rules.Peer{Thumbprint: l.Thumbprint}, exact: true, method: oauth.AuthMethod(l.AuthMethod),
	}
	if l.Namespace == key.Namespace {
		q.pod, q.serviceAccount = l.Pod, l.ServiceAccount
	}
	if q.method == "" && l.Reason == "certificate_not_pinned_or_method_not_listed" {
		q.method = oauth.AuthTLSClient
	}
	if l.Refusal != nil {
		q.withoutProof = l.Refusal.Number == int(oauth.ErrDPoPRequired)
	}
	return q
}

// clientOf finds the client of a client id. An id of its own has to be looked for; the zero
// name: there is none.
func (f *flags) clientOf(ctx context.Context, s *cli.Session, id string) (types.NamespacedName, error) {
	if namespace, name, ok := strings.Cut(id, "/"); ok {
		return types.NamespacedName{Namespace: namespace, Name: name}, nil
	}
	api, err := s.Client()
	if err != nil {
		return types.NamespacedName{}, err
	}
	var list v1alpha1.OAuthClientList
	if err := api.List(ctx, &list); err != nil {
		return types.NamespacedName{}, fmt.Errorf("looking for the OAuthClient with the client id %s: %w", id, err)
	}
	var holder *v1alpha1.OAuthClient
	for _, c := range living(pointers(list.Items)) {
		if c.Spec.ClientID == id && (holder == nil || rules.Older(c, holder)) {
			holder = c
		}
	}
	if holder == nil {
		return types.NamespacedName{}, nil
	}
	return client.ObjectKeyFromObject(holder), nil
}

// find looks for the request in the log. Of several with one correlation_id it is the last.
func (f *flags) find(ctx context.Context, s *cli.Session) (*Logged, error) {
	if len(f.trace) > maxTrace {
		return nil, fmt.Errorf("--trace: an id has at most %d characters", maxTrace)
	}
	var found []*Logged
	var where string
	var err error
	if f.log != "" {
		where = f.log
		found, err = searchFile(f.log, s.In, f.trace)
	} else {
		found, where, err = f.searchPods(ctx, s)
	}
	if err != nil && len(found) == 0 {
		return nil, err
	}
	if err != nil {
		fmt.Fprintln(s.Err, "warning:", cli.Sentence(err))
	}
	if len(found) == 0 {
		return nil, fmt.Errorf("no request with the trace_id or correlation_id %s in %s; the id stands in the answer of the issuer; look further back with --since, or give the log by --log FILE where it is kept elsewhere", f.trace, where)
	}
	// A trace_id is the issuer's, and a correlation_id whatever the caller liked: also the
	// trace_id of somebody else's request.
	if i := slices.IndexFunc(found, func(l *Logged) bool { return l.TraceID == f.trace }); i >= 0 {
		return found[i], nil
	}
	last := slices.MaxFunc(found, func(a, b *Logged) int { return a.Time.Compare(b.Time) })
	if len(found) > 1 {
		fmt.Fprintf(s.Err, "%d requests have this id; this is the last of them\n", len(found))
	}
	return last, nil
}

func searchFile(path string, stdin io.Reader, id string) ([]*Logged, error) {
	if path == "-" {
		return search(stdin, id)
	}
	file, err := os.Open(path) //nolint:gosec // the person who types says which
	if err != nil {
		return nil, err
	}
	defer func() { _ = file.Close() }() // nothing was written
	return search(file, id)
}

// searchPods looks in the logs of the issuer's pods, of all at once.
func (f *flags) searchPods(ctx context.Context, s *cli.Session) (found []*Logged, where string, err error) {
	config, err := s.Config()
	if err != nil {
		return nil, "", err
	}
	api, err := s.Client()
	if err != nil {
		return nil, "", err
	}
	core, err := typedcorev1.NewForConfig(config)
	if err != nil {
		return nil, "", err
	}
	var pods corev1.PodList
	if err := api.List(ctx, &pods, client.InNamespace(s.LanyardNamespace), client.MatchingLabels{"app.kubernetes.io/name": issuerLabel}); err != nil {
		return nil, "", f.unreadable("list pods", s.LanyardNamespace, err)
	}
	where = fmt.Sprintf("the logs of the issuer's pods in namespace %s (%d pods) in the last %s", s.LanyardNamespace, len(pods.Items), f.since)
	ctx, cancel := context.WithTimeout(ctx, logTimeout)
	defer cancel()
	var mu sync.Mutex
	var wait sync.WaitGroup
	for _, pod := range pods.Items {
		wait.Go(func() {
			here, failed := f.searchPod(ctx, core, &pod)
			mu.Lock()
			defer mu.Unlock()
			found, err = append(found, here...), errors.Join(err, failed)
		})
	}
	wait.Wait()
	return found, where, err
}

func (f *flags) searchPod(ctx context.Context, core typedcorev1.PodsGetter, pod *corev1.Pod) ([]*Logged, error) {
	options := &corev1.PodLogOptions{Container: pod.Spec.Containers[0].Name, SinceSeconds: new(int64(f.since.Seconds()))}
	log, err := core.Pods(pod.Namespace).GetLogs(pod.Name, options).Stream(ctx)
	if err != nil {
		return nil, f.unreadable("get pods/log", pod.Namespace, err)
	}
	defer func() { _ = log.Close() }() // nothing was written
	found, err := search(log, f.trace)
	for _, l := range found {
		l.From = "pod " + pod.Name
	}
	return found, err
}

func (f *flags) unreadable(what, namespace string, err error) error {
	if apierrors.IsForbidden(err) {
		return fmt.Errorf("the issuer's log could not be read: needs permission to %s in namespace %s; or give the log by --log FILE", what, namespace)
	}
	return fmt.Errorf("the issuer's log could not be read: %w", err)
}
