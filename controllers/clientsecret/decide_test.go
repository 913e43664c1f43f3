package clientsecret

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/lanyard-dev/lanyard/api/v1alpha1"
)

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// listing is a client that lists clientSecret with a life of 30 h and the given
// secrets, each by the hours that it is old.
func listing(held holding, hours ...float64) facts {
	c := &v1alpha1.OAuthClient{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "checkout", Generation: 3}}
	c.Spec.Authentication.ClientSecret = &v1alpha1.ClientSecretCredential{
		SecretName: "checkout-oauth", Lifetime: &metav1.Duration{Duration: 30 * time.Hour},
	}
	for _, h := range hours {
		created := noon.Add(-time.Duration(h * float64(time.Hour)))
		c.Status.ClientSecrets = append(c.Status.ClientSecrets, v1alpha1.ClientSecretStatus{
			Hash: fmt.Sprint("sha256:", h), CreatedAt: metav1.NewTime(created), ExpiresAt: metav1.NewTime(created.Add(30 * time.Hour)),
		})
	}
	return facts{client: c, held: held}
}

func renewing(f facts, before time.Duration) facts {
	f.client.Spec.Authentication.ClientSecret.RenewBefore = &metav1.Duration{Duration: before}
	return f
}

func TestWhenASecretIsMade(t *testing.T) {
	off := func(f facts) facts { f.client.Spec.Authentication.ClientSecret = nil; return f }
	tests := map[string]struct {
		facts    facts
		disabled bool
		why      string        // is one made; empty: no
		after    []float64     // how old the secrets are that the status then lists
		reason   string        // of the condition; empty: there is none
		next     time.Duration // when to look again
	}{
		"the first": {facts: listing(absent), why: "has none", after: []float64{0}, reason: "ClientSecretIssued", next: 10 * time.Minute},
		"a Secret of ours that status knows nothing of": {facts: listing(outdated), why: "has none", after: []float64{0}, reason: "ClientSecretIssued", next: 10 * time.Minute},
		"nothing to do":                            {facts: listing(newest, 5), after: []float64{5}, reason: "ClientSecretIssued", next: 10 * time.Minute},
		"nothing to do for some minutes":           {facts: listing(newest, 19.9), after: []float64{19.9}, reason: "ClientSecretIssued", next: 6 * time.Minute},
		"a third of the life is left":              {facts: listing(newest, 20), why: "ends at 2026-03-01T22:00:00Z", after: []float64{0, 20}, reason: "ClientSecretIssued", next: 10 * time.Minute},
		"one that has expired goes":                {facts: listing(newest, 10, 30), after: []float64{10}, reason: "ClientSecretIssued", next: 10 * time.Minute},
		"the end of the older is waited for":       {facts: listing(newest, 10, 29.9), after: []float64{10, 29.9}, reason: "ClientSecretIssued", next: 6 * time.Minute},
		"all have expired while nobody looked":     {facts: listing(newest, 40, 50), why: "has none", after: []float64{0}, reason: "ClientSecretIssued", next: 10 * time.Minute},
		"renewBefore is asked for":                 {facts: renewing(listing(newest, 24), 6*time.Hour), why: "ends at", after: []float64{0, 24}, reason: "ClientSecretIssued", next: 10 * time.Minute},
		"renewBefore is not reached":               {facts: renewing(listing(newest, 23), 6*time.Hour), after: []float64{23}, reason: "ClientSecretIssued", next: 10 * time.Minute},
		"never before half of the life is over":    {facts: renewing(listing(newest, 14), 29*time.Hour), after: []float64{14}, reason: "ClientSecretIssued", next: 10 * time.Minute},
		"the Secret was deleted":                   {facts: listing(absent, 1), why: "was not there", after: []float64{0, 1}, reason: "ClientSecretIssued", next: 10 * time.Minute},
		"the Secret was deleted twice":             {facts: listing(absent, 1, 2), why: "was not there", after: []float64{0, 1}, reason: "ClientSecretIssued", next: 10 * time.Minute},
		"the status was not written the last time": {facts: listing(outdated, 1, 22), why: "did not hold the newest", after: []float64{0, 1}, reason: "ClientSecretIssued", next: 10 * time.Minute},
		"a Secret of somebody else":                {facts: listing(foreign, 29), after: []float64{29}, reason: "SecretNameInUse", next: 3 * time.Second},
		"nobody may look":                          {facts: facts{client: listing(unknown).client, denied: "no"}, reason: "Rejected", next: 3 * time.Second},
		"switched off":                             {facts: listing(unknown), disabled: true, reason: "ClientSecretsDisabled"},
		"switched off after one was made":          {facts: listing(unknown, 29.5), disabled: true, after: []float64{29.5}, reason: "ClientSecretsDisabled", next: 30 * time.Minute},
		"not listed any more":                      {facts: off(listing(unknown, 1, 2))},
		"not listed any more, and switched off":    {facts: off(listing(unknown, 1, 2)), disabled: true},
	}
	for sentence, test := range tests {
		t.Run(sentence, func(t *testing.T) {
			d := decide(test.facts, !test.disabled, noon)
			if (d.make == "") != (test.why == "") || !strings.Contains(d.make, test.why) {
				t.Errorf("made because %q; want %q", d.make, test.why)
			}
			var o outcome
			if d.make != "" {
				o.made = &v1alpha1.ClientSecretStatus{CreatedAt: metav1.NewTime(noon), ExpiresAt: metav1.NewTime(noon.Add(30 * time.Hour))}
			}
			s := conclude(test.facts, d, o, !test.disabled, noon)
			var after []float64
			for _, c := range s.ClientSecrets {
				after = append(after, noon.Sub(c.CreatedAt.Time).Hours())
			}
			if diff := cmp.Diff(test.after, after); diff != "" {
				t.Errorf("ages in hours (-want +got):\n%s", diff)
			}
			reason := ""
			for _, c := range s.Conditions {
				reason += c.Reason
			}
			if reason != test.reason {
				t.Errorf("condition %q, want %q", reason, test.reason)
			}
			if got := next(test.facts, s, noon); got != test.next {
				t.Errorf("looks again after %s, want %s", got, test.next)
			}
			test.facts.client.Status = s
			if test.facts.held != newest && test.why != "" {
				test.facts.held = newest
			}
			if again := decide(test.facts, !test.disabled, noon); again.make != "" {
				t.Errorf("once it is done, another is made: %s", again.make)
			}
		})
	}
}

