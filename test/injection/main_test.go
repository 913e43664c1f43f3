// Package injection shows on a real API server what people see of the injection of pods: the
// controller runs as the process that it is, with the permissions of config/rbac, and
// config/webhook and config/policies are in force. No pod runs here; test/e2e shows that.
package injection

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/lanyard-dev/lanyard/api/v1alpha1"
	"github.com/lanyard-dev/lanyard/test/testenv"
)

var env *testenv.Environment

func TestMain(m *testing.M) {
	testenv.Main(m, &env, testenv.Options{Admission: true, ServiceAccounts: true})
}

// namespace has the service account and the client checkout, with its certificate. Pods in it
// are held to Pod Security's restricted level.
func namespace(t *testing.T) string {
	t.Helper()
	ns := env.Namespace(t, map[string]string{"pod-security.kubernetes.io/enforce": "restricted"}, nil).Name
	testenv.Create(t, env.Client, serviceAccount(ns, "checkout"), oauthClient(ns, "checkout"), issued(ns, "checkout"))
	return ns
}

func serviceAccount(namespace, name string) *corev1.ServiceAccount {
	return &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}}
}

func oauthClient(namespace, name string) *v1alpha1.OAuthClient {
	return &v1alpha1.OAuthClient{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name},
		Spec: v1alpha1.OAuthClientSpec{Authentication: v1alpha1.ClientAuthentication{
			ServiceAccounts: []v1alpha1.ServiceAccountCredential{{Name: name}},
		}},
	}
}

func issued(namespace, client string) *v1alpha1.ClientCertificate {
	return &v1alpha1.ClientCertificate{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: client},
		Spec: v1alpha1.ClientCertificateSpec{
			ClientRef: v1alpha1.LocalReference{Name: client},
			Issuance: &v1alpha1.Issuance{
				IssuerRef:  v1alpha1.IssuerReference{Name: testenv.WorkloadCA, Kind: "ClusterIssuer"},
				SecretName: client + "-key",
			},
		},
	}
}

// pod asks for the sidecar of client checkout.
func pod(namespace string, change ...func(*corev1.Pod)) *corev1.Pod {
	p := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{
			GenerateName: "app-", Namespace: namespace,
			Labels:      map[string]string{v1alpha1.LabelInject: "true"},
			Annotations: map[string]string{v1alpha1.AnnotationClient: "checkout"},
		},
		Spec: corev1.PodSpec{ServiceAccountName: "checkout", Containers: []corev1.Container{restricted("app")}},
	}
	for _, c := range change {
		c(p)
	}
	return p
}

// restricted is a container that Pod Security's restricted level lets in.
func restricted(name string) corev1.Container {
	return corev1.Container{
		Name: name, Image: "app:v1",
		SecurityContext: &corev1.SecurityContext{
			RunAsNonRoot: new(true), AllowPrivilegeEscalation: new(false),
			Capabilities:   &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}},
			SeccompProfile: &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault},
		},
	}
}

// injected creates a pod, and returns it as it is stored.
func injected(t *testing.T, namespace string, change ...func(*corev1.Pod)) *corev1.Pod {
	t.Helper()
	p := pod(namespace, change...)
	testenv.Create(t, env.Client, p)
	if p.Labels[v1alpha1.LabelAdmitted] == "" || len(p.Spec.InitContainers) == 0 || p.Spec.InitContainers[0].Name != v1alpha1.SidecarContainer {
		t.Fatalf("the pod was not injected: %+v", p)
	}
	return p
}

// again is a pod that is stored, as it can be created once more.
func again(p *corev1.Pod) *corev1.Pod {
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{GenerateName: "again-", Namespace: p.Namespace, Labels: p.Labels, Annotations: p.Annotations},
		Spec:       *p.Spec.DeepCopy(),
	}
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// refuses fails unless err is a refusal that says all of it.
func refuses(t *testing.T, err error, says ...string) {
	t.Helper()
	if !apierrors.IsForbidden(err) && !apierrors.IsInvalid(err) {
		t.Errorf("err = %v; want a refusal with %q", err, says)
		return
	}
	for _, s := range says {
		if !strings.Contains(err.Error(), s) {
			t.Errorf("it says %q; want %q in it", err, s)
		}
	}
}

// warned creates an object, and returns what the API server warned of.
func warned(t *testing.T, o client.Object) string {
	t.Helper()
	heard := &testenv.Warnings{}
	config := rest.CopyConfig(env.Config)
	config.WarningHandlerWithContext = heard
	testenv.Create(t, env.ClientOf(t, config), o)
	return strings.Join(heard.Take(), "\n")
}

// asked is how often the API server has asked the webhook, by its own count.
func asked(t *testing.T) int {
	t.Helper()
	clientset, err := kubernetes.NewForConfig(env.Config)
	check(t, err)
	text, err := clientset.RESTClient().Get().AbsPath("/metrics").DoRaw(t.Context())
	check(t, err)
	sum := 0
	lines := bufio.NewScanner(bytes.NewReader(text))
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		line := lines.Text()
		if strings.HasPrefix(line, "apiserver_admission_webhook_admission_duration_seconds_count{") && strings.Contains(line, `name="inject.lanyard.dev"`) {
			value, err := strconv.ParseFloat(line[strings.LastIndexByte(line, ' ')+1:], 64)
			check(t, err)
			sum += int(value)
		}
	}
	check(t, lines.Err())
	return sum
}

// down ends the controller until the test does.
func down(t *testing.T) {
	t.Helper()
	env.Controller.Kill()
	t.Cleanup(func() {
		if err := env.Controller.Start(context.Background()); err != nil { // t.Context() has ended
			t.Error(err)
		}
	})
}

// gone waits until an object is not there.
func gone(t *testing.T, o client.Object) {
	t.Helper()
	testenv.Eventually(t, func(ctx context.Context) error {
		if err := env.Client.Get(ctx, client.ObjectKeyFromObject(o), o); !apierrors.IsNotFound(err) {
			return errors.Join(fmt.Errorf("%s is still there", o.GetName()), err)
		}
		return nil
	})
}
