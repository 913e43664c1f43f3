package clientcertificate

import (
	"fmt"
	"strings"
	"testing"
	"time"

	certmanagerv1 "github.com/cert-manager/cert-manager/pkg/apis/certmanager/v1"
	cmmeta "github.com/cert-manager/cert-manager/pkg/apis/meta/v1"
	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/lanyard-dev/lanyard/api/v1alpha1"
	"github.com/lanyard-dev/lanyard/issuer/rules"
)

// certificates with names, for tests that are about which one is pinned how.
type certificates struct {
	*testing.T

	texts  map[string]string
	leaves map[string]leaf
}

// newCertificates makes A to D, valid for an hour before and two to five after noon;
// "ended" and "early" are valid at another time.
func newCertificates(t *testing.T) certificates {
	t.Helper()
	c := certificates{t, map[string]string{}, map[string]leaf{}}
	for name, valid := range map[string][2]time.Duration{
		"A": {-time.Hour, 2 * time.Hour}, "B": {-time.Hour, 3 * time.Hour}, "C": {-time.Hour, 4 * time.Hour}, "D": {-time.Hour, 5 * time.Hour},
		"ended": {-2 * time.Hour, -time.Hour}, "early": {time.Hour, 2 * time.Hour},
	} {
		c.texts[name] = madePEM(t, valid[0], valid[1])
		c.leaves[name] = leafOf(t, c.texts[name])
	}
	return c
}

// pins reads "Current A 1, Previous B 2 +10m": state, certificate, revision, retires.
func (c certificates) pins(text string) []v1alpha1.Pin {
	c.Helper()
	var pins []v1alpha1.Pin
	for part := range strings.SplitSeq(text, ", ") {
		if part == "" {
			continue
		}
		var name, state, retires string
		var revision int64
		if n, err := fmt.Sscan(part, &state, &name, &revision, &retires); n < 3 {
			c.Fatalf("%q: %v", part, err)
		}
		pin := c.leaves[name].pin(v1alpha1.PinState(state), revision)
		if retires != "" {
			after, err := time.ParseDuration(strings.TrimPrefix(retires, "+"))
			if err != nil {
				c.Fatal(err)
			}
			at := metav1.NewTime(noon.Add(after))
			pin.RetiresAt = &at
		}
		pins = append(pins, pin)
	}
	return pins
}

// text writes pins as pins reads them.
func (c certificates) text(pins []v1alpha1.Pin) string {
	var all []string
	for _, p := range pins {
		name := "?"
		for n, l := range c.leaves {
			if l.thumbprint == p.Thumbprint {
				name = n
			}
		}
		part := fmt.Sprintf("%s %s %d", p.State, name, p.Revision)
		if p.RetiresAt != nil {
			part += " +" + strings.TrimSuffix(p.RetiresAt.Sub(noon).String(), "0s")
		}
		all = append(all, part)
	}
	return strings.Join(all, ", ")
}