// What is in the way is asked for soon at first and seldom at last.
func TestLooksAgainLessAndLessOften(t *testing.T) {
	f := listing(foreign)
	f.client.Status = conclude(f, decide(f, true, noon), outcome{}, true, noon)
	for _, after := range []time.Duration{0, time.Minute, time.Hour} {
		want := min(max(after, 3*time.Second), 10*time.Minute)
		now := noon.Add(after)
		if got := next(f, conclude(f, decide(f, true, now), outcome{}, true, now), now); got != want {
			t.Errorf("after %s it looks again in %s; want %s", after, got, want)
		}
	}
}

func TestSecretsAreNewAndOf256Bits(t *testing.T) {
	s, err := makeSecret(bytes.NewReader(bytes.Repeat([]byte{0xff}, 40)))
	if err != nil {
		t.Fatal(err)
	}
	if want := strings.Repeat("_", 42) + "8"; s.text != want {
		t.Errorf("32 bytes of 0xff became %q; want %q", s.text, want)
	}
	// The SHA-256 of the text, not of the bytes that it stands for: the text is what clients send.
	if want := "sha256:Il9-dTKd1FqjVJddc5hzGTCTk686TGczvBNgGk8bh5Y"; s.hash() != want {
		t.Errorf("hash %q; want %q", s.hash(), want)
	}
	if len(id(s.hash())) != idLength || id("sha256:x") != "" || id("") != "" {
		t.Errorf("ids %q, %q", id(s.hash()), id("sha256:x"))
	}
	if _, err := makeSecret(bytes.NewReader(make([]byte, 31))); err == nil {
		t.Error("a secret of 31 bytes was made")
	}
}

func TestRefusesToPrintASecret(t *testing.T) {
	s, err := makeSecret(bytes.NewReader(bytes.Repeat([]byte{7}, 32)))
	if err != nil {
		t.Fatal(err)
	}
	encoded := string(mustJSON(t, map[string][]byte{"x": []byte(s.text)}))
	for sentence, text := range map[string]string{
		"as %v":                                fmt.Sprintf("%v %+v %s %#v", s, s, s, struct{ S secret }{s}),
		"as a policy of the cluster quotes it": said(errors.New("refused: client-secret is "+s.text), s),
		"as a policy of the cluster quotes the object's":    said(errors.New("refused: "+encoded), s),
		"as a policy of the cluster quotes the better part": said(errors.New("refused: "+s.text[:30]+"..."), s),
	} {
		if s.quotedIn(text) {
			t.Errorf("%s: %s", sentence, text)
		}
	}
	if got := said(errors.New("exceeded quota"), s); got != "exceeded quota" {
		t.Errorf("what says nothing of the secret became %q", got)
	}
}

func mustJSON(t *testing.T, value any) []byte {
	t.Helper()
	out, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	return out
}
