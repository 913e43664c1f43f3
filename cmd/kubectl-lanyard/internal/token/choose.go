package token

import (
	"cmp"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/lanyard-dev/lanyard/api/v1alpha1"
	"github.com/lanyard-dev/lanyard/issuer/oauth"
	"github.com/lanyard-dev/lanyard/issuer/rules"
)

// chooseAccount chooses the service account to ask as. The error says what to change.
func chooseAccount(c *v1alpha1.OAuthClient, wanted string) (v1alpha1.ServiceAccountCredential, error) {
	accounts, id := c.Spec.Authentication.ServiceAccounts, c.Namespace+"/"+c.Name
	names := make([]string, 0, len(accounts))
	for _, a := range accounts {
		names = append(names, a.Name)
	}
	none := v1alpha1.ServiceAccountCredential{}
	switch {
	case len(accounts) == 0:
		return none, fmt.Errorf("the client %s lists no service account, so a person cannot ask for tokens as it; "+
			"its owner can add one to spec.authentication.serviceAccounts, or ask the issuer with its certificate (curl --cert)", id)
	case wanted == "" && len(accounts) > 1:
		return none, fmt.Errorf("the client %s lists several service accounts; choose one with --service-account: %s", id, strings.Join(names, ", "))
	case wanted == "":
		return accounts[0], nil
	}
	i := slices.Index(names, wanted)
	if i < 0 {
		return none, fmt.Errorf("the client %s does not list the service account %q; it lists %s", id, wanted, strings.Join(names, ", "))
	}
	return accounts[i], nil
}

// choosePod chooses a pod of the service account that a token can be bound to: one that
// runs before one that does not yet, the oldest first. False: none lives.
func choosePod(pods []corev1.Pod, account string, now time.Time) (string, bool) {
	living := slices.DeleteFunc(slices.Clone(pods), func(p corev1.Pod) bool {
		return p.Spec.ServiceAccountName != account || p.Status.Phase == corev1.PodSucceeded || p.Status.Phase == corev1.PodFailed ||
			p.DeletionTimestamp != nil && !now.Before(p.DeletionTimestamp.Time)
	})
	if len(living) == 0 {
		return "", false
	}
	rank := func(p corev1.Pod) int {
		switch {
		case p.DeletionTimestamp != nil:
			return 2
		case p.Status.Phase != corev1.PodRunning:
			return 1
		}
		return 0
	}
	slices.SortFunc(living, func(a, b corev1.Pod) int {
		return cmp.Or(cmp.Compare(rank(a), rank(b)), a.CreationTimestamp.Compare(b.CreationTimestamp.Time), cmp.Compare(a.Name, b.Name))
	})
	return living[0].Name, true
}

// needsCertificate says what to give where the client's tokens are bound and nothing to
// bind them to was given; nil if nothing is missing.
func needsCertificate(c *v1alpha1.OAuthClient, given bool, secrets []string) error {
	id := c.Namespace + "/" + c.Name
	switch {
	case c.Spec.TokenBinding == v1alpha1.TokenBindingDPoP:
		return fmt.Errorf("the tokens of the client %s are bound to a DPoP key (tokenBinding: DPoP), which the API wants a proof of with each request; "+
			"a token alone would be of no use, so ask with a library that speaks DPoP", id)
	case given || c.Spec.TokenBinding == v1alpha1.TokenBindingNone:
		return nil
	}
	where := "It has no certificate that Lanyard had made; declare a ClientCertificate for it, or use the one that it imports."
	if len(secrets) > 0 {
		where = fmt.Sprintf("Whoever may read them finds both in the Secret %s of namespace %s, as tls.crt and tls.key.", strings.Join(secrets, " or "), c.Namespace)
	}
	return fmt.Errorf("the tokens of the client %s are bound to a certificate (tokenBinding: MTLS); give it with --cert FILE and --key FILE.\n%s", id, where)
}

// secretsOf are the Secrets with certificates of the client.
func secretsOf(c *v1alpha1.OAuthClient, certificates []v1alpha1.ClientCertificate) []string {
	var names []string
	for _, cc := range certificates {
		if cc.Spec.ClientRef.Name == c.Name && cc.Spec.Issuance != nil {
			names = append(names, cc.Spec.Issuance.SecretName)
		}
	}
	return names
}

// chooseResource is the resource that the values of roles in scopes belong to: the one
// that was named, else the only one that the client asks for roles of. Empty: the scopes
// say it themselves, or the issuer is to choose.
func chooseResource(c *v1alpha1.OAuthClient, named string, scopes []string) (string, error) {
	value := func(s string) bool { return !strings.Contains(s, "/") && !strings.HasPrefix(s, "urn:opc:") }
	words := strings.Fields(strings.Join(scopes, " "))
	if named != "" || !slices.ContainsFunc(words, value) {
		return named, nil
	}
	var all []string
	for _, r := range c.Status.Roles {
		if r.Identifier != "" && !slices.Contains(all, r.Identifier) {
			all = append(all, r.Identifier)
		}
	}
	if len(all) == 1 {
		return all[0], nil
	}
	text := "it asks for no role"
	if len(all) > 1 {
		text = "it asks for roles of " + strings.Join(all, ", ")
	}
	return "", fmt.Errorf("--scope %s is the value of a role, and which API's is not known from the client %s/%s: %s; name the API with --resource",
		strings.Join(words, " "), c.Namespace, c.Name, text)
}

// life is how long the service account's token should live: long enough for the access
// token, which cannot outlive it. The API server gives none under ten minutes.
func life(c *v1alpha1.OAuthClient) time.Duration {
	const least, more = 10 * time.Minute, time.Minute
	if l := c.Spec.AccessTokenLifetime; l != nil {
		return max(least, l.Duration+more)
	}
	return least + more
}

// form is the token request (RFC 6749 section 4.4.2 with RFC 7523 section 2.2).
func form(c *v1alpha1.OAuthClient, resource string, scopes []string, assertion string) url.Values {
	v := url.Values{
		"grant_type":            {string(oauth.GrantClientCredentials)},
		"client_id":             {rules.ClientID(c)},
		"client_assertion_type": {oauth.AssertionTypeJWTBearer},
		"client_assertion":      {assertion},
	}
	switch {
	case len(scopes) > 0:
		v.Set("scope", scope(resource, scopes))
	case resource != "":
		v.Set("resource", resource) // RFC 8707
	}
	return v
}

// scope completes the values of roles to scopes of the resource.
func scope(resource string, scopes []string) string {
	var all []string
	for _, s := range scopes {
		for one := range strings.FieldsSeq(s) {
			if resource != "" && !strings.Contains(one, "/") {
				one = resource + "/" + one
			}
			all = append(all, one)
		}
	}
	return strings.Join(all, " ")
}