func TestPins(t *testing.T) {
	c := newCertificates(t)
	tests := map[string]struct {
		before   string
		revision int
		requests string // "1 A, 2 B"; "1 A/B" holds A and asks for the key of B
		pem      string
		distrust []string
		notAfter string // whose end stands in the Certificate's status
		want     string
		ready    string
	}{
		"the first certificate is Next while its revision is not reached": {revision: 0, requests: "1 A", want: "Next A 1", ready: "Issuing"},
		"a reached revision is Current":                                   {before: "Next A 1", revision: 1, requests: "1 A", want: "Current A 1", ready: "Ready"},
		"the next one works beside the current one":                       {before: "Current A 1", revision: 1, requests: "1 A, 2 B", want: "Current A 1, Next B 2", ready: "Ready"},
		"the replaced one stays for the overlap":                          {before: "Current A 1, Next B 2", revision: 2, requests: "2 B", want: "Current B 2, Previous A 1 +15m", ready: "Ready"},
		"the overlap does not begin again":                                {before: "Current B 2, Previous A 1 +10m", revision: 2, requests: "2 B", want: "Current B 2, Previous A 1 +10m", ready: "Ready"},
		"the overlap ends":                                                {before: "Current B 2, Previous A 1 +0m", revision: 2, requests: "2 B", want: "Current B 2", ready: "Ready"},
		"a deleted request ends no current pin":                           {before: "Current A 1", revision: 1, notAfter: "A", want: "Current A 1", ready: "Ready"},
		"a deleted request ends no next pin":                              {before: "Current A 1, Next B 2", revision: 1, requests: "1 A", want: "Current A 1, Next B 2", ready: "Ready"},
		"a next pin without request becomes current":                      {before: "Current A 1, Next B 2", revision: 2, notAfter: "B", want: "Current B 2, Previous A 1 +15m", ready: "Ready"},
		"a next one that was given up retires":                            {before: "Current A 1, Next B 2", revision: 1, requests: "1 A, 2 C", want: "Current A 1, Next C 2, Previous B 2 +15m", ready: "Ready"},
		"a request that is gone before it was seen":                       {revision: 1, notAfter: "A", want: "", ready: "CertificateRequestNotFound"},
		"another Certificate's revision of the same number is not this one": {
			before: "Current A 1", revision: 1, notAfter: "B", want: "Current A 1", ready: "CertificateRequestNotFound",
		},
		"a revision that is set back changes nothing": {
			before: "Current B 2, Previous A 1 +10m", revision: 1, requests: "1 A, 2 B", want: "Current B 2, Previous A 1 +10m", ready: "Ready",
		},
		"nor does it bring back a pin that retired": {before: "Current B 2", revision: 1, requests: "1 A, 2 B", want: "Current B 2", ready: "Ready"},
		"without the newer request it is current again, and retires when it was to": {
			before: "Current B 2, Previous A 1 +10m", revision: 1, requests: "1 A", want: "Current A 1 +10m, Previous B 2 +15m", ready: "Ready",
		},
		"the same without any request": {
			before: "Current B 2, Previous A 1 +10m", revision: 1, notAfter: "A", want: "Current A 1 +10m, Previous B 2 +15m", ready: "Ready",
		},
		"replaced once more it retires when it was to": {
			before: "Current A 1 +10m, Previous B 2 +14m", revision: 2, requests: "2 C", want: "Current C 2, Previous B 2 +14m, Previous A 1 +10m", ready: "Ready",
		},
		"one that was given up and comes again retires when it was to": {
			before: "Current A 1, Previous B 2 +10m", revision: 1, requests: "1 A, 2 B", want: "Current A 1, Next B 2 +10m", ready: "Ready",
		},
		"one with another key than was asked for is not current any more": {
			before: "Current A 1", revision: 1, requests: "1 A/B", notAfter: "A", want: "Previous A 1 +15m", ready: "CertificateInvalid",
		},
		"one with another key than was asked for never becomes current": {
			before: "Current A 1, Next B 2", revision: 2, requests: "2 B/C", notAfter: "B", want: "Current A 1, Next B 2", ready: "CertificateInvalid",
		},
		"a distrusted one ends at once":                            {before: "Current A 1", revision: 1, requests: "1 A", distrust: []string{"A"}, want: "", ready: "Distrusted"},
		"a distrusted previous one ends at once":                   {before: "Current B 2, Previous A 1 +10m", revision: 2, requests: "2 B", distrust: []string{"A"}, want: "Current B 2", ready: "Ready"},
		"a distrusted next one is never pinned":                    {before: "Current A 1", revision: 1, requests: "1 A, 2 B", distrust: []string{"B"}, want: "Current A 1", ready: "Ready"},
		"a distrusted current one leaves the previous its overlap": {before: "Current A 1", revision: 2, requests: "2 B", distrust: []string{"B"}, want: "Previous A 1 +15m", ready: "Distrusted"},
		"an ended one":                 {before: "Current ended 1", revision: 1, requests: "1 ended", want: "", ready: "CertificateExpired"},
		"an ended one without request": {before: "Current ended 1", revision: 1, notAfter: "ended", want: "", ready: "CertificateExpired"},
		"one that begins later":        {revision: 1, requests: "1 early", want: "Current early 1", ready: "CertificateNotYetValid"},
		"PEM":                          {pem: "A", want: "Current A 0", ready: "Ready"},
		"another PEM":                  {before: "Current A 0", pem: "B", want: "Current B 0, Previous A 0 +15m", ready: "Ready"},
		"the same PEM again":           {before: "Current B 0, Previous A 0 +10m", pem: "A", want: "Current A 0, Previous B 0 +15m", ready: "Ready"},
		"PEM instead of issuance":      {before: "Current A 1, Next B 2", pem: "C", want: "Current C 0, Previous B 2 +15m, Previous A 1 +15m", ready: "Ready"},
		"an ended PEM":                 {pem: "ended", want: "", ready: "CertificateExpired"},
		"a broken PEM ends no pin":     {before: "Current A 0", pem: "broken", want: "Current A 0", ready: "InvalidPEM"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			o := observed()
			o.object.Status.Pins = c.pins(test.before)
			o.certificate.Status.Revision = &test.revision
			for part := range strings.SplitSeq(test.requests, ", ") {
				var revision int
				var certificate string
				if n, _ := fmt.Sscan(part, &revision, &certificate); n == 2 {
					holds, asks, differ := strings.Cut(certificate, "/")
					r := request(revision, c.texts[holds])
					if differ {
						r.Spec.Request = csr(c.texts[asks], checkoutURI)
					}
					o.requests = append(o.requests, r)
				}
			}
			for _, d := range test.distrust {
				o.object.Spec.Distrust = append(o.object.Spec.Distrust, v1alpha1.Thumbprint(c.leaves[d].thumbprint))
			}
			if l, ok := c.leaves[test.notAfter]; ok {
				o.certificate.Status.NotAfter = &l.notAfter
			}
			if test.pem != "" {
				o.object.Spec.Issuance, o.certificate = nil, nil
				if o.object.Spec.PEM = c.texts[test.pem]; o.object.Spec.PEM == "" {
					o.object.Spec.PEM = test.pem
				}
			}
			before := c.text(o.object.Status.Pins)
			end := conclude(o, policy.see(o), decision{}, rules.Verdict{})
			if got := c.text(end.status.Pins); got != test.want {
				t.Errorf("pins: %s; want %s", got, test.want)
			}
			if got := readyOf(end.status); got.Reason != test.ready {
				t.Errorf("Ready: %s: %s; want %s", got.Reason, got.Message, test.ready)
			}
			if diff := cmp.Diff(before, c.text(o.object.Status.Pins)); diff != "" {
				t.Errorf("the pins of before were changed:\n%s", diff)
			}
			o.object.Status = end.status
			if again := conclude(o, policy.see(o), decision{}, rules.Verdict{}); !cmp.Equal(again, end, cmp.AllowUnexported(conclusion{})) {
				t.Errorf("a second look concludes otherwise:\n%s", cmp.Diff(end, again, cmp.AllowUnexported(conclusion{})))
			}
		})
	}
}

