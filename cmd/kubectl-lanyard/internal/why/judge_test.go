package why

import (
	"context"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/lanyard-dev/lanyard/api/v1alpha1"
	"github.com/lanyard-dev/lanyard/issuer/oauth"
	"github.com/lanyard-dev/lanyard/issuer/rules"
)

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func at(d time.Duration) metav1.Time { return metav1.Time{Time: noon.Add(d)} }

func named(namespace, name string) metav1.ObjectMeta {
	return metav1.ObjectMeta{Namespace: namespace, Name: name, CreationTimestamp: at(-24 * time.Hour), Generation: 1, UID: types.UID(namespace + name)}
}

func ready(ok bool, reason string) []metav1.Condition {
	status := metav1.ConditionFalse
	if ok {
		status = metav1.ConditionTrue
	}
	return []metav1.Condition{{Type: v1alpha1.ConditionReady, Status: status, Reason: reason, Message: "as reported", ObservedGeneration: 1}}
}

// newWorld is a world in which shop/checkout gets a token for api://orders.
func newWorld(change func(*world)) *world {
	c := &v1alpha1.OAuthClient{ObjectMeta: named("shop", "checkout")}
	c.Spec.GrantTypes = []v1alpha1.GrantType{"client_credentials", "tls_client_auth"}
	c.Spec.TokenBinding = v1alpha1.TokenBindingMTLS
	c.Spec.Authentication.ServiceAccounts = []v1alpha1.ServiceAccountCredential{{Name: "checkout"}}
	c.Spec.Authentication.Certificate = &v1alpha1.CertificateCredential{Methods: []v1alpha1.CertificateMethod{v1alpha1.MethodTLSClientAuth}}
	c.Spec.Roles = []v1alpha1.RoleReference{{Namespace: "orders", Name: "read"}}
	c.Status.Conditions = ready(true, v1alpha1.ReasonReady)
	c.Status.Roles = []v1alpha1.ClientRoleStatus{{Namespace: "orders", Name: "read", State: v1alpha1.RoleGranted, Identifier: "api://orders", Value: "Read"}}
	r := &v1alpha1.ProtectedResource{ObjectMeta: named("orders", "orders")}
	r.Spec.Identifier = "api://orders"
	r.Status.Conditions = ready(true, v1alpha1.ReasonReady)
	role := &v1alpha1.AppRole{ObjectMeta: named("orders", "read")}
	role.Spec.ResourceRef.Name, role.Spec.Value = "orders", "Read"
	a := &v1alpha1.AppRoleAssignment{ObjectMeta: named("orders", "checkout-reads")}
	a.Spec.RoleRef.Name, a.Spec.Decision = "read", v1alpha1.DecisionApproved
	a.Spec.ClientRef = &v1alpha1.ClientReference{Namespace: "shop", Name: "checkout"}
	cc := &v1alpha1.ClientCertificate{ObjectMeta: named("shop", "checkout")}
	cc.Spec.ClientRef.Name = "checkout"
	cc.Status.Pins = []v1alpha1.Pin{{Thumbprint: "x", NotBefore: at(-time.Hour), NotAfter: at(time.Hour), State: v1alpha1.PinCurrent}}
	w := &world{
		key: types.NamespacedName{Namespace: "shop", Name: "checkout"}, client: c, clients: []*v1alpha1.OAuthClient{c},
		identifier: "api://orders", resource: r, resources: []*v1alpha1.ProtectedResource{r},
		namespaces:   []*rules.Namespace{rules.ParseNamespace("shop", nil, nil), rules.ParseNamespace("orders", nil, nil)},
		certificates: []*v1alpha1.ClientCertificate{cc},
		accounts:     map[string]*corev1.ServiceAccount{"checkout": {ObjectMeta: named("shop", "checkout")}},
		pods:         []corev1.Pod{{ObjectMeta: named("shop", "checkout-1"), Spec: corev1.PodSpec{ServiceAccountName: "checkout"}}},
		roles:        []*v1alpha1.AppRole{role}, assignments: []*v1alpha1.AppRoleAssignment{a},
		unseen: map[part]string{}, clusterDomain: "cluster.local",
	}
	change(w)
	return w
}

