package pod

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/lanyard-dev/lanyard/api/v1alpha1"
	"github.com/lanyard-dev/lanyard/controllers/injection"
)

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func TestDecide(t *testing.T) {
	at := func(seconds int) metav1.ObjectMeta {
		return metav1.ObjectMeta{Namespace: "shop", Name: "checkout", CreationTimestamp: metav1.NewTime(noon.Add(time.Duration(seconds) * time.Second))}
	}
	oauthClient := func(seconds int, binding v1alpha1.TokenBinding) *v1alpha1.OAuthClient {
		c := &v1alpha1.OAuthClient{ObjectMeta: at(seconds)}
		c.Spec.TokenBinding = binding
		c.Spec.Authentication.ServiceAccounts = []v1alpha1.ServiceAccountCredential{{Name: "checkout"}}
		return c
	}
	certificate := func(seconds int) []*v1alpha1.ClientCertificate {
		return []*v1alpha1.ClientCertificate{{ObjectMeta: at(seconds)}}
	}
	const mtls, none = v1alpha1.TokenBindingMTLS, v1alpha1.TokenBindingNone
	tests := map[string]struct {
		pod     facts
		age     time.Duration
		want    string // the reason; empty: nothing is wrong
		says    string
		again   bool
		guessed bool
	}{
		"no sidecar":                             {pod: facts{}, want: EventNotInjected, says: "Delete it"},
		"no client":                              {pod: facts{marked: true}, age: time.Minute, want: EventWaitsForClient, says: "OAuthClient shop/checkout, which does not exist"},
		"no client, for a moment":                {pod: facts{marked: true}, age: 9 * time.Second, again: true},
		"no certificate":                         {pod: facts{marked: true, known: injection.Known{Client: oauthClient(-60, mtls)}}, age: time.Minute, want: EventWaitsForCertificate, says: "has no ClientCertificate"},
		"no certificate, for a moment":           {pod: facts{marked: true, known: injection.Known{Client: oauthClient(55, mtls)}}, age: time.Minute, again: true},
		"no certificate, and none needed":        {pod: facts{marked: true, known: injection.Known{Client: oauthClient(-60, none)}}, age: time.Minute},
		"no certificate, and a Secret":           {pod: facts{marked: true, secret: "own", known: injection.Known{Client: oauthClient(-60, mtls)}}, age: time.Minute},
		"the certificate that it names":          {pod: facts{marked: true, certificate: "x", known: injection.Known{Client: oauthClient(-60, mtls)}}, age: time.Minute, want: EventWaitsForCertificate, says: "ClientCertificate shop/x, which"},
		"all was there before":                   {pod: facts{marked: true, known: injection.Known{Client: oauthClient(-1, mtls), Certificates: certificate(-1)}}, age: time.Minute},
		"the client came later":                  {pod: facts{marked: true, known: injection.Known{Client: oauthClient(5, mtls), Certificates: certificate(-1)}}, age: time.Minute, guessed: true},
		"the client came a moment ago":           {pod: facts{marked: true, known: injection.Known{Client: oauthClient(55, none)}}, age: time.Minute, again: true},
		"the client came, without a need of one": {pod: facts{marked: true, known: injection.Known{Client: oauthClient(5, none)}}, age: time.Minute, guessed: true},
		"the certificate came a moment ago":      {pod: facts{marked: true, known: injection.Known{Client: oauthClient(5, mtls), Certificates: certificate(55)}}, age: time.Minute, again: true},
		"all was there before, a moment ago":     {pod: facts{marked: true, known: injection.Known{Client: oauthClient(-1, mtls), Certificates: certificate(-1)}}, age: time.Second},
		"the certificate came later":             {pod: facts{marked: true, known: injection.Known{Client: oauthClient(-1, mtls), Certificates: certificate(5)}}, age: time.Minute, guessed: true},
		"all came within the same second":        {pod: facts{marked: true, known: injection.Known{Client: oauthClient(0, mtls), Certificates: certificate(0)}}, age: time.Minute, guessed: true},
		"the certificate that it names is":       {pod: facts{marked: true, certificate: "x", known: injection.Known{Client: oauthClient(-1, mtls), Named: certificate(5)[0]}}, age: time.Minute, guessed: true},
	}
	for sentence, test := range tests {
		t.Run(sentence, func(t *testing.T) {
			test.pod.namespace, test.pod.name, test.pod.client, test.pod.created = "shop", "checkout-1", "checkout", noon
			v := decide(test.pod, noon.Add(test.age))
			if v.reason != test.want || !strings.Contains(v.note, test.says) || v.again.IsZero() == test.again || v.guessed != test.guessed {
				t.Errorf("%+v", v)
			}
		})
	}
}