func readyOf(s v1alpha1.ClientCertificateStatus) metav1.Condition {
	for _, c := range s.Conditions {
		if c.Type == v1alpha1.ConditionReady {
			return c
		}
	}
	return metav1.Condition{}
}

func TestPinsAreAtMostSixteen(t *testing.T) {
	o := observed()
	current := leafOf(t, madePEM(t, -time.Hour, time.Hour))
	o.requests = []*certmanagerv1.CertificateRequest{request(1, current.pem)}
	for i := range 20 {
		at := metav1.NewTime(noon.Add(time.Duration(20-i) * time.Minute))
		o.object.Status.Pins = append(o.object.Status.Pins, v1alpha1.Pin{
			Thumbprint: fmt.Sprint(i), NotAfter: metav1.NewTime(noon.Add(time.Hour)), State: v1alpha1.PinPrevious, RetiresAt: &at,
		})
	}
	pins := keepPins(o, policy.see(o))
	if len(pins) != 16 || pins[0].Thumbprint != current.thumbprint || pins[1].Thumbprint != "0" || pins[15].Thumbprint != "14" {
		t.Errorf("%d pins, %q to %q; want the current one and the 15 that last longest", len(pins), pins[0].Thumbprint, pins[len(pins)-1].Thumbprint)
	}
}

