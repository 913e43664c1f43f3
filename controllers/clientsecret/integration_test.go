package clientsecret_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/lanyard-dev/lanyard/api/v1alpha1"
	"github.com/lanyard-dev/lanyard/controllers/clientsecret"
	"github.com/lanyard-dev/lanyard/controllers/index"
	"github.com/lanyard-dev/lanyard/controllers/oauthclient"
	"github.com/lanyard-dev/lanyard/test/testenv"
)

var (
	env *testenv.Environment
	// log is all that the controllers say.
	log safeBuffer
)

func TestMain(m *testing.M) { testenv.Main(m, &env, testenv.Options{Log: &log}) }

// world is a namespace in which the controllers run that write the status of clients,
// with the permissions that an installation gives them.
type world struct {
	*testing.T

	user      *rest.Config
	namespace string
	clock     *clock
	made      *atomic.Int32 // secrets
}

func newWorld(t *testing.T, enabled bool) world {
	t.Helper()
	env.Kubectl(t, "apply", "-f", "config/default/namespace.yaml")
	env.Kubectl(t, "apply", "-k", "config/rbac")
	w := world{T: t, namespace: env.Namespace(t, nil, nil).Name, clock: &clock{}, made: &atomic.Int32{}}
	// Until a policy is known to the API server it holds nobody: this is how one waits.
	w.user = env.As(t, "system:serviceaccount:lanyard-system:lanyard-controller", "system:serviceaccounts", "system:authenticated")
	if enabled {
		env.Kubectl(t, "apply", "-f", "config/components/client-secrets/role.yaml", "-f", "config/components/client-secrets/policy.yaml")
		own := env.ClientOf(t, w.user)
		testenv.Eventually(t, func(ctx context.Context) error {
			err := own.Create(ctx, &corev1.Secret{ObjectMeta: w.meta("probe")}, client.DryRunAll)
			if !apierrors.IsForbidden(err) && !apierrors.IsInvalid(err) || !strings.Contains(err.Error(), "lanyard.dev/oauth-client-uid") {
				return fmt.Errorf("the policy does not hold yet: %w", err)
			}
			return nil
		})
	}
	env.Manager(t, w.user, func(mgr ctrl.Manager) error {
		if err := index.Register(t.Context(), mgr); err != nil {
			return err
		}
		if err := oauthclient.SetupWithManager(mgr, oauthclient.Config{Now: w.clock.now, ClusterDomain: "cluster.local"}); err != nil {
			return err
		}
		return clientsecret.SetupWithManager(mgr, clientsecret.Config{Enabled: enabled, Now: w.clock.now, Random: counted{w.made}})
	}, w.namespace)
	return w
}

func (w world) meta(name string) metav1.ObjectMeta {
	return metav1.ObjectMeta{Namespace: w.namespace, Name: name}
}

// declare makes a client that authenticates with a secret.
func (w world) declare(name string) *v1alpha1.OAuthClient {
	w.Helper()
	c := &v1alpha1.OAuthClient{ObjectMeta: w.meta(name), Spec: v1alpha1.OAuthClientSpec{
		Authentication: v1alpha1.ClientAuthentication{ClientSecret: &v1alpha1.ClientSecretCredential{
			Methods: []v1alpha1.ClientSecretMethod{"client_secret_basic"}, SecretName: name + "-oauth",
		}},
	}}
	if err := env.Client.Create(w.Context(), c); err != nil {
		w.Fatal(err)
	}
	return c
}

// becomes waits until the condition of c has the reason, and the status so many secrets.
func (w world) becomes(c *v1alpha1.OAuthClient, reason string, secrets int) string {
	w.Helper()
	var is *metav1.Condition
	testenv.Eventually(w.T, func(ctx context.Context) error {
		if err := env.Client.Get(ctx, client.ObjectKeyFromObject(c), c); err != nil {
			return err
		}
		is = meta.FindStatusCondition(c.Status.Conditions, v1alpha1.ConditionClientSecret)
		if is == nil || is.Reason != reason || is.ObservedGeneration != c.Generation || len(c.Status.ClientSecrets) != secrets {
			return fmt.Errorf("condition %v, %d secrets; want %s, %d", is, len(c.Status.ClientSecrets), reason, secrets)
		}
		return nil
	})
	return is.Message
}

