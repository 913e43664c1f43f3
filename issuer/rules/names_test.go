package rules_test

import (
	"strings"
	"testing"
	"time"

	"github.com/lanyard-dev/lanyard/api/v1alpha1"
	"github.com/lanyard-dev/lanyard/issuer/rules"
)

func TestClientIDAllowed(t *testing.T) {
	tests := map[string]struct {
		claims, annotation string
		want               bool
	}{
		"a client without spec.clientID has its own name":            {"", "", true},
		"an id that the annotation lists exactly is allowed":         {"legacy", "other, legacy", true},
		"an id with a listed prefix is allowed":                      {"shop-7", "shop-*", true},
		"a bare star allows every id: that is the platform's choice": {"anything", "*", true},
		"an id that is not listed is refused":                        {"legacy", "", false},
		"an entry without a star is no prefix":                       {"legacy-2", "legacy", false},
		"a star stands for something at the end only":                {"a-legacy", "*-legacy", false},
		"case matters": {"Legacy", "legacy", false},
		"an id with a slash would pass for another client, and is refused":    {"orders/orders", "*", false},
		"blank entries allow nothing":                                         {"legacy", ", ,", false},
		"a client that claims nothing does not depend on a broken annotation": {"", ",,*/", true},
	}
	for sentence, test := range tests {
		t.Run(sentence, func(t *testing.T) {
			c := client(func(c *v1alpha1.OAuthClient) { c.Spec.ClientID = test.claims })
			ns := rules.ParseNamespace("shop", nil, map[string]string{v1alpha1.AnnotationClientIDs: test.annotation})
			if got := rules.ClientIDAllowed(c, ns); got != test.want {
				t.Errorf("got %t, want %t", got, test.want)
			}
		})
	}
	t.Run("nothing is allowed in a namespace that is not known", func(t *testing.T) {
		if rules.ClientIDAllowed(client(), nil) {
			t.Error("allowed")
		}
	})
	t.Run("the policy of another namespace does not count", func(t *testing.T) {
		if rules.ClientIDAllowed(client(), rules.ParseNamespace("orders", nil, nil)) {
			t.Error("allowed")
		}
	})
}

func TestClientIDsOfTwoKindsNeverMeet(t *testing.T) {
	claimed := client(func(c *v1alpha1.OAuthClient) { c.Namespace, c.Name, c.Spec.ClientID = "evil", "x", "shop-checkout" })
	if rules.ClientID(client()) != "shop/checkout" || rules.ClientID(claimed) != "shop-checkout" {
		t.Errorf("got %q and %q", rules.ClientID(client()), rules.ClientID(claimed))
	}
}

func TestClient(t *testing.T) {
	claiming := func(c *v1alpha1.OAuthClient) { c.Spec.ClientID = "legacy" }
	allowing := map[string]string{v1alpha1.AnnotationClientIDs: "legacy"}
	older := client(claiming, func(c *v1alpha1.OAuthClient) { c.Name, c.CreationTimestamp = "old", *at(born.Add(-time.Hour)) })
	tests := map[string]struct {
		client      *v1alpha1.OAuthClient
		annotations map[string]string
		holder      *v1alpha1.OAuthClient // nil: the client itself
		want        string
		says        string
	}{
		"a client works": {client: client(), want: v1alpha1.ReasonReady, says: "can ask for tokens"},
		"a client with an id that its namespace allows works": {
			client: client(claiming), annotations: allowing, want: v1alpha1.ReasonReady, says: "can ask for tokens",
		},
		"an id that is not allowed is refused, and the message says which annotation": {
			client: client(claiming), want: v1alpha1.ReasonClientIDNotAllowed, says: "lanyard.dev/client-ids: legacy",
		},
		"the younger of two clients is refused, and the message names the older": {
			client: client(claiming), annotations: allowing, holder: older, want: v1alpha1.ReasonConflict, says: "shop/old",
		},
		"a suspended client does not work": {
			client: client(func(c *v1alpha1.OAuthClient) { c.Spec.Suspend = true }), want: v1alpha1.ReasonSuspended, says: "spec.suspend",
		},
		"a client in a suspended namespace does not work": {
			client: client(), annotations: map[string]string{v1alpha1.AnnotationSuspend: "true"},
			want: v1alpha1.ReasonNamespaceSuspended, says: "lanyard.dev/suspend",
		},
		"a namespace is suspended by any word that is no plain no": {
			client: client(), annotations: map[string]string{v1alpha1.AnnotationSuspend: "True"}, want: v1alpha1.ReasonNamespaceSuspended,
		},
		"a plain no suspends nobody": {
			client: client(), annotations: map[string]string{v1alpha1.AnnotationSuspend: "False"}, want: v1alpha1.ReasonReady,
		},
	}
	for sentence, test := range tests {
		t.Run(sentence, func(t *testing.T) {
			holder := test.holder
			if holder == nil {
				holder = test.client
			}
			verdict(t, rules.Client(test.client, rules.ParseNamespace("shop", nil, test.annotations), holder), test.want, test.says)
		})
	}
	t.Run("a client whose holder is not known does not work", func(t *testing.T) {
		verdict(t, rules.Client(client(), shop(), nil), v1alpha1.ReasonConflict, "(unknown)")
	})
}

