package status

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/lanyard-dev/lanyard/api/v1alpha1"
	"github.com/lanyard-dev/lanyard/cmd/kubectl-lanyard/internal/cli"
)

var noon = time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)

func at(d time.Duration) metav1.Time { return metav1.Time{Time: noon.Add(d)} }

func ready(status metav1.ConditionStatus, reason, message string) []metav1.Condition {
	return []metav1.Condition{{Type: v1alpha1.ConditionReady, Status: status, Reason: reason, Message: message}}
}

// checkout is a client that works, with a certificate that does.
func checkout() clientFacts {
	c := &v1alpha1.OAuthClient{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "checkout", Generation: 2}}
	c.Spec.TokenBinding = v1alpha1.TokenBindingMTLS
	c.Spec.Authentication.Certificate = &v1alpha1.CertificateCredential{Methods: []v1alpha1.CertificateMethod{v1alpha1.MethodTLSClientAuth}}
	c.Status = v1alpha1.OAuthClientStatus{ObservedGeneration: 2, ClientID: "shop/checkout", Conditions: ready("True", "Ready", "")}
	cc := v1alpha1.ClientCertificate{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "mtls", Generation: 1}}
	cc.Spec.ClientRef.Name = "checkout"
	cc.Spec.PEM = "x"
	cc.Status = v1alpha1.ClientCertificateStatus{ObservedGeneration: 1, Conditions: ready("True", "Ready", ""), Pins: []v1alpha1.Pin{
		{Thumbprint: "current", State: v1alpha1.PinCurrent, NotBefore: at(-time.Hour), NotAfter: at(time.Hour)},
	}}
	return clientFacts{client: c, certificates: []v1alpha1.ClientCertificate{cc}}
}

func TestClientProblems(t *testing.T) {
	tests := map[string]struct {
		edit func(*clientFacts)
		want []string
	}{
		"all is well": {func(*clientFacts) {}, nil},
		"a condition that is False": {
			func(f *clientFacts) {
				f.client.Status.Conditions = ready("False", "Suspended", "spec.suspend is true")
			},
			[]string{"Ready is False (Suspended): spec.suspend is true"},
		},
		"a role that waits": {
			func(f *clientFacts) {
				f.client.Status.Conditions = append(f.client.Status.Conditions, metav1.Condition{Type: v1alpha1.ConditionRolesGranted, Status: "False", Reason: "RolesPending", Message: "0 of 1"})
			},
			[]string{"RolesGranted is False (RolesPending): 0 of 1"},
		},
		"a renewal is none": {
			func(f *clientFacts) {
				s := &f.certificates[0].Status
				s.Conditions = append(s.Conditions, metav1.Condition{Type: v1alpha1.ConditionIssuing, Status: "False", Reason: "Issued"})
			}, nil,
		},
		"a client that the controller has not seen": {
			func(f *clientFacts) { f.client.Status = v1alpha1.OAuthClientStatus{} },
			[]string{"Lanyard's controller has not seen the object yet; if this stays so, see kubectl lanyard check"},
		},
		"a change that the controller has not seen": {
			func(f *clientFacts) { f.client.Generation = 3 },
			[]string{"Lanyard's controller has not seen the newest change yet; what is shown is older"},
		},
		"a certificate that is not ready": {
			func(f *clientFacts) {
				f.certificates[0].Status.Conditions = ready("False", "SecretNameInUse", "take another")
			},
			[]string{"ClientCertificate/mtls: Ready is False (SecretNameInUse): take another"},
		},
		"another client's certificate says nothing": {
			func(f *clientFacts) {
				other := f.certificates[0].DeepCopy()
				other.Spec.ClientRef.Name, other.Status.Conditions = "cart", ready("False", "x", "y")
				f.certificates = append(f.certificates, *other)
			}, nil,
		},
		"no pin that works": {
			func(f *clientFacts) { f.certificates[0].Status.Pins[0].NotAfter = at(0) },
			[]string{"tokens cannot be bound (spec.tokenBinding is MTLS), and no certificate can authenticate the client: no certificate that works is pinned to it; see its ClientCertificates above"},
		},
		"only pins that are distrusted": {
			func(f *clientFacts) { f.certificates[0].Spec.Distrust = []v1alpha1.Thumbprint{"current"} },
			[]string{"tokens cannot be bound (spec.tokenBinding is MTLS), and no certificate can authenticate the client: no certificate that works is pinned to it; see its ClientCertificates above"},
		},
		"no certificate at all": {
			func(f *clientFacts) { f.certificates, f.client.Spec.Authentication.Certificate = nil, nil },
			[]string{"tokens cannot be bound (spec.tokenBinding is MTLS): no certificate that works is pinned to it; create a ClientCertificate with clientRef checkout"},
		},
		"none is needed": {
			func(f *clientFacts) {
				f.certificates, f.client.Spec.Authentication.Certificate = nil, nil
				f.client.Spec.TokenBinding = v1alpha1.TokenBindingDPoP
			}, nil,
		},
		"a subject rule pins nothing, and needs not": {
			func(f *clientFacts) {
				f.certificates[0].Status.Pins = nil
				f.certificates[0].Spec.PEM, f.certificates[0].Spec.Subject = "", &v1alpha1.SubjectSource{}
			}, nil,
		},
	}
	for sentence, test := range tests {
		t.Run(sentence, func(t *testing.T) {
			f := checkout()
			test.edit(&f)
			var got []string
			for _, p := range reportClient(f, noon).Problems {
				got = append(got, strings.TrimPrefix(p.Object+": "+p.Message, ": "))
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("problems (-want +got):\n%s", diff)
			}
		})
	}
}