// secret reads the client's Secret as the workload sees it.
func (w world) secret(name string) *corev1.Secret {
	w.Helper()
	s := &corev1.Secret{ObjectMeta: w.meta(name)}
	if err := env.Client.Get(w.Context(), client.ObjectKeyFromObject(s), s); err != nil {
		w.Fatal(err)
	}
	return s
}

func (w world) remove(o client.Object) {
	w.Helper()
	if err := env.Client.Delete(w.Context(), o); err != nil {
		w.Fatal(err)
	}
}

// nudge changes the client's spec, so that the controller looks at once.
func (w world) nudge(c *v1alpha1.OAuthClient, how func(*v1alpha1.OAuthClient)) {
	w.Helper()
	testenv.Eventually(w.T, func(ctx context.Context) error {
		if err := env.Client.Get(ctx, client.ObjectKeyFromObject(c), c); err != nil {
			return err
		}
		c.Spec.DisplayName += "x"
		if how != nil {
			how(c)
		}
		return env.Client.Update(ctx, c)
	})
}

func hashOf(secret []byte) string {
	sum := sha256.Sum256(secret)
	return "sha256:" + base64.RawURLEncoding.EncodeToString(sum[:])
}

func TestMakesASecretAndTellsOnlyItsHash(t *testing.T) {
	w := newWorld(t, true)
	c := w.declare("checkout")
	if says := w.becomes(c, "ClientSecretIssued", 1); !strings.Contains(says, w.namespace+"/checkout-oauth") {
		t.Errorf("the condition says %q", says)
	}
	s := w.secret("checkout-oauth")
	if len(s.Data) != 2 || string(s.Data["client-id"]) != w.namespace+"/checkout" || len(s.Data["client-secret"]) != 43 {
		t.Errorf("the Secret has %d keys, client-id %q, and a client-secret of %d characters", len(s.Data), s.Data["client-id"], len(s.Data["client-secret"]))
	}
	if diff := cmp.Diff(hashOf(s.Data["client-secret"]), c.Status.ClientSecrets[0].Hash); diff != "" {
		t.Errorf("hash (-want +got):\n%s", diff)
	}
	if life := c.Status.ClientSecrets[0].ExpiresAt.Sub(c.Status.ClientSecrets[0].CreatedAt.Time); life != 720*time.Hour {
		t.Errorf("it lives for %s; want 30 days", life)
	}
	if owner := metav1.GetControllerOf(s); owner == nil || owner.UID != c.UID {
		t.Errorf("the Secret's owner is %v; want the client, so that both end together", owner)
	}
	// The controller that judges the client has written the status at the same moment.
	// That did not cost a secret.
	if made := w.made.Load(); made != 1 {
		t.Errorf("%d secrets were made; want one", made)
	}
	// Both controllers look again; neither takes away what the other wrote.
	version := s.ResourceVersion
	w.nudge(c, nil)
	w.becomes(c, "ClientSecretIssued", 1)
	testenv.Eventually(t, func(ctx context.Context) error {
		if err := env.Client.Get(ctx, client.ObjectKeyFromObject(c), c); err != nil || c.Status.ObservedGeneration != c.Generation {
			return fmt.Errorf("generation %d, observed %d: %w", c.Generation, c.Status.ObservedGeneration, err)
		}
		return nil
	})
	if c.Status.ClientID == "" || len(c.Status.ClientSecrets) != 1 {
		t.Errorf("status: %+v", c.Status)
	}
	if got := w.secret("checkout-oauth").ResourceVersion; got != version {
		t.Errorf("looking at the Secret changed it: version %s, then %s", version, got)
	}
}

