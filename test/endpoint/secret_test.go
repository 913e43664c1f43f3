package endpoint

import (
	"context"
	"encoding/base64"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/lanyard-dev/lanyard/api/v1alpha1"
	"github.com/lanyard-dev/lanyard/issuer/oauth"
	"github.com/lanyard-dev/lanyard/test/testenv"
)

// secrets: the controller makes a secret, the client uses it, and it is replaced
// without a moment in which none works.
func (s *stage) secrets(t *testing.T) {
	w := s.newWorld(t, unbound)
	c := w.client(t, "legacy", v1alpha1.ClientAuthentication{ClientSecret: &v1alpha1.ClientSecretCredential{
		Methods: []v1alpha1.ClientSecretMethod{v1alpha1.MethodClientSecretPost, v1alpha1.MethodClientSecretBasic}, SecretName: "legacy-oauth",
	}}, binding(v1alpha1.TokenBindingNone))
	w.client(t, "other", byAccount("other"), binding(v1alpha1.TokenBindingNone))
	first := w.secret(t, c, "")
	id := w.id("legacy")

	post := func(secret string) request {
		return request{path: tokenPath, form: form("grant_type", "client_credentials", "scope", w.scope(), "client_id", id, "client_secret", secret)}
	}
	basic := func(secret string) request {
		// RFC 6749 section 2.3.1: both parts are encoded like form values.
		credentials := url.QueryEscape(id) + ":" + url.QueryEscape(secret)
		return request{
			path: tokenPath, form: form("grant_type", "client_credentials", "scope", w.scope()),
			header: http.Header{"Authorization": {"Basic " + base64.StdEncoding.EncodeToString([]byte(credentials))}},
		}
	}
	w.token(t, post(first))
	if err := s.post(t, basic(first)).served(); err != nil {
		t.Error(err)
	}

	t.Run("refuses another secret, and another client's", func(t *testing.T) {
		s.post(t, post(first+"x")).wants(t, oauth.ErrIdentity)
		s.post(t, basic("")).wants(t, oauth.ErrIdentity)
		r := post(first)
		r.form.Set("client_id", w.id("other"))
		s.post(t, r).wants(t, oauth.ErrIdentity)
	})
	t.Run("refuses every secret where the installation has none", func(t *testing.T) {
		for _, r := range []request{post(first), basic(first)} {
			r.second = true
			if a := s.post(t, r); a.status == http.StatusOK || strings.Contains(a.raw, "client_secret_") {
				t.Errorf("got %d %s", a.status, a.raw)
			}
		}
	})
	t.Run("is replaced while both work", func(t *testing.T) {
		s.remove(t, &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: w.shop, Name: "legacy-oauth"}})
		change(t, s, c, func(c *v1alpha1.OAuthClient) { c.Spec.DisplayName = "wakes the controller" })
		// What the Secret holds may be followed at once by another, if the client's status
		// changed at the same time: then the first of the two never works.
		s.eventually(t, func() error { return s.post(t, post(w.secret(t, c, first))).served() })
		if err := s.post(t, post(first)).served(); err != nil {
			t.Errorf("the one before: %v", err)
		}
	})
	t.Run("ends within a second of being taken off the list", func(t *testing.T) {
		listed, works := c.Spec.Authentication, first
		within(t, "no more secrets", func() func() error {
			if c.Spec.Authentication.ClientSecret == nil { // once more
				change(t, s, c, func(c *v1alpha1.OAuthClient) { c.Spec.Authentication = listed })
				s.eventually(t, func() error {
					works = w.secret(t, c, "")
					return s.post(t, post(works)).served()
				})
			}
			change(t, s, c, func(c *v1alpha1.OAuthClient) { c.Spec.Authentication = byAccount("legacy") })
			return func() error { return s.post(t, post(works)).refused(oauth.ErrIdentity) }
		})
	})
	t.Run("stands in no log", func(t *testing.T) {
		for _, p := range []*testenv.Program{s.control, s.issuers[0].Program, s.issuers[1].Program} {
			if strings.Contains(p.Log(t), first) {
				t.Error("a log holds the secret")
			}
		}
	})
}

// secret waits for the client's secret, another than before, and returns it.
func (w *world) secret(t *testing.T, c *v1alpha1.OAuthClient, before string) (secret string) {
	t.Helper()
	testenv.Eventually(t, func(ctx context.Context) error {
		if err := w.env.Client.Get(ctx, client.ObjectKeyFromObject(c), c); err != nil {
			return err
		}
		if !meta.IsStatusConditionTrue(c.Status.Conditions, v1alpha1.ConditionClientSecret) {
			return fmt.Errorf("conditions: %+v", c.Status.Conditions)
		}
		o := &corev1.Secret{}
		if err := w.env.Client.Get(ctx, client.ObjectKey{Namespace: w.shop, Name: c.Spec.Authentication.ClientSecret.SecretName}, o); err != nil {
			return err
		}
		if string(o.Data["client-id"]) != w.id(c.Name) {
			return fmt.Errorf("client-id is %q", o.Data["client-id"])
		}
		if secret = string(o.Data["client-secret"]); secret == before {
			return fmt.Errorf("it is the same as before")
		}
		return nil
	})
	return secret
}