// verdict checks that a verdict has a reason, agrees with itself and says something.
func verdict(t *testing.T, got rules.Verdict, reason, says string) {
	t.Helper()
	if got.Reason != reason || got.OK != (reason == v1alpha1.ReasonReady) {
		t.Errorf("got %+v, want reason %s", got, reason)
	}
	if got.Message == "" || !strings.Contains(got.Message, says) {
		t.Errorf("message %q does not say %q", got.Message, says)
	}
}

func TestCanonicalIdentifier(t *testing.T) {
	for identifier, want := range map[string]bool{
		"api://orders":                   true,
		"api://orders/v2":                true,
		"https://orders.orders.svc":      true,
		"https://orders.orders.svc:8443": true,
		"https://example.com/Orders":     true,
		"urn:example:orders":             true,
		"":                               false,
		"orders":                         false,
		"api:":                           false,
		"api://":                         false,
		"api:///x":                       false,
		"api://Orders":                   false,
		"API://orders":                   false,
		"api://orders/":                  false,
		"api://orders//v2":               false,
		"api://orders/./v2":              false,
		"api://orders/v1/../v2":          false,
		"api://user@orders":              false,
		"api://@orders":                  false,
		"api://orders?":                  false,
		"api://orders?a=b":               false,
		"api://orders#":                  false,
		"api://orders#top":               false,
		"api://orders v2":                false,
		"api://orders\n":                 false,
		`api://orders\v2`:                false,
		"api://orders/ä":                 false,
		`api://orders/"`:                 false,
		"api://orders\x00":               false,
		"://orders":                      false,
		"/orders":                        false,
		"//orders":                       false,
		"https://[2001:db8::1]:8443/x":   true,
		"https://[2001:DB8::1]":          false,
		"https://x].ten.svc":             false,
		"https://x.ten.svc:":             false,
		"https://x.ten.svc:0443":         false,
		"https://x.ten.svc:99999":        false,
		"https://x.ten.svc.":             false,
		"api://orders/%2e%2e/payments":   false,
		"api://orders/.default":          false,
		"api://orders/*":                 false,
	} {
		if got := rules.CanonicalIdentifier(identifier); got != want {
			t.Errorf("%q: got %t, want %t", identifier, got, want)
		}
	}
}