func TestADeletedSecretIsMadeAnewAndTheOlderWorksOn(t *testing.T) {
	w := newWorld(t, true)
	c := w.declare("checkout")
	w.becomes(c, "ClientSecretIssued", 1)
	first := w.secret("checkout-oauth")
	w.remove(first)
	w.nudge(c, nil)
	w.becomes(c, "ClientSecretIssued", 2)
	second := w.secret("checkout-oauth")
	want := []string{hashOf(second.Data["client-secret"]), hashOf(first.Data["client-secret"])}
	if diff := cmp.Diff(want, []string{c.Status.ClientSecrets[0].Hash, c.Status.ClientSecrets[1].Hash}); diff != "" {
		t.Errorf("hashes (-want +got):\n%s", diff)
	}

	// The next is due: a third takes the place of the oldest, in the same Secret.
	w.clock.add(481 * time.Hour)
	w.nudge(c, nil)
	third := &corev1.Secret{}
	testenv.Eventually(t, func(ctx context.Context) error {
		if err := env.Client.Get(ctx, client.ObjectKeyFromObject(second), third); err != nil {
			return err
		}
		if bytes.Equal(third.Data["client-secret"], second.Data["client-secret"]) {
			return errors.New("the Secret is still as it was")
		}
		return nil
	})
	if third.UID != second.UID {
		t.Error("the Secret was replaced, not changed")
	}
	testenv.Eventually(t, func(ctx context.Context) error {
		if err := errors.Join(env.Client.Get(ctx, client.ObjectKeyFromObject(c), c), env.Client.Get(ctx, client.ObjectKeyFromObject(third), third)); err != nil {
			return err
		}
		want = []string{hashOf(third.Data["client-secret"]), hashOf(second.Data["client-secret"])}
		if diff := cmp.Diff(want, []string{c.Status.ClientSecrets[0].Hash, c.Status.ClientSecrets[1].Hash}); diff != "" {
			return fmt.Errorf("hashes (-want +got):\n%s", diff)
		}
		return nil
	})

	// And not listed any more, none works, at once.
	w.nudge(c, func(c *v1alpha1.OAuthClient) {
		c.Spec.Authentication = v1alpha1.ClientAuthentication{ServiceAccounts: []v1alpha1.ServiceAccountCredential{{Name: "x"}}}
	})
	testenv.Eventually(t, func(ctx context.Context) error {
		if err := env.Client.Get(ctx, client.ObjectKeyFromObject(c), c); err != nil || len(c.Status.ClientSecrets) > 0 ||
			meta.FindStatusCondition(c.Status.Conditions, v1alpha1.ConditionClientSecret) != nil {
			return fmt.Errorf("%d secrets, %v, %w", len(c.Status.ClientSecrets), c.Status.Conditions, err)
		}
		return nil
	})
	w.tellsNothing(c, first, second, third)
}

// tellsNothing looks for the secrets in everything that others can read.
func (w world) tellsNothing(c *v1alpha1.OAuthClient, secrets ...*corev1.Secret) {
	w.Helper()
	var events eventsv1.EventList
	testenv.Eventually(w.T, func(ctx context.Context) error {
		err := env.Client.List(ctx, &events, client.InNamespace(w.namespace))
		reasons := ""
		for _, e := range events.Items {
			reasons += e.Reason + " "
		}
		if !strings.Contains(reasons, "ClientSecretIssued") || !strings.Contains(reasons, "ClientSecretsEnded") {
			return fmt.Errorf("events: %s %w", reasons, err)
		}
		return nil
	})
	if !strings.Contains(log.String(), "clientsecret") {
		w.Error("the log says nothing of the controller; is it captured?")
	}
	told := log.String() + fmt.Sprintf("%+v %+v", events, c)
	for i, s := range secrets {
		plain := string(s.Data["client-secret"])
		for _, form := range []string{plain, base64.StdEncoding.EncodeToString([]byte(plain))} {
			if strings.Contains(told, form[:20]) {
				w.Errorf("secret %d stands in the log, an event or the client", i)
			}
		}
	}
}

func TestRefusesASecretThatIsNotOurs(t *testing.T) {
	w := newWorld(t, true)
	for name, labels := range map[string]map[string]string{
		"plain": nil, "labelled": {"app": "x"}, "of-another": {v1alpha1.LabelOAuthClientUID: "1b4e28ba-2fa1-11d2-883f-0016d3cca427"},
	} {
		t.Run(name, func(t *testing.T) {
			w := w
			w.T = t
			theirs := &corev1.Secret{ObjectMeta: w.meta(name + "-oauth"), Data: map[string][]byte{"client-secret": []byte("theirs")}}
			theirs.Labels = labels
			if err := env.Client.Create(t.Context(), theirs); err != nil {
				t.Fatal(err)
			}
			c := w.declare(name)
			w.becomes(c, v1alpha1.ReasonSecretNameInUse, 0)
			if now := w.secret(theirs.Name); now.ResourceVersion != theirs.ResourceVersion {
				t.Error("somebody else's Secret was changed")
			}
			w.remove(theirs)
			w.becomes(c, "ClientSecretIssued", 1) // by itself, in seconds
		})
	}
}