func ask(w *world, change func(*question)) *Report {
	q := &question{client: w.key, resource: "api://orders", grantType: oauth.GrantClientCredentials}
	if change != nil {
		change(q)
	}
	return judge(context.Background(), q, w, noon)
}

// notPassed are the verdicts of the steps that did not pass.
func notPassed(r *Report) map[string]Verdict {
	out := map[string]Verdict{}
	for _, s := range r.Steps {
		if s.Verdict != Passed {
			out[s.Name] = s.Verdict
		}
	}
	return out
}

// unseeResource is what a client's owner sees: nothing of the API's namespace.
func unseeResource(w *world) {
	w.resource, w.resources, w.roles, w.assignments = nil, nil, nil, nil
	w.namespaces = w.namespaces[:1]
	w.unseen[theResource], w.unseen[otherResources] = "needs permission", "needs permission"
}

func TestWhatMayNotBeReadIsUnknown(t *testing.T) {
	reported := func(state v1alpha1.RoleState) func(*world) {
		return func(w *world) { unseeResource(w); w.client.Status.Roles[0].State = state }
	}
	unseen := func(parts ...part) func(*world) {
		return func(w *world) {
			for _, p := range parts {
				w.unseen[p] = "needs permission"
			}
		}
	}
	hidden := map[string]Verdict{"resource": Unknown, "roles": Unknown, "suspension": Unknown}
	refused := map[string]Verdict{"resource": Unknown, "roles": Refused, "suspension": Unknown}
	tests := map[string]struct {
		change  func(*world)
		want    map[string]Verdict
		outcome Outcome
	}{
		"all of it may be read":                              {func(*world) {}, map[string]Verdict{}, TokenGranted},
		"the API's namespace, and the status is good":        {reported(v1alpha1.RoleGranted), hidden, TokenUnknown},
		"the API's namespace, and the status says pending":   {reported(v1alpha1.RolePending), refused, TokenRefused},
		"the API's namespace, and the status says denied":    {reported(v1alpha1.RoleDenied), refused, TokenRefused},
		"the API's namespace, and the status says expired":   {reported(v1alpha1.RoleExpired), refused, TokenRefused},
		"the API's namespace, and the status says not found": {reported(v1alpha1.RoleNotFound), refused, TokenRefused},
		"the API's namespace, of which the status knows nothing": {
			func(w *world) { unseeResource(w); w.client.Status.Roles = nil },
			map[string]Verdict{"resource": Unknown, "roles": NotReached, "suspension": NotReached, "binding": NotReached, "lifetime": NotReached},
			TokenUnknown,
		},
		"the API's namespace, of a client that is bound to nothing": {
			func(w *world) { unseeResource(w); w.client.Spec.TokenBinding = v1alpha1.TokenBindingNone },
			map[string]Verdict{"resource": Unknown, "roles": Unknown, "suspension": Unknown, "binding": Unknown},
			TokenUnknown,
		},
		"the assignments":                         {unseen(theAssignments), map[string]Verdict{"roles": Unknown}, TokenUnknown},
		"other resources, and the status is good": {unseen(otherResources), map[string]Verdict{}, TokenGranted},
		"other resources, and the status is older than the resource": {
			func(w *world) { unseen(otherResources)(w); w.resource.Generation = 2 }, map[string]Verdict{"resource": Unknown}, TokenUnknown,
		},
		"other resources, and the status speaks of a conflict": {
			func(w *world) {
				unseen(otherResources)(w)
				w.resource.Status.Conditions = ready(false, v1alpha1.ReasonConflict)
			},
			map[string]Verdict{"resource": Refused, "suspension": NotReached},
			TokenRefused,
		},
		"the client's namespace, and its status says that it is suspended": {
			func(w *world) {
				unseen(theClientsNamespace)(w)
				w.client.Status.Conditions = ready(false, v1alpha1.ReasonNamespaceSuspended)
			},
			map[string]Verdict{"client": Refused},
			TokenRefused,
		},
		"the client's namespace, and there is no status": {
			func(w *world) { unseen(theClientsNamespace)(w); w.client.Status.Conditions = nil }, map[string]Verdict{"client": Unknown}, TokenUnknown,
		},
		"the certificates": {
			func(w *world) { unseen(theCertificates)(w); w.certificates = nil }, map[string]Verdict{"binding": Unknown}, TokenUnknown,
		},
		"the pods": {
			func(w *world) { unseen(thePods)(w); w.pods = nil; w.client.Spec.Authentication.Certificate = nil },
			map[string]Verdict{"authentication": Unknown},
			TokenUnknown,
		},
		"the service accounts": {
			func(w *world) {
				unseen(theAccounts)(w)
				w.accounts = nil
				w.client.Spec.Authentication.Certificate = nil
			}, map[string]Verdict{"authentication": Unknown}, TokenUnknown,
		},
		"the client": {
			func(w *world) { unseen(theClient)(w); w.client = nil },
			map[string]Verdict{
				"client": Unknown, "authentication": NotReached, "grant type": NotReached, "roles": Unknown,
				"certificate": NotReached, "binding": NotReached, "lifetime": NotReached,
			},
			TokenUnknown,
		},
	}
	for sentence, test := range tests {
		t.Run(sentence, func(t *testing.T) {
			r := ask(newWorld(test.change), nil)
			if diff := cmp.Diff(test.want, notPassed(r)); diff != "" || r.Outcome != test.outcome {
				t.Errorf("outcome %s, want %s; steps that do not pass (-want +got):\n%s", r.Outcome, test.outcome, diff)
			}
			if (r.Token != nil) && r.Outcome == TokenRefused {
				t.Error("a token is shown that nobody gets")
			}
		})
	}
}