func TestIdentifierAllowed(t *testing.T) {
	tests := map[string]struct {
		identifier, annotation string
		want                   bool
	}{
		"api:// and the namespace belongs to it":                        {"api://orders", "", true},
		"a path below it does too":                                      {"api://orders/v2/eu", "", true},
		"a namespace whose name only begins alike does not":             {"api://orders-evil", "", false},
		"another namespace's api:// does not":                           {"api://shop", "", false},
		"a port makes it another host":                                  {"api://orders:80", "", false},
		"the URL of a service of the namespace belongs to it":           {"https://orders.orders.svc", "", true},
		"also with a port and a path":                                   {"https://x.orders.svc:8443/v2", "", true},
		"also with the cluster's domain":                                {"https://x.orders.svc.cluster.local", "", true},
		"also over http":                                                {"http://x.orders.svc", "", true},
		"another cluster's domain does not":                             {"https://x.orders.svc.example.com", "", false},
		"a service of another namespace does not":                       {"https://orders.shop.svc", "", false},
		"a host with more labels does not":                              {"https://a.b.orders.svc", "", false},
		"a host without a service does not":                             {"https://orders.svc", "", false},
		"an empty service does not":                                     {"https://.orders.svc", "", false},
		"a host that only ends alike does not":                          {"https://x.orders.svcs", "", false},
		"another scheme does not":                                       {"ftp://x.orders.svc", "", false},
		"an exact entry of the annotation allows it":                    {"https://api.example.com", "https://api.example.com", true},
		"an exact entry allows nothing below":                           {"https://api.example.com/v2", "https://api.example.com", false},
		"a prefix ending in /* allows what is below":                    {"https://example.com/orders", "https://example.com/*", true},
		"but not the prefix itself":                                     {"https://example.com", "https://example.com/*", false},
		"nor a host that begins alike":                                  {"https://example.community/orders", "https://example.com/*", false},
		"a bare star allows nothing":                                    {"https://kubernetes.default.svc", "*", false},
		"a scheme and a star allow nothing":                             {"https://example.com/x", "https://*", false},
		"a scheme, a slash and a star allow nothing":                    {"https://example.com/x", "https:/*, https:///*, /*", false},
		"a star in the middle is no star":                               {"https://a.example.com", "https://*.example.com", false},
		"an allowed identifier must be canonical still":                 {"https://Example.com", "https://Example.com", false},
		"user information does not make a host the namespace's":         {"https://x.orders.svc@evil.example", "", false},
		"blanks around entries do not matter":                           {"urn:a:b", " x ,  urn:a:b  ", true},
		"a prefix of a urn works where it has a slash":                  {"urn:a:b/c", "urn:a:b/*", true},
		"the annotation does not take away what belongs to a namespace": {"api://orders", "https://example.com/*", true},
	}
	for sentence, test := range tests {
		t.Run(sentence, func(t *testing.T) {
			ns := rules.ParseNamespace("orders", nil, map[string]string{v1alpha1.AnnotationIdentifiers: test.annotation})
			if got := rules.IdentifierAllowed(test.identifier, ns, "cluster.local"); got != test.want {
				t.Errorf("got %t, want %t", got, test.want)
			}
		})
	}
	t.Run("nothing is allowed in a namespace that is not known", func(t *testing.T) {
		if rules.IdentifierAllowed("api://orders", nil, "cluster.local") {
			t.Error("allowed")
		}
	})
}

func TestResource(t *testing.T) {
	named := func(id string) *v1alpha1.ProtectedResource {
		return resource(func(r *v1alpha1.ProtectedResource) { r.Spec.Identifier = id })
	}
	older := resource(func(r *v1alpha1.ProtectedResource) { r.Name = "first" })
	tests := map[string]struct {
		resource, holder *v1alpha1.ProtectedResource
		want, says       string
	}{
		"a resource works":                     {resource: resource(), want: v1alpha1.ReasonReady, says: "api://orders"},
		"one that is not canonical is refused": {resource: named("api://Orders"), want: v1alpha1.ReasonIdentifierNotCanonical, says: "for example api://orders"},
		"one that belongs elsewhere is refused, and the message says what may be had": {
			resource: named("api://shop"), want: v1alpha1.ReasonIdentifierNotAllowed, says: "use api://orders or api://orders/<name>",
		},
		"the younger of two is refused, and the message names the older": {
			resource: resource(), holder: older, want: v1alpha1.ReasonConflict, says: "orders/first",
		},
		"a suspended one does not work": {
			resource: resource(func(r *v1alpha1.ProtectedResource) { r.Spec.Suspend = true }), want: v1alpha1.ReasonSuspended, says: "spec.suspend",
		},
	}
	for sentence, test := range tests {
		t.Run(sentence, func(t *testing.T) {
			holder := test.holder
			if holder == nil {
				holder = test.resource
			}
			verdict(t, rules.Resource(test.resource, rules.ParseNamespace("orders", nil, nil), "cluster.local", holder), test.want, test.says)
		})
	}
	t.Run("a resource whose holder is not known does not work", func(t *testing.T) {
		verdict(t, rules.Resource(resource(), rules.ParseNamespace("orders", nil, nil), "cluster.local", nil), v1alpha1.ReasonConflict, "(unknown)")
	})
}

