package main

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/lanyard-dev/lanyard/test/testenv"
)

// team is the user who writes.
const team = "team"

// stage is a control plane with what the writes need.
type stage struct {
	admin     client.Client
	team      client.Client
	metrics   rest.Interface
	admission admission
}

// newStage prepares a control plane on which admission is in force.
func newStage(ctx context.Context, env *testenv.Environment) (*stage, error) {
	config := rest.CopyConfig(env.Config)
	config.WarningHandler = rest.NoWarnings{} // thousands of the same
	config.Impersonate = rest.ImpersonationConfig{UserName: team, Groups: []string{"system:authenticated"}}
	asTeam, err := client.New(config, client.Options{Scheme: env.Scheme})
	if err != nil {
		return nil, err
	}
	clientset, err := kubernetes.NewForConfig(env.Config)
	if err != nil {
		return nil, err
	}
	s := &stage{admin: env.Client, team: asTeam, metrics: clientset.RESTClient()}
	objects := []client.Object{
		&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace}},
		&rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{Name: team}, Rules: []rbacv1.PolicyRule{
			{APIGroups: []string{""}, Resources: []string{"configmaps", "pods"}, Verbs: []string{rbacv1.VerbAll}},
			{
				APIGroups: []string{"lanyard.dev"}, Verbs: []string{rbacv1.VerbAll},
				Resources: []string{"oauthclients", "clientcertificates", "protectedresources", "approles", "approleassignments"},
			},
			{APIGroups: []string{"cert-manager.io"}, Resources: []string{"certificates"}, Verbs: []string{"create"}},
		}},
		&rbacv1.ClusterRoleBinding{
			ObjectMeta: metav1.ObjectMeta{Name: team},
			RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: team},
			Subjects:   []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: team}},
		},
	}
	for _, o := range append(objects, bases()...) {
		if err := env.Client.Create(ctx, o); err != nil {
			return nil, err
		}
	}
	if err := onlyOurs(ctx, env.Client); err != nil {
		return nil, err
	}
	s.admission, err = readAdmission(ctx, env.Client)
	return s, err
}

// askedForOthers writes the other kind, and returns how often Lanyard's webhooks were
// asked about that. It must come first, while nobody writes anything else.
func (s *stage) askedForOthers(ctx context.Context, writes int) (int, error) {
	before, err := s.asked(ctx)
	if err != nil {
		return 0, err
	}
	if before == 0 {
		return 0, fmt.Errorf("the API server's metrics count no question to Lanyard's webhooks, though there were some")
	}
	if _, err := s.write(ctx, other(), writes); err != nil {
		return 0, err
	}
	after, err := s.asked(ctx)
	return after - before, err
}

// asked is how often the API server has asked Lanyard's webhooks.
func (s *stage) asked(ctx context.Context) (int, error) {
	text, err := s.metrics.Get().AbsPath("/metrics").DoRaw(ctx)
	if err != nil {
		return 0, err
	}
	sum := 0
	lines := bufio.NewScanner(bytes.NewReader(text))
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		line := lines.Text()
		if !strings.HasPrefix(line, "apiserver_admission_webhook_admission_duration_seconds_count{") || !strings.Contains(line, `.lanyard.dev"`) {
			continue
		}
		value, err := strconv.ParseFloat(line[strings.LastIndexByte(line, ' ')+1:], 64)
		if err != nil {
			return 0, fmt.Errorf("the metric %q: %w", line, err)
		}
		sum += int(value)
	}
	return sum, lines.Err()
}
