package token

import (
	"bytes"
	"net/http"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/lanyard-dev/lanyard/api/v1alpha1"
	"github.com/lanyard-dev/lanyard/cmd/kubectl-lanyard/internal/access"
)

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// checkout is shop/checkout with these service accounts.
func checkout(accounts ...string) *v1alpha1.OAuthClient {
	c := &v1alpha1.OAuthClient{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "checkout"}}
	for _, a := range accounts {
		c.Spec.Authentication.ServiceAccounts = append(c.Spec.Authentication.ServiceAccounts, v1alpha1.ServiceAccountCredential{Name: a})
	}
	return c
}

func TestChooseAccount(t *testing.T) {
	tests := map[string]struct {
		accounts []string
		wanted   string
		want     string
		refused  string
	}{
		"the only one":              {accounts: []string{"a"}, want: "a"},
		"the one that is named":     {accounts: []string{"a", "b"}, wanted: "b", want: "b"},
		"none of several":           {accounts: []string{"a", "b"}, refused: "choose one with --service-account: a, b"},
		"one that is not listed":    {accounts: []string{"a"}, wanted: "b", refused: "it lists a"},
		"of a client without any":   {refused: "lists no service account"},
		"named, of one without any": {wanted: "b", refused: "lists no service account"},
	}
	for sentence, test := range tests {
		t.Run(sentence, func(t *testing.T) {
			got, err := chooseAccount(checkout(test.accounts...), test.wanted)
			if got.Name != test.want || (err == nil) != (test.refused == "") || err != nil && !strings.Contains(err.Error(), test.refused) {
				t.Errorf("%q, %v; want %q, %q", got.Name, err, test.want, test.refused)
			}
		})
	}
}

func TestChoosePod(t *testing.T) {
	pod := func(name string, phase corev1.PodPhase, age time.Duration, deleted ...time.Duration) corev1.Pod {
		p := corev1.Pod{
			ObjectMeta: metav1.ObjectMeta{Name: name, CreationTimestamp: metav1.NewTime(noon.Add(-age))},
			Spec:       corev1.PodSpec{ServiceAccountName: "checkout"}, Status: corev1.PodStatus{Phase: phase},
		}
		for _, in := range deleted {
			at := metav1.NewTime(noon.Add(in))
			p.DeletionTimestamp = &at
		}
		return p
	}
	other := pod("other", corev1.PodRunning, time.Hour)
	other.Spec.ServiceAccountName = "other"
	tests := map[string]struct {
		pods []corev1.Pod
		want string
	}{
		"the oldest that runs":                {[]corev1.Pod{pod("b", corev1.PodRunning, time.Minute), pod("a", corev1.PodRunning, time.Hour)}, "a"},
		"one that runs before one that waits": {[]corev1.Pod{pod("a", corev1.PodPending, time.Hour), pod("b", corev1.PodRunning, time.Minute)}, "b"},
		"one that waits":                      {[]corev1.Pod{pod("a", corev1.PodPending, time.Hour)}, "a"},
		"one that drains, last":               {[]corev1.Pod{pod("a", corev1.PodRunning, time.Hour, time.Minute), pod("b", corev1.PodPending, 0)}, "b"},
		"one that drains":                     {[]corev1.Pod{pod("a", corev1.PodRunning, time.Hour, time.Minute)}, "a"},
		"none that is deleted":                {[]corev1.Pod{pod("a", corev1.PodRunning, time.Hour, -time.Minute)}, ""},
		"none that has ended":                 {[]corev1.Pod{pod("a", corev1.PodSucceeded, time.Hour), pod("b", corev1.PodFailed, time.Hour)}, ""},
		"none of another account":             {[]corev1.Pod{other}, ""},
	}
	for sentence, test := range tests {
		t.Run(sentence, func(t *testing.T) {
			if got, found := choosePod(test.pods, "checkout", noon); got != test.want || found != (test.want != "") {
				t.Errorf("%q, %v; want %q", got, found, test.want)
			}
		})
	}
}

func TestNeedsCertificate(t *testing.T) {
	bound := func(to v1alpha1.TokenBinding) *v1alpha1.OAuthClient {
		c := checkout()
		c.Spec.TokenBinding = to
		return c
	}
	tests := map[string]struct {
		client  *v1alpha1.OAuthClient
		given   bool
		secrets []string
		refused string
	}{
		"MTLS with one":              {client: bound(v1alpha1.TokenBindingMTLS), given: true},
		"MTLS without":               {client: bound(v1alpha1.TokenBindingMTLS), secrets: []string{"checkout-mtls"}, refused: "Secret checkout-mtls of namespace shop"},
		"MTLS without any to be had": {client: bound(v1alpha1.TokenBindingMTLS), refused: "declare a ClientCertificate"},
		"the default, which is MTLS": {client: bound(""), refused: "--cert FILE"},
		"None":                       {client: bound(v1alpha1.TokenBindingNone)},
		"DPoP, which needs a proof":  {client: bound(v1alpha1.TokenBindingDPoP), given: true, refused: "DPoP"},
	}
	for sentence, test := range tests {
		t.Run(sentence, func(t *testing.T) {
			err := needsCertificate(test.client, test.given, test.secrets)
			if (err == nil) != (test.refused == "") || err != nil && !strings.Contains(err.Error(), test.refused) {
				t.Errorf("%v; want %q", err, test.refused)
			}
		})
	}
}