func TestPinsSayWhetherTheyWork(t *testing.T) {
	retires := at(10 * time.Minute)
	tests := map[string]struct {
		pin       v1alpha1.Pin
		distrust  v1alpha1.Thumbprint
		text, end string
	}{
		"one in use": {v1alpha1.Pin{State: v1alpha1.PinCurrent, NotBefore: at(-time.Hour), NotAfter: at(23 * time.Hour)}, "", "Current", "in 23h"},
		"one that was replaced ends with its overlap": {v1alpha1.Pin{State: v1alpha1.PinPrevious, NotBefore: at(-time.Hour), NotAfter: at(23 * time.Hour), RetiresAt: &retires}, "", "Previous", "in 10m"},
		"one that has ended":                          {v1alpha1.Pin{State: v1alpha1.PinCurrent, NotBefore: at(-time.Hour), NotAfter: at(-5 * time.Minute)}, "", "Current, not valid now", "5m ago"},
		"one that is to come":                         {v1alpha1.Pin{State: v1alpha1.PinNext, NotBefore: at(time.Hour), NotAfter: at(23 * time.Hour)}, "", "Next, not valid now", "in 23h"},
		"a stolen one":                                {v1alpha1.Pin{State: v1alpha1.PinCurrent, Thumbprint: "t", NotBefore: at(-time.Hour), NotAfter: at(23 * time.Hour)}, "t", "Current, distrusted", "in 23h"},
	}
	for sentence, test := range tests {
		t.Run(sentence, func(t *testing.T) {
			f := checkout()
			f.certificates[0].Status.Pins = []v1alpha1.Pin{test.pin}
			if test.distrust != "" {
				f.certificates[0].Spec.Distrust = []v1alpha1.Thumbprint{test.distrust}
			}
			got := reportClient(f, noon).Certificates[0].Pins[0]
			if end := cli.When(got.Ends.Time, noon); got.text() != test.text || end != test.end {
				t.Errorf("%q, ends %s; want %q, ends %s", got.text(), end, test.text, test.end)
			}
		})
	}
}

func TestRolesSayWhoDecidedAsFarAsItMayBeRead(t *testing.T) {
	f := checkout()
	decidedAt := at(-time.Hour)
	f.client.Status.Roles = []v1alpha1.ClientRoleStatus{
		{Namespace: "orders", Name: "read", State: v1alpha1.RoleGranted, Assignment: "a", DecidedBy: "alice"},
		{Namespace: "bank", Name: "pay", State: v1alpha1.RoleDenied, Assignment: "b", DecidedBy: "bob"},
	}
	f.assignments = map[types.NamespacedName]*v1alpha1.AppRoleAssignment{
		{Namespace: "orders", Name: "a"}: {Spec: v1alpha1.AppRoleAssignmentSpec{DecidedBy: "alice", DecidedAt: &decidedAt, Reason: "history"}},
		{Namespace: "bank", Name: "b"}:   {}, // may not be read
	}
	got := reportClient(f, noon).Roles
	want := []role{
		{ClientRoleStatus: f.client.Status.Roles[0], DecidedAt: &decidedAt, Reason: "history"},
		{ClientRoleStatus: f.client.Status.Roles[1]},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("roles (-want +got):\n%s", diff)
	}
}

func TestEventsAreTheNewestWarningsOfTheObjects(t *testing.T) {
	var all []corev1.Event
	add := func(kind, name, reason, eventType string, last time.Duration, series int32) {
		e := corev1.Event{Type: eventType, Reason: reason, EventTime: metav1.MicroTime{Time: noon.Add(last - time.Hour)}}
		e.InvolvedObject.Kind, e.InvolvedObject.Name = kind, name
		if series > 0 {
			e.Series = &corev1.EventSeries{Count: series, LastObservedTime: metav1.MicroTime{Time: noon.Add(last)}}
		} else {
			e.LastTimestamp = at(last)
		}
		all = append(all, e)
	}
	add("OAuthClient", "checkout", "Older", "Warning", -2*time.Hour, 0)
	add("OAuthClient", "checkout", "Often", "Warning", -time.Minute, 7)
	add("OAuthClient", "checkout", "Fine", "Normal", 0, 0)
	add("OAuthClient", "cart", "Others", "Warning", 0, 0)
	add("ClientCertificate", "mtls", "Certificate", "Warning", -time.Hour, 0)
	for range 4 {
		add("OAuthClient", "checkout", "Old", "Warning", -3*time.Hour, 0)
	}
	add("OAuthClient", "checkout", "OfOneThatIsGone", "Warning", 0, 0)
	all[len(all)-1].InvolvedObject.UID = "gone"
	f := checkout()
	f.events = all
	var got []string
	for _, e := range reportClient(f, noon).Events {
		got = append(got, e.Reason+" "+cli.When(e.Last.Time, noon))
	}
	want := []string{"Often 60s ago", "Certificate 60m ago", "Older 120m ago", "Old 3h ago", "Old 3h ago"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
}