func TestCredentials(t *testing.T) {
	onlyAccount := func(change func(*world)) func(*world) {
		return func(w *world) { w.client.Spec.Authentication.Certificate = nil; change(w) }
	}
	onlyCertificate := func(change func(*world)) func(*world) {
		return func(w *world) { w.client.Spec.Authentication.ServiceAccounts = nil; change(w) }
	}
	tests := map[string]struct {
		change  func(*world)
		ask     func(*question)
		works   bool
		message string // of authentication
	}{
		"a pod that lives": {onlyAccount(func(*world) {}), nil, true, "by serviceAccount checkout: the token of pod checkout-1, which lives"},
		"a pod that lives beside one that failed": {onlyAccount(func(w *world) {
			failed := *w.pods[0].DeepCopy()
			failed.Name, failed.UID, failed.Status.Phase = "checkout-0", "0", corev1.PodFailed
			w.pods = append([]corev1.Pod{failed}, w.pods...)
		}), nil, true, "by serviceAccount checkout: the token of pod checkout-1, which lives (one of 2)"},
		"a pod that has succeeded": {
			onlyAccount(func(w *world) { w.pods[0].Status.Phase = corev1.PodSucceeded }), nil, false,
			"serviceAccount checkout: pod checkout-1: " + reasonSentence("pod_gone"),
		},
		"a pod that still drains": {onlyAccount(func(w *world) { end := at(time.Second); w.pods[0].DeletionTimestamp = &end }), nil, true, "by serviceAccount checkout: the token of pod checkout-1, which lives"},
		"a pod whose grace period has passed": {
			onlyAccount(func(w *world) { end := at(0); w.pods[0].DeletionTimestamp = &end }), nil, false,
			"serviceAccount checkout: pod checkout-1: " + reasonSentence("pod_deleted"),
		},
		"no pod": {
			onlyAccount(func(w *world) { w.pods = nil }), nil, false,
			"serviceAccount checkout: no pod runs as service account checkout, and its token must be bound to a living one (boundTo: Pod); start one, or set boundTo: Any",
		},
		"no pod, where none is needed": {
			onlyAccount(func(w *world) {
				w.pods = nil
				w.client.Spec.Authentication.ServiceAccounts[0].BoundTo = v1alpha1.BoundToAny
			}), nil, true,
			"by serviceAccount checkout: a token that is bound to no pod, as boundTo: Any allows",
		},
		"no service account": {
			onlyAccount(func(w *world) { w.accounts = nil }), nil, false,
			"serviceAccount checkout: there is no ServiceAccount checkout in namespace shop; create it, or correct spec.authentication.serviceAccounts",
		},
		"a service account that is not listed": {
			func(*world) {}, func(q *question) { q.serviceAccount = "other" }, false, "serviceAccount other: " + reasonSentence("service_account_not_listed"),
		},
		"only injected pods": {
			onlyAccount(func(w *world) {
				w.client.Spec.Authentication.ServiceAccounts[0].Admission = v1alpha1.AdmissionRequired
			}), nil, false,
			"serviceAccount checkout: pod checkout-1: " + reasonSentence("pod_not_admitted"),
		},
		"a pin": {onlyCertificate(func(*world) {}), nil, true, "by certificate checkout: pin x (Current) works by tls_client_auth, until 2026-03-01T13:00:00Z"},
		"a pin that has ended": {
			onlyCertificate(func(w *world) { w.certificates[0].Status.Pins[0].NotAfter = at(0) }), nil, false,
			"certificate checkout: pin x (Current) works no more: it was distrusted, replaced or has ended 2026-03-01T12:00:00Z",
		},
		"a certificate that was never made": {
			onlyCertificate(func(w *world) {
				w.certificates[0].Status.Pins = nil
				w.certificates[0].Status.Conditions = ready(false, v1alpha1.ReasonIssuanceFailed)
			}), nil, false, "certificate checkout: nothing is pinned (IssuanceFailed): as reported",
		},
		"another certificate": {
			onlyCertificate(func(*world) {}), func(q *question) { q.peer.Thumbprint = "y" }, false,
			"certificate y: " + reasonSentence("certificate_not_pinned_or_method_not_listed"),
		},
		"no certificate at all": {
			onlyCertificate(func(w *world) { w.certificates = nil }), nil, false,
			"certificate: no ClientCertificate names the client; create one with spec.clientRef checkout",
		},
		"the grant tls_client_auth, by certificate alone": {
			func(*world) {}, func(q *question) { q.grantType = oauth.GrantTLSClientAuth }, true,
			"by certificate checkout: pin x (Current) works by tls_client_auth, until 2026-03-01T13:00:00Z",
		},
		"nothing listed": {
			onlyAccount(func(w *world) { w.client.Spec.Authentication.ServiceAccounts = nil }), nil, false,
			"nothing: the client's spec.authentication lists no way that works with this grant; list a service account or the methods of its certificates",
		},
	}
	for sentence, test := range tests {
		t.Run(sentence, func(t *testing.T) {
			r := ask(newWorld(test.change), test.ask)
			for _, s := range r.Steps {
				if s.Name == stepAuthentication {
					if diff := cmp.Diff(test.message, s.Message); diff != "" || (s.Verdict == Passed) != test.works {
						t.Errorf("%s (-want +got):\n%s", s.Verdict, diff)
					}
					if !test.works && s.Number != int(oauth.ErrIdentity) {
						t.Errorf("the number is %d", s.Number)
					}
				}
			}
		})
	}
}