func TestConcludeNamesTheNextMomentOfChange(t *testing.T) {
	c := newCertificates(t)
	tests := map[string]struct {
		pins string
		want time.Duration
	}{
		"the end of a certificate":       {"Current A 1", 2 * time.Hour},
		"the end of an overlap":          {"Current A 1, Previous B 0 +10m", 10 * time.Minute},
		"the beginning of a certificate": {"Current A 1, Next early 2", time.Hour - rules.Leeway},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			o := observed()
			o.object.Status.Pins = c.pins(test.pins)
			o.requests = []*certmanagerv1.CertificateRequest{request(1, c.texts["A"])}
			end := conclude(o, policy.see(o), decision{}, rules.Verdict{})
			if got := end.next.Sub(noon); got != test.want {
				t.Errorf("next change in %s; want %s", got, test.want)
			}
			if got := result(o, end, decision{}, false).RequeueAfter; got != test.want {
				t.Errorf("requeued after %s; want %s", got, test.want)
			}
			if got := result(o, end, decision{}, true).RequeueAfter; got != min(test.want, retryRejected) {
				t.Errorf("after a refusal requeued after %s; want a minute at most", got)
			}
		})
	}
}

func TestIssuingTellsWhatCertManagerDoes(t *testing.T) {
	issuing := func(status cmmeta.ConditionStatus, message string) certmanagerv1.CertificateCondition {
		return certmanagerv1.CertificateCondition{Type: certmanagerv1.CertificateConditionIssuing, Status: status, Message: message}
	}
	pending := func(o *observation, conditions ...certmanagerv1.CertificateRequestCondition) {
		r := request(2, "")
		r.Status.Conditions = conditions
		o.requests = append(o.requests, r)
		o.certificate.Status.Conditions = []certmanagerv1.CertificateCondition{issuing(cmmeta.ConditionTrue, "Renewing certificate")}
	}
	condition := func(t certmanagerv1.CertificateRequestConditionType, status cmmeta.ConditionStatus, message string) certmanagerv1.CertificateRequestCondition {
		return certmanagerv1.CertificateRequestCondition{Type: t, Status: status, Reason: "Pending", Message: message}
	}
	tests := map[string]struct {
		given           func(*observation)
		issuing         bool
		reason, message string
	}{
		"nothing to do":    {func(*observation) {}, false, "Issued", "revision 1 is in Secret shop/checkout-mtls"},
		"no Certificate":   {func(o *observation) { o.certificate = nil }, false, "NotIssuing", "no Certificate yet"},
		"a check":          {func(o *observation) { checking(o, "", 0) }, true, "Issuing", "whether Secret shop/checkout-mtls exists"},
		"the first moment": {func(o *observation) { o.certificate.Status.Revision = nil }, true, "Issuing", "waits for cert-manager to begin"},
		"a restored one": {func(o *observation) {
			o.certificate.Status.Revision = nil
			o.certificate.Status.Conditions = []certmanagerv1.CertificateCondition{{Type: certmanagerv1.CertificateConditionReady, Status: cmmeta.ConditionTrue}}
		}, false, "Issued", "Secret shop/checkout-mtls"},
		"a renewal": {func(o *observation) {
			o.certificate.Status.Conditions = []certmanagerv1.CertificateCondition{issuing("True", "Renewing certificate")}
		}, true, "Issuing", "cert-manager: Renewing certificate"},
		"a request without approval": {func(o *observation) { pending(o) }, true, "Issuing", "checkout-2 waits for approval"},
		"a request without issuer": {func(o *observation) {
			pending(o, condition("Approved", "True", ""), condition("Ready", "False", "issuer not found"))
		}, true, "Issuing", "issuer not found"},
		"a denied request": {func(o *observation) { pending(o, condition("Denied", "True", "not for you")) }, true, "Issuing", "was denied: not for you"},
		"a request of a user's own is not told": {func(o *observation) {
			pending(o)
			o.requests[0].Spec.Username = "mallory"
		}, true, "Issuing", "cert-manager: Renewing certificate"},
		"a failure": {func(o *observation) {
			o.certificate.Status.LastFailureTime = &metav1.Time{Time: noon}
			o.certificate.Status.Conditions = []certmanagerv1.CertificateCondition{issuing("False", "the CA is closed")}
		}, false, "IssuanceFailed", "cert-manager: the CA is closed"},
		"PEM": {func(o *observation) { o.object.Spec.PEM = "x" }, false, "NotIssuing", "not renewed"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			o := observed()
			test.given(o)
			got := progressOf(o, policy.see(o))
			if got.issuing != test.issuing || got.reason != test.reason || !strings.Contains(got.message, test.message) {
				t.Errorf("%t %s %q; want %t %s %q", got.issuing, got.reason, got.message, test.issuing, test.reason, test.message)
			}
		})
	}
}