func TestForm(t *testing.T) {
	tests := map[string]struct {
		resource string
		scopes   []string
		want     string
	}{
		"a resource":            {"api://orders", nil, "resource=api%3A%2F%2Forders"},
		"values of roles":       {"api://orders", []string{"Read", "Write"}, "scope=api%3A%2F%2Forders%2FRead+api%3A%2F%2Forders%2FWrite"},
		"whole scopes":          {"", []string{"api://orders/.default"}, "scope=api%3A%2F%2Forders%2F.default"},
		"both in one word":      {"api://orders", []string{"Read api://orders/Write"}, "scope=api%3A%2F%2Forders%2FRead+api%3A%2F%2Forders%2FWrite"},
		"the client's only one": {"", nil, ""},
	}
	for sentence, test := range tests {
		t.Run(sentence, func(t *testing.T) {
			v := form(checkout("checkout"), test.resource, test.scopes, "assertion")
			if v.Get("client_id") != "shop/checkout" || v.Get("client_assertion") != "assertion" {
				t.Errorf("the form is %v", v)
			}
			for _, fixed := range []string{"grant_type", "client_id", "client_assertion", "client_assertion_type"} {
				v.Del(fixed)
			}
			if got := v.Encode(); got != test.want {
				t.Errorf("%q, want %q", got, test.want)
			}
		})
	}
}

func TestChooseResource(t *testing.T) {
	tests := map[string]struct {
		asksFor []string
		named   string
		scope   string
		want    string
		refused string
	}{
		"the one that is named":                       {[]string{"api://orders"}, "api://payments", "Read", "api://payments", ""},
		"a value, and roles of one API":               {[]string{"api://orders", "api://orders", ""}, "", "Read", "api://orders", ""},
		"a whole scope says it itself":                {[]string{"api://orders"}, "", "api://payments/.default", "", ""},
		"no scope: the issuer chooses":                {[]string{"api://orders"}, "", "", "", ""},
		"a value, and roles of two APIs: which is it": {[]string{"api://orders", "api://payments"}, "", "Read", "", "roles of api://orders, api://payments; name the API with --resource"},
		"a value, and no roles":                       {nil, "", "Read", "", "asks for no role; name the API with --resource"},
	}
	for sentence, test := range tests {
		t.Run(sentence, func(t *testing.T) {
			c := checkout("checkout")
			for _, identifier := range test.asksFor {
				c.Status.Roles = append(c.Status.Roles, v1alpha1.ClientRoleStatus{Identifier: identifier})
			}
			got, err := chooseResource(c, test.named, []string{test.scope})
			if got != test.want || (err == nil) != (test.refused == "") || err != nil && !strings.Contains(err.Error(), test.refused) {
				t.Errorf("%q, %v; want %q, %q", got, err, test.want, test.refused)
			}
		})
	}
}

func TestLife(t *testing.T) {
	c := checkout()
	for lifetime, want := range map[time.Duration]time.Duration{0: 11 * time.Minute, time.Minute: 10 * time.Minute, time.Hour: 61 * time.Minute} {
		if lifetime > 0 {
			c.Spec.AccessTokenLifetime = &metav1.Duration{Duration: lifetime}
		} else {
			c.Spec.AccessTokenLifetime = nil
		}
		if got := life(c); got != want {
			t.Errorf("%s: %s, want %s", lifetime, got, want)
		}
	}
}

func TestReadAnswer(t *testing.T) {
	const refusal = `{"error":"invalid_scope","error_description":"no \u001b[2J","error_codes":[30001],"trace_id":"abc","client_assertion":"eyJ"}`
	tests := map[string]struct {
		body string
		// want stands in the error; none: a token was given.
		want []string
	}{
		"a token":               {`{"access_token":"a.b.c"}`, nil},
		"a refusal":             {refusal, []string{"number 30001", "invalid_scope", `no \x1b[2J`, "why --trace abc", "kubectl lanyard why shop/checkout api://orders"}},
		"a page":                {"<html>secret</html>", []string{"no issuer of Lanyard"}},
		"JSON of somebody else": {`{"message":"secret"}`, []string{"no issuer of Lanyard"}},
	}
	for sentence, test := range tests {
		t.Run(sentence, func(t *testing.T) {
			g, err := read(access.Answer{Status: http.StatusBadRequest, Body: []byte(test.body)}, "shop/checkout", "api://orders")
			if (err == nil) != (test.want == nil) || (err == nil) != (g.token != "") {
				t.Fatalf("%v, %v", g, err)
			}
			for _, want := range test.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("%q does not say %q", err, want)
				}
			}
			if err != nil && (strings.Contains(err.Error(), "eyJ") || strings.Contains(err.Error(), "secret")) {
				t.Errorf("the error quotes what nobody knows: %v", err)
			}
		})
	}
}

func TestRefusesToTellOfATokenThatCannotBeRead(t *testing.T) {
	var b bytes.Buffer
	err := granted{token: "a.b.c"}.tell(&b, noon, "")
	if err == nil || strings.Contains(err.Error()+b.String(), "a.b.c") {
		t.Errorf("%v, %s", err, &b)
	}
}