// Of two clients of one client id the older has it.
func TestAClientIDThatIsHeld(t *testing.T) {
	held := newWorld(func(w *world) {
		w.client.Spec.ClientID = "legacy"
		other := w.client.DeepCopy()
		other.Name, other.CreationTimestamp = "older", at(-48*time.Hour)
		w.clients = append(w.clients, other)
		w.namespaces[0] = rules.ParseNamespace("shop", nil, map[string]string{v1alpha1.AnnotationClientIDs: "legacy"})
	})
	r := ask(held, nil)
	want := Step{
		Name: "client", Verdict: Refused, Number: int(oauth.ErrIdentity),
		Message: `client id "legacy" is held by the older OAuthClient shop/older; give this one another spec.clientID`,
	}
	if diff := cmp.Diff(want, r.Steps[1]); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	held.unseen[otherClients], held.clients = "needs permission", held.clients[:1]
	held.client.Status.Conditions = ready(false, v1alpha1.ReasonConflict)
	if r := ask(held, nil); r.Outcome != TokenRefused || r.Steps[1].Verdict != Refused {
		t.Errorf("what the status says of a conflict is passed over: %+v", r.Steps[1])
	}
}

func TestASecretThatLives(t *testing.T) {
	w := newWorld(func(w *world) {
		w.client.Spec.Authentication = v1alpha1.ClientAuthentication{ClientSecret: &v1alpha1.ClientSecretCredential{
			Methods: []v1alpha1.ClientSecretMethod{v1alpha1.MethodClientSecretBasic}, SecretName: "checkout-secret",
		}}
		w.client.Status.ClientSecrets = []v1alpha1.ClientSecretStatus{{Hash: "sha256:abc", ExpiresAt: at(5 * time.Minute)}}
	})
	r := ask(w, nil)
	if r.Token == nil || r.Token.ExpiresIn != "5m0s" || r.Token.LimitedBy != string(rules.LimitCredential) {
		t.Errorf("the token %+v does not end with the secret", r.Token)
	}
	w.client.Status.ClientSecrets[0].ExpiresAt = at(0)
	if r := ask(w, nil); r.Outcome != TokenRefused || r.Refusal.Number != int(oauth.ErrIdentity) {
		t.Errorf("a secret that has ended: %s %+v", r.Outcome, r.Refusal)
	}
}