// Ten thousand broken pods of one owner: fifty events, and a metric that counts them all.
func TestRefusesToTellOfEveryPodOfACrowd(t *testing.T) {
	registry := prometheus.NewRegistry()
	gauge := prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "none", Help: "None."}, []string{"namespace"})
	registry.MustRegister(gauge)
	m := newMemory(gauge)
	const crowd = 10_000
	key := func(i int) types.NamespacedName {
		return types.NamespacedName{Namespace: "crowd", Name: fmt.Sprint("pod-", i)}
	}
	broken := problem{EventNotInjected, "none"}
	tells := func(i int) bool {
		return m.put(key(i), memo{uid: types.UID(fmt.Sprint(i)), problem: broken})
	}
	told := 0
	for range 3 { // the watch begins anew
		for i := range crowd {
			if tells(i) {
				told++
			}
		}
	}
	if told != most {
		t.Errorf("%d events; want %d", told, most)
	}
	if !m.put(types.NamespacedName{Namespace: "other", Name: "pod"}, memo{uid: "x", problem: broken}) {
		t.Error("another's pod is not told of")
	}
	counted := func() (in float64) {
		families, err := registry.Gather()
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range families {
			for _, metric := range f.Metric {
				if metric.Label[0].GetValue() == "crowd" {
					in = metric.Gauge.GetValue()
				}
			}
		}
		return in
	}
	if counted() != crowd {
		t.Errorf("%v are counted; want %d", counted(), crowd)
	}
	for i := range crowd {
		m.drop(key(i))
	}
	if counted() != 0 || len(m.told) != 1 || len(m.pods) != 1 {
		t.Errorf("%v are counted, and %d namespaces, %d pods remembered once they are gone", counted(), len(m.told), len(m.pods))
	}
	if !tells(1) {
		t.Error("a new pod is not told of")
	}
}

// One owner's thousand pods times a thousand certificates would be most of the controller's memory.
func TestRefusesToRememberACrowdOfCertificatesForEachPod(t *testing.T) {
	f := facts{known: injection.Known{Client: &v1alpha1.OAuthClient{}}}
	for i := range 1000 {
		f.known.Certificates = append(f.known.Certificates, &v1alpha1.ClientCertificate{ObjectMeta: metav1.ObjectMeta{UID: types.UID(fmt.Sprint(i))}})
	}
	before := f.stamp()
	if len(before) > 64 {
		t.Errorf("%d bytes are remembered of what a pod was compared with", len(before))
	}
	slices.Reverse(f.known.Certificates)
	if f.stamp() != before {
		t.Error("another order is taken for a change")
	}
	f.known.Certificates[0].Generation++
	if f.stamp() == before {
		t.Error("a change of one certificate is not noticed")
	}
}

func TestAProblemIsToldOnceForEachPod(t *testing.T) {
	m := newMemory(prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "none", Help: "None."}, []string{"namespace"}))
	key := types.NamespacedName{Namespace: "shop", Name: "web-0"}
	step := func(want bool, uid types.UID, p problem) {
		t.Helper()
		if told := m.put(key, memo{uid: uid, problem: p}); told != want {
			t.Errorf("%s %s: told %v", uid, p.reason, told)
		}
	}
	waits := problem{EventWaitsForClient, "a"}
	step(true, "1", waits)
	step(false, "1", waits)
	step(true, "1", problem{EventWaitsForClient, "b"})
	step(false, "1", problem{})
	step(true, "1", waits)
	step(true, "2", waits) // a StatefulSet's next
	m.drop(key)
	step(true, "2", waits)
}

func TestTheCacheKeepsLittleOfAPod(t *testing.T) {
	pod := metadata()
	pod.Labels = map[string]string{v1alpha1.LabelInject: "true", v1alpha1.LabelAdmitted: "checkout", "app": "shop"}
	pod.Annotations = map[string]string{v1alpha1.AnnotationClient: "checkout", v1alpha1.AnnotationConfig: strings.Repeat("x", 1<<18), v1alpha1.AnnotationCertificate: strings.Repeat("x", 1<<18)}
	pod.ManagedFields = []metav1.ManagedFieldsEntry{{}}
	if _, err := stripped(pod); err != nil || len(pod.Labels) != 2 || len(pod.Annotations) != 1 || pod.ManagedFields != nil {
		t.Errorf("%v, %d annotations", err, len(pod.Annotations))
	}
	if _, err := stripped(&corev1.Pod{}); err == nil {
		t.Error("a whole pod is cached")
	}
}