// An owner can make the Secret immutable. That is said, and what works goes on.
func TestAnImmutableSecretIsSaid(t *testing.T) {
	w := newWorld(t, true)
	c := w.declare("checkout")
	w.becomes(c, "ClientSecretIssued", 1)
	s := w.secret("checkout-oauth")
	s.Immutable = new(true)
	if err := env.Client.Update(t.Context(), s); err != nil {
		t.Fatal(err)
	}
	w.clock.add(481 * time.Hour)
	w.nudge(c, nil)
	if says := w.becomes(c, v1alpha1.ReasonRejected, 1); !strings.Contains(says, "immutable") {
		t.Errorf("the condition says %q", says)
	}
}

func TestSwitchedOffSaysSoAndTouchesNothing(t *testing.T) {
	w := newWorld(t, false)
	c := w.declare("checkout")
	if says := w.becomes(c, v1alpha1.ReasonClientSecretsDisabled, 0); !strings.Contains(says, "--client-secrets") {
		t.Errorf("the condition says %q", says)
	}
	err := env.Client.Get(t.Context(), client.ObjectKey{Namespace: w.namespace, Name: "checkout-oauth"}, &corev1.Secret{})
	if !apierrors.IsNotFound(err) {
		t.Errorf("a Secret was made: %v", err)
	}
}

// What a thief of the controller's token could not do, although it may create and patch.
func TestRefusesTheControllerEveryOtherSecret(t *testing.T) {
	w := newWorld(t, true)
	theirs := &corev1.Secret{ObjectMeta: w.meta("theirs"), Data: map[string][]byte{"password": []byte("x")}}
	if err := env.Client.Create(t.Context(), theirs); err != nil {
		t.Fatal(err)
	}
	own := env.ClientOf(t, w.user)
	labelled := metav1.ObjectMeta{Namespace: w.namespace, Name: "token", Labels: map[string]string{v1alpha1.LabelOAuthClientUID: "x"}, Annotations: map[string]string{"kubernetes.io/service-account.name": "default"}}
	patch := func(body string) error {
		return own.Patch(t.Context(), theirs.DeepCopy(), client.RawPatch("application/merge-patch+json", []byte(body)))
	}
	for doing, err := range map[string]error{
		"read a Secret":                   own.Get(t.Context(), client.ObjectKeyFromObject(theirs), &corev1.Secret{}),
		"list Secrets":                    own.List(t.Context(), &corev1.SecretList{}),
		"delete a Secret":                 own.Delete(t.Context(), theirs.DeepCopy()),
		"create one without the label":    own.Create(t.Context(), &corev1.Secret{ObjectMeta: w.meta("new")}),
		"have a token made":               own.Create(t.Context(), &corev1.Secret{ObjectMeta: labelled, Type: corev1.SecretTypeServiceAccountToken}),
		"be shown one by an empty patch":  patch(`{}`),
		"overwrite one":                   patch(`{"data":{"password":"eQ=="}}`),
		"overwrite one by labelling it":   patch(`{"metadata":{"labels":{"lanyard.dev/oauth-client-uid":"x"}},"data":{"password":"eQ=="}}`),
		"make one in Lanyard's namespace": own.Create(t.Context(), &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: "lanyard-system", Name: "new"}}),
	} {
		if !apierrors.IsForbidden(err) && (!apierrors.IsInvalid(err) || !strings.Contains(err.Error(), "lanyard-controller-client-secrets")) {
			t.Errorf("the controller may %s: err = %v; want a refusal", doing, err)
		}
	}
}

// counted is randomness that counts how often it was asked for.
type counted struct{ times *atomic.Int32 }

func (c counted) Read(p []byte) (int, error) {
	c.times.Add(1)
	return rand.Read(p)
}

// clock is the time of day, moved on.
type clock struct {
	mu    sync.Mutex
	ahead time.Duration
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return time.Now().Add(c.ahead)
}

func (c *clock) add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ahead += d
}

type safeBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *safeBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *safeBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}