func TestFindAmongResourcesOfOneName(t *testing.T) {
	c := newWorld(func(*world) {}).client
	resource := func(namespace string) *v1alpha1.ProtectedResource {
		p := &v1alpha1.ProtectedResource{ObjectMeta: named(namespace, "orders")}
		p.Spec.Identifier = "api://" + namespace
		return p
	}
	all := []*v1alpha1.ProtectedResource{resource("other"), resource("orders"), resource("third")}
	tests := map[string]struct {
		typed string
		all   []*v1alpha1.ProtectedResource
		want  []string
	}{
		"by identifier":                      {"api://third", all, []string{"third"}},
		"by namespace and name":              {"other/orders", all, []string{"other"}},
		"by name, where it asks for a role":  {"orders", all, []string{"orders"}},
		"by name, of its own namespace":      {"orders", append([]*v1alpha1.ProtectedResource{resource("shop")}, all...), []string{"shop"}},
		"by name, of many that are all near": {"orders", []*v1alpha1.ProtectedResource{all[0], all[2]}, []string{"other", "third"}},
		"by nothing":                         {"", all, nil},
	}
	for sentence, test := range tests {
		t.Run(sentence, func(t *testing.T) {
			var got []string
			for _, p := range find(test.typed, c, test.all) {
				got = append(got, p.Namespace)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestNamespaceOf(t *testing.T) {
	for identifier, want := range map[string]string{
		"api://orders": "orders", "api://orders/v2": "orders", "https://api.orders.svc": "orders",
		"https://api.orders.svc.cluster.local:8443/x": "orders", "https://pay.example": "", "urn:x:y": "", "::": "",
	} {
		if got := namespaceOf(identifier); got != want {
			t.Errorf("namespaceOf(%q) = %q, want %q", identifier, got, want)
		}
	}
}