func TestIssuerAllowed(t *testing.T) {
	ref := func(kind, group, name string) v1alpha1.IssuerReference {
		return v1alpha1.IssuerReference{Kind: kind, Group: group, Name: name}
	}
	tests := map[string]struct {
		ref          v1alpha1.IssuerReference
		annotation   string
		installation []string
		want         bool
	}{
		"the installation allows it":                           {ref: ref("ClusterIssuer", "cert-manager.io", "ca"), installation: []string{"ClusterIssuer/ca"}, want: true},
		"the namespace allows it":                              {ref: ref("Issuer", "cert-manager.io", "ca"), annotation: "ClusterIssuer/ca, Issuer/ca", want: true},
		"cert-manager's defaults are filled in":                {ref: ref("", "", "ca"), annotation: "Issuer/ca", want: true},
		"an entry may say the group":                           {ref: ref("ClusterIssuer", "cert-manager.io", "ca"), annotation: "ClusterIssuer.cert-manager.io/ca", want: true},
		"a kind of another group must be allowed by its group": {ref: ref("ClusterIssuer", "evil.example", "ca"), annotation: "ClusterIssuer/ca", want: false},
		"a kind of another group is allowed by its group":      {ref: ref("VaultIssuer", "example.com", "ca"), annotation: "VaultIssuer.example.com/ca", want: true},
		"nothing is allowed by default":                        {ref: ref("ClusterIssuer", "cert-manager.io", "ca"), want: false},
		"another kind of the same name is not":                 {ref: ref("Issuer", "cert-manager.io", "ca"), annotation: "ClusterIssuer/ca", want: false},
		"there is no star":                                     {ref: ref("Issuer", "cert-manager.io", "ca"), annotation: "*, Issuer/*, */ca", want: false},
		"an entry without a kind allows nothing":               {ref: ref("Issuer", "cert-manager.io", "ca"), annotation: "ca", want: false},
	}
	for sentence, test := range tests {
		t.Run(sentence, func(t *testing.T) {
			ns := rules.ParseNamespace("shop", nil, map[string]string{v1alpha1.AnnotationIssuers: test.annotation})
			if got := rules.IssuerAllowed(test.ref, ns, test.installation); got != test.want {
				t.Errorf("got %t, want %t", got, test.want)
			}
		})
	}
	t.Run("in a namespace that is not known the installation's word holds", func(t *testing.T) {
		if !rules.IssuerAllowed(ref("Issuer", "", "ca"), nil, []string{"Issuer/ca"}) || rules.IssuerAllowed(ref("Issuer", "", "ca"), nil, nil) {
			t.Error("wrong")
		}
	})
}

func TestOlder(t *testing.T) {
	c := func(namespace, name string, created time.Time) *v1alpha1.OAuthClient {
		return client(func(c *v1alpha1.OAuthClient) {
			c.Namespace, c.Name, c.CreationTimestamp = namespace, name, *at(created)
		})
	}
	inOrder := []*v1alpha1.OAuthClient{
		c("z", "z", born), c("a", "b", noon), c("a", "c", noon), c("b", "a", noon), c("a", "a", noon.Add(time.Second)),
	}
	for i, a := range inOrder {
		for j, b := range inOrder {
			if got := rules.Older(a, b); got != (i < j) {
				t.Errorf("%s/%s before %s/%s: got %t", a.Namespace, a.Name, b.Namespace, b.Name, got)
			}
		}
	}
}