func TestRefusalsComeBeforeEverything(t *testing.T) {
	c := newCertificates(t)
	o := observed()
	o.client, o.object.Status.Pins = nil, c.pins("Current A 1")
	d := policy.decide(o)
	end := conclude(o, policy.see(o), d, rules.Verdict{})
	if got := readyOf(end.status); got.Reason != v1alpha1.ReasonClientNotFound || len(end.status.Pins) != 1 {
		t.Errorf("Ready: %v, %d pins; want the refusal, and the pins kept", got, len(end.status.Pins))
	}
	rejected := refused(v1alpha1.ReasonRejected, "no")
	if got := readyOf(conclude(observed(), sightings{}, decision{}, rejected).status); got.Reason != v1alpha1.ReasonRejected {
		t.Errorf("Ready: %v; want what the API server said", got)
	}
}

// Where cert-manager's requests have no stable names nothing can be pinned.
func TestTellsOfTheFeatureThatIsOff(t *testing.T) {
	o := observed()
	r := request(1, madePEM(t, -time.Hour, time.Hour))
	r.Name = "checkout-x7k2p"
	o.requests = []*certmanagerv1.CertificateRequest{r}
	end := conclude(o, policy.see(o), decision{}, rules.Verdict{})
	got := readyOf(end.status)
	if got.Reason != v1alpha1.ReasonCertificateRequestNotFound || len(end.status.Pins) != 0 ||
		!strings.Contains(got.Message, "StableCertificateRequestName") || !strings.Contains(got.Message, "checkout-x7k2p") {
		t.Errorf("Ready: %s: %s, %d pins; want the hint, and none", got.Reason, got.Message, len(end.status.Pins))
	}
}

// Its status is lost, as after a restore from a backup: that is nobody's forgery.
func TestTellsOfARequestWithoutCertificate(t *testing.T) {
	o := observed()
	r := request(1, madePEM(t, -time.Hour, time.Hour))
	r.Status = certmanagerv1.CertificateRequestStatus{}
	o.requests = []*certmanagerv1.CertificateRequest{r}
	got := readyOf(conclude(o, policy.see(o), decision{}, rules.Verdict{}).status)
	if got.Reason != v1alpha1.ReasonCertificateRequestNotFound || !strings.Contains(got.Message, "has no certificate in its status: see checkout-1") {
		t.Errorf("Ready: %s: %s", got.Reason, got.Message)
	}
}
